"""A column of texts in which each distinct one is there once, so that a key is looked up once for all rows that have it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, overload

import numpy as np
import pyarrow as pa

from streams.windows.facts import Integers


class Texts(Sequence[str | None]):
    """The column.

    Args:
        distinct: the texts.
        which: the place of each row's text among them, shape (rows,).
    """

    def __init__(self, distinct: Sequence[str | None], which: Integers) -> None:
        self.distinct = distinct
        self.which = which

    @classmethod
    def of(cls, column: pa.Array) -> Texts:
        """Return a column of strings, None for null."""
        encoded = column.dictionary_encode()
        distinct = [*encoded.dictionary.to_pylist(), None]
        return cls(distinct, encoded.indices.fill_null(len(distinct) - 1).to_numpy(zero_copy_only=False).astype(np.int64))

    def __len__(self) -> int:
        """Rows."""
        return len(self.which)

    def __iter__(self) -> Iterator[str | None]:
        """Yield each row's text."""
        return map(self.distinct.__getitem__, self.which.tolist())

    @overload
    def __getitem__(self, place: int) -> str | None: ...
    @overload
    def __getitem__(self, place: slice | list[int] | Integers) -> Texts: ...
    def __getitem__(self, place: Any) -> Any:
        """Return a row's text, or the column of some rows."""
        found = self.which[place]
        return Texts(self.distinct, found) if isinstance(found, np.ndarray) else self.distinct[found]
