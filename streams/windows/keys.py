"""Small integers for the keys that are alive: the dictionary in front of the sorted runs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import repeat
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from streams.contracts.errors import ContractError
from streams.windows.facts import TIME_BITS, Columns, Integers, is_missing
from streams.windows.texts import Texts

MISSING: Final = -1
UNKNOWN: Final = -2
MOST_KEYS: Final = 1 << (63 - TIME_BITS)


class Coded(NamedTuple):
    """Keys and their codes, the codes that are free, and how many were ever given out."""

    keys: Sequence[Any]
    codes: Sequence[int]
    free: Sequence[int]
    given: int


class KeyCodes:
    """Codes of the keys over the columns `by`, given out on first sight and taken back by `keep`.

    At most `MOST_KEYS` (2 million) keys can be alive at once; memory per key is about 150 bytes and its text.
    """

    def __init__(self, by: tuple[str, ...]) -> None:
        self.by = by
        self._codes: dict[Any, int] = {}
        self._free: list[int] = []
        self._next = 0

    def __len__(self) -> int:
        return len(self._codes)

    def find(self, columns: Columns, rows: int) -> Integers:
        """Return the code of each row's key, `MISSING` for a missing and `UNKNOWN` for a never seen one. Shape (rows,)."""
        if not self.by:
            return np.zeros(rows, dtype=np.int64)
        keys = self._keys(columns, rows)
        codes = self._known(keys)
        for index in np.flatnonzero(codes == UNKNOWN).tolist():
            if self._is_missing(keys[index]):
                codes[index] = MISSING
        return codes

    def give(self, columns: Columns, rows: int) -> Integers:
        """Like `find`, but a key that was never seen gets a code.

        Raises:
            ContractError: more keys are alive than a window can hold.
        """
        if not self.by:
            return np.zeros(rows, dtype=np.int64)
        keys = self._keys(columns, rows)
        if not isinstance(keys, Texts):
            return self._given(keys)
        is_used = np.zeros(len(keys.distinct), dtype=bool)
        is_used[keys.which] = True
        used = np.flatnonzero(is_used)
        codes = np.full(len(is_used), MISSING)
        codes[used] = self._given([keys.distinct[place] for place in used.tolist()])
        return codes[keys.which]

    def _given(self, keys: Sequence[Any]) -> Integers:
        codes = self._known(keys)
        for index in np.flatnonzero(codes == UNKNOWN).tolist():
            key = keys[index]
            if key not in self._codes and not self._is_missing(key):
                self._codes[key] = self._free.pop() if self._free else self._fresh()
            codes[index] = self._codes.get(key, MISSING)
        return codes

    def _known(self, keys: Sequence[Any]) -> Integers:
        return np.fromiter(map(self._codes.get, keys, repeat(UNKNOWN)), dtype=np.int64, count=len(keys))

    def keep(self, alive: NDArray[np.bool_]) -> None:
        """Forget the keys whose code isn't marked in `alive` (shape (codes,)); their codes are given out again."""
        if not self.by:
            return
        for key in [key for key, code in self._codes.items() if not alive[code]]:
            self._free.append(self._codes.pop(key))

    def image(self) -> Coded:
        """Return what is known now; it doesn't change later."""
        return Coded(list(self._codes), list(self._codes.values()), list(self._free), self._next)

    def restore(self, coded: Coded) -> None:
        """Know this and nothing else."""
        self._codes = dict(zip(coded.keys, coded.codes, strict=True))
        self._free, self._next = list(coded.free), coded.given

    @property
    def highest(self) -> int:
        """One more than the largest code ever given out."""
        return max(self._next, 1)

    def _fresh(self) -> int:
        if self._next >= MOST_KEYS:
            raise ContractError(
                f"windows by {', '.join(self.by)}: more than {MOST_KEYS} keys alive; shorten the range or choose other keys"
            )
        self._next += 1
        return self._next - 1

    def _keys(self, columns: Columns, rows: int) -> Sequence[Any]:
        parts = [_plain(columns[name]) for name in self.by]
        if any(len(part) != rows for part in parts):
            raise ContractError(f"windows by {', '.join(self.by)}: a key column has not {rows} rows")
        return parts[0] if len(parts) == 1 else list(zip(*parts, strict=True))

    def _is_missing(self, key: Any) -> bool:
        parts: Iterable[object] = (key,) if len(self.by) == 1 else key
        return any(is_missing(part) for part in parts)


def _plain(values: Any) -> Sequence[Any]:
    """Python objects, so that a key is the same whether it came in a list or in a numpy array."""
    return values.tolist() if isinstance(values, np.ndarray) else values
