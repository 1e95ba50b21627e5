"""Windows offline: every window of a table of rows at once, point in time, exact, in O(n log n).

The facts of one (source, keys) lie sorted by key and time, so a window's facts are a range, and binary searches find its ends.
A sum over a range is the difference of two running sums. Rounded ones would lose digits; so a value is cut into limbs of 36
bits, whole numbers whose running sums are exact in 64 bits for up to 2**27 facts. That is exact for magnitudes from about
1e-17 to `LARGEST_VALUE`; of smaller ones what is below 2**-108 (3e-33) is left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from streams.contracts.errors import ContractError
from streams.contracts.features import Source, Window
from streams.contracts.schema import ModelSchema
from streams.windows.facts import END_MS, LARGEST_VALUE, Floats, Integers, clip_offset, distinct_specs

_TIMES: Final[dict[Source, str]] = {"requests": "time_ms", "outcomes": "known_ms"}
_WEIGHTS: Final = tuple(2.0**power for power in range(72, -109, -36))


def window_values(
    specs: Sequence[Window], schema: ModelSchema, skew_ms: int, rows: pa.Table, facts: Mapping[Source, pa.Table]
) -> Iterator[tuple[Window, Floats]]:
    """Yield each distinct spec and its values for all rows, float64 [rows], NaN where missing.

    Which requests are valid is for the caller to say: leave flagged ones out.

    Args:
        specs: the windows.
        schema: the model's columns, for the types of keys.
        skew_ms: the model's allowed skew.
        rows: `time_ms` and the key columns.
        facts: `requests` (`time_ms` and columns) and `outcomes` (`known_ms`, columns, `label`), those that a spec reads.

    Raises:
        ContractError: a spec names a column that the schema lacks, that isn't a number, or whose name is reserved; or there
            are too many keys over too long a time.
    """
    groups: dict[tuple[Source, tuple[str, ...]], list[Window]] = {}
    for spec in distinct_specs(specs):
        spec.check(schema)
        groups.setdefault((spec.source, spec.by), []).append(spec)
    for (source, by), members in groups.items():
        line = _Line(facts[source], _TIMES[source], rows, (by, schema))
        running = {
            name: _running(_numbers(facts[source], name)[line.facts])
            for name in dict.fromkeys(spec.column for spec in members)
            if name is not None
        }
        found: dict[int, Integers] = {}
        for spec in members:
            near = clip_offset(spec.delay_ms + skew_ms)
            far = clip_offset(near + spec.range_ms)
            for offset in (near, far):
                if offset not in found:
                    found[offset] = line.find(offset)
            yield spec, line.as_given(_aggregate(spec, found[far], found[near], running))


class _Line:
    """Facts sorted by key and time, and rows sorted by key, because searches in order are faster.

    `facts` says which facts they are, in order; those without a key or outside of time are left out.
    """

    def __init__(self, facts: pa.Table, time: str, rows: pa.Table, keys: tuple[tuple[str, ...], ModelSchema]) -> None:
        of_facts, of_rows = _joint_codes(facts, rows, *keys)
        when = _times(facts, time)
        kept = np.flatnonzero((of_facts >= 0) & (when >= 0) & (when < END_MS))
        self._first, self._end = (int(when[kept].min()), int(when[kept].max()) + 1) if len(kept) else (0, 0)
        bits = (self._end - self._first).bit_length()
        if int(max(of_facts.max(initial=0), of_rows.max(initial=0))) >> (63 - bits):
            raise ContractError(f"windows by {', '.join(keys[0])}: too many keys over too long a time; take a shorter one")
        at = (of_facts[kept] << bits) + (when[kept] - self._first)
        order = np.argsort(at, kind="stable")
        self.facts: Integers = kept[order]
        self._at = at[order]
        self._rows = np.argsort(of_rows, kind="stable")
        self._keys = np.maximum(of_rows[self._rows], 0) << bits
        self._times = np.clip(_times(rows, "time_ms"), 0, END_MS)[self._rows]
        self._missing = of_rows < 0

    def find(self, offset: int) -> Integers:
        """Return per row, in the line's order, the place of its key's first fact at or after its time less an offset."""
        bounds = np.clip(self._times - offset, self._first, self._end) - self._first
        places: Integers = np.searchsorted(self._at, self._keys + bounds)
        return places

    def as_given(self, values: Floats) -> Floats:
        """Put values into the rows' given order; NaN where the key is missing."""
        given = np.empty(len(values))
        given[self._rows] = values
        given[self._missing] = np.nan
        return given


class _Running(NamedTuple):
    """How many values are present and the sums of their limbs (weight, sums), each up to a place [facts + 1]."""

    counts: Integers
    limbs: tuple[tuple[float, Integers], ...]


def _running(values: Floats) -> _Running:
    present = np.abs(values) <= LARGEST_VALUE
    rest = np.where(present, values, 0.0)
    limbs = []
    for weight in _WEIGHTS:
        whole = np.trunc(rest / weight)
        if whole.any():
            rest = rest - whole * weight
            limbs.append((weight, _summed(whole.astype(np.int64))))
    return _Running(_summed(present), tuple(limbs))


def _summed(values: Integers | NDArray[np.bool_]) -> Integers:
    sums = np.zeros(len(values) + 1, dtype=np.int64)
    np.cumsum(values, out=sums[1:])
    return sums


def _aggregate(spec: Window, start: Integers, stop: Integers, running: Mapping[str, _Running]) -> Floats:
    if spec.column is None:
        return (stop - start).astype(np.float64)
    counts, limbs = running[spec.column]
    total = np.zeros(len(start))
    for weight, sums in limbs:
        total += (sums[stop] - sums[start]) * weight
    if spec.aggregate == "sum":
        return total
    count = counts[stop] - counts[start]
    return np.divide(total, count, out=np.full(len(start), np.nan), where=count > 0)


def _joint_codes(facts: pa.Table, rows: pa.Table, by: tuple[str, ...], schema: ModelSchema) -> tuple[Integers, Integers]:
    """Code the keys of facts and rows alike, 0 up; -1 where a part of the key is missing."""
    joint = np.zeros(facts.num_rows + rows.num_rows, dtype=np.int64)
    missing = np.zeros(len(joint), dtype=np.bool_)
    for number, name in enumerate(by):
        wanted = pa.string() if schema.column(name).kind == "category" else pa.float64()
        part, distinct = _codes(pa.chunked_array([*_chunks(facts, name, wanted), *_chunks(rows, name, wanted)], wanted))
        missing |= part < 0
        joint = joint * distinct + np.maximum(part, 0)
        if number:
            joint = np.unique(joint, return_inverse=True)[1].astype(np.int64)
    joint[missing] = -1
    return joint[: facts.num_rows], joint[facts.num_rows :]


def _codes(column: pa.ChunkedArray) -> tuple[Integers, int]:
    """Return each value's code, -1 for null and what isn't finite, and how many there are."""
    if pa.types.is_floating(column.type):
        column = pc.if_else(pc.is_finite(column), pc.add(column, 0.0), None)  # + 0.0 turns -0.0 into 0.0
    encoded = pc.dictionary_encode(column).unify_dictionaries().combine_chunks()
    return encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64), max(len(encoded.dictionary), 1)


def _chunks(table: pa.Table, name: str, wanted: pa.DataType) -> list[pa.Array]:
    return list(table.column(name).cast(wanted).chunks)


def _times(table: pa.Table, name: str) -> Integers:
    times: Integers = table.column(name).cast(pa.int64()).fill_null(-1).to_numpy().astype(np.int64)
    return times


def _numbers(table: pa.Table, name: str) -> Floats:
    numbers: Floats = table.column(name).cast(pa.float64()).fill_null(np.nan).to_numpy()
    return numbers
