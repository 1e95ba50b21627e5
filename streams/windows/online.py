"""Windows online: the facts in memory, and every window of a batch of rows at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from streams.contracts.errors import ContractError
from streams.contracts.features import LABEL, Source, Window
from streams.windows.facts import END_MS, Columns, Floats, Integers, clip_offset, distinct_specs, fact_times, numbers
from streams.windows.keys import MISSING, UNKNOWN, KeyCodes
from streams.windows.runs import Run, Runs, places

_SWEEPS: Final = 8
"""Memory is swept this many times per horizon: at most an eighth more is held than can be read."""


class WindowState:
    """Facts of all partitions and the windows over them, for one model.

    Facts may come in any order and between any reads; a row's values follow from the facts given before the read, by the
    rules of this package. New specs need a new state, folded again from the log (that is the backfill).

    Args:
        specs: the windows; specs that share (source, keys) share the facts.
        skew_ms: the model's allowed cross-partition skew, added to every window's delay.

    Raises:
        ContractError: a spec names a reserved column, or the skew is negative.
    """

    def __init__(self, specs: Sequence[Window], skew_ms: int) -> None:
        if skew_ms < 0:
            raise ContractError(f"windows: the skew can't be negative, got {skew_ms}")
        self.specs = distinct_specs(specs)
        self._keys = {by: KeyCodes(by) for by in dict.fromkeys(spec.by for spec in self.specs)}
        groups: dict[tuple[Source, tuple[str, ...]], list[Window]] = {}
        for spec in self.specs:
            groups.setdefault((spec.source, spec.by), []).append(spec)
        self._stores = [_Store(source, self._keys[by], group, skew_ms) for (source, by), group in groups.items()]

    def __len__(self) -> int:
        """Facts held, counted once per (source, keys)."""
        return sum(len(store.runs) for store in self._stores)

    @property
    def horizon_ms(self) -> int:
        """How far before a row the oldest fact can lie that it reads: what a backfill must cover."""
        return max((store.horizon_ms for store in self._stores), default=0)

    def add_requests(self, time_ms: Sequence[int], columns: Columns) -> None:
        """Take valid requests as facts.

        Args:
            time_ms: event times, shape (rows,).
            columns: at least every key and value column that a window over requests names, each of shape (rows,).

        Raises:
            ContractError: more keys are alive than a window can hold, or a column has another length.
        """
        self._add("requests", time_ms, columns)

    def add_outcomes(self, known_ms: Sequence[int], columns: Columns, label: Sequence[float | None]) -> None:
        """Take labels as facts, at the times they were known; `columns` are those of the prediction.

        Raises:
            ContractError: more keys are alive than a window can hold, or a column has another length.
        """
        self._add("outcomes", known_ms, {**columns, LABEL: label})

    def values(self, time_ms: Sequence[int], columns: Columns) -> dict[str, list[float | None]]:
        """Return each window's value for each row, by spec name; None where it is missing."""
        return {
            name: [None if value != value else value for value in array.tolist()]  # noqa: PLR0124 - only NaN differs from itself
            for name, array in self.arrays(time_ms, columns).items()
        }

    def arrays(self, time_ms: Sequence[int], columns: Columns) -> dict[str, Floats]:
        """Like `values`, as float64 arrays of shape (rows,) with NaN where a value is missing."""
        times = np.clip(fact_times(time_ms), 0, END_MS)
        codes = {by: keys.find(columns, len(times)) for by, keys in self._keys.items()}
        found: dict[str, Floats] = {}
        for store in self._stores:
            found.update(store.read(times, codes[store.keys.by]))
        return {spec.name: found[spec.name] for spec in self.specs}

    def evict(self, watermark_ms: int) -> None:
        """Let go of facts that no row at or after `watermark_ms` can read. An earlier row may miss facts from now on."""
        swept = {store.keys.by for store in self._stores if store.evict(watermark_ms)}
        for by in swept:
            self._forget_keys(by)

    def _add(self, source: Source, time_ms: Sequence[int], columns: Columns) -> None:
        stores = [store for store in self._stores if store.source == source]
        times = fact_times(time_ms)
        given: dict[str, Floats] = {}
        for store in stores:
            for column in store.columns:
                if column not in given:
                    given[column] = numbers(columns[column])
            store.add(times, store.keys.give(columns, len(times)), given)

    def _forget_keys(self, by: tuple[str, ...]) -> None:
        keys = self._keys[by]
        alive = np.zeros(keys.highest, dtype=bool)
        for store in self._stores:
            if store.keys is keys:
                for codes in store.runs.codes():
                    alive[codes] = True
        keys.keep(alive)


class _Store:
    """The facts of one source by one set of keys, and the windows over them."""

    def __init__(self, source: Source, keys: KeyCodes, specs: Sequence[Window], skew_ms: int) -> None:
        self.source = source
        self.keys = keys
        self.specs = specs
        self.columns = tuple(dict.fromkeys(spec.column for spec in specs if spec.column is not None))
        self.runs = Runs(len(self.columns))
        # A spec's facts lie in [t - far, t - near); equal bounds are searched once.
        self._near = [clip_offset(spec.delay_ms + skew_ms) for spec in specs]
        self._far = [clip_offset(near + spec.range_ms) for near, spec in zip(self._near, specs, strict=True)]
        self._offsets = sorted({*self._near, *self._far})
        self.horizon_ms = max(self._far)
        self._floor_ms = 0
        self._swept_ms = 0

    def add(self, times: Integers, codes: Integers, given: dict[str, Floats]) -> None:
        """Take facts; those without a key, outside of time, or too old to be read are left out."""
        kept = (codes >= 0) & (times >= self._floor_ms) & (times < END_MS)
        values = np.empty((len(self.columns), int(kept.sum())))
        for row, column in enumerate(self.columns):
            values[row] = given[column][kept]
        self.runs.add(places(codes[kept], times[kept]), values)

    def read(self, times: Integers, codes: Integers) -> dict[str, Floats]:
        """Return the values of all specs; times clipped to [0, END_MS], both of shape (rows,)."""
        known = np.maximum(codes, 0)
        bounds = np.concatenate([places(known, np.maximum(times - offset, 0)) for offset in self._offsets])
        counts = np.zeros((len(self.specs), len(times)))
        totals = np.zeros_like(counts)
        for run in self.runs.settled():
            self._read_run(run, run.at.searchsorted(bounds).reshape(len(self._offsets), -1), counts, totals)
        counts[:, codes == UNKNOWN] = totals[:, codes == UNKNOWN] = 0.0
        return {spec.name: _finish(spec, counts[i], totals[i], codes) for i, spec in enumerate(self.specs)}

    def _read_run(self, run: Run, found: Integers, counts: Floats, totals: Floats) -> None:
        start = found[[self._offsets.index(far) for far in self._far]]
        stop = found[[self._offsets.index(near) for near in self._near]]
        for row, column in enumerate((None, *self.columns)):
            which = [i for i, spec in enumerate(self.specs) if spec.column == column]
            if column is None:
                counts[which] += stop[which] - start[which]
                continue
            present = run.present[row - 1]
            counts[which] += present[stop[which]] - present[start[which]]
            totals[which] += run.sums[row - 1].between(start[which].ravel(), stop[which].ravel()).reshape(len(which), -1)

    def evict(self, watermark_ms: int) -> bool:
        """Note how far back rows can still read; sweep the memory now and then. True when it was swept."""
        self._floor_ms = max(self._floor_ms, min(watermark_ms, END_MS) - self.horizon_ms)
        if self._floor_ms - self._swept_ms < max(self.horizon_ms // _SWEEPS, 1):
            return False
        self._swept_ms = self._floor_ms
        self.runs.evict(self._floor_ms)
        return True


def _finish(spec: Window, count: Floats, total: Floats, codes: Integers) -> Floats:
    if spec.aggregate == "count":
        value = count
    elif spec.aggregate == "sum":
        value = total
    else:
        value = np.full(len(count), np.nan)
        np.divide(total, count, out=value, where=count > 0)
    value[codes == MISSING] = np.nan
    return value
