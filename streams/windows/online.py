"""Windows online: the facts in memory, and every window of a batch of rows at once."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from streams.contracts.errors import ContractError
from streams.contracts.features import LABEL, Source, Window
from streams.contracts.schema import ModelSchema
from streams.features.evaluate import holds
from streams.windows.aggregates import Family, family_of, finished
from streams.windows.facts import (
    END_MS,
    Columns,
    Facts,
    Floats,
    Integers,
    as_numbers,
    clip_offset,
    fact_kinds,
    fact_times,
    filter_of,
    grouped,
    numbers,
    own_columns,
)
from streams.windows.keys import MISSING, Coded, KeyCodes
from streams.windows.runs import Run, Runs, places
from streams.windows.texts import Texts
from streams.windows.upkeep import Upkeep


class Held(NamedTuple):
    """What is held of facts of one kind: runs, back to when rows can read, and back to when memory was swept."""

    runs: Sequence[Run]
    floor_ms: int
    swept_ms: int


class Image(NamedTuple):
    """What a state is made of at a moment, in the order of its specs. Nothing in it changes later."""

    keys: Sequence[Coded]
    stores: Sequence[Held]


_RANGES_AT_ONCE: Final = 65_536
_SWEEPS: Final = 8
"""Memory is swept this many times per horizon: at most an eighth more is held than can be read."""


class WindowState:
    """Facts of all partitions and the windows over them, for one model.

    Facts may come in any order and between any reads; a row's values follow from the facts given before the read, by the
    rules of this package. New specs need a new state, folded again from the log (that is the backfill).

    Args:
        specs: the windows; specs over the same facts share them.
        schema: the model's columns, for kinds and filters.
        skew_ms: the model's allowed cross-partition skew, added to every window's delay.

    Raises:
        ContractError: a spec doesn't fit the schema or names a reserved column, or the skew is negative.
    """

    def __init__(self, specs: Sequence[Window], schema: ModelSchema, skew_ms: int) -> None:
        if skew_ms < 0:
            raise ContractError(f"windows: the skew can't be negative, got {skew_ms}")
        groups = grouped(specs, schema)
        self.specs = tuple(dict.fromkeys(specs))
        self._schema = schema
        self._keys = {facts.by: KeyCodes(facts.by) for facts in groups}
        self._stores = [_Store(facts, self._keys[facts.by], group, schema, skew_ms) for facts, group in groups.items()]
        self._own = tuple(dict.fromkeys(column for spec in specs for column in own_columns(spec)))

    def __len__(self) -> int:
        """Facts held, counted once per source, keys and filter."""
        return sum(len(store.runs) for store in self._stores)

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

    def add_looked_up(self, source: Source, time_ms: Sequence[int], columns: Columns) -> None:
        """Take records of a registered source as facts, at their times.

        Raises:
            ContractError: more keys are alive than a window can hold, or a column has another length.
        """
        self._add(source, time_ms, columns)

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
        own = {column: numbers(columns[column]) for column in self._own}
        found: dict[str, Floats] = {}
        for store in self._stores:
            found.update(store.read(times, codes[store.keys.by], own))
        return {spec.name: found[spec.name] for spec in self.specs}

    def evict(self, watermark_ms: int) -> None:
        """Let go of facts that no row at or after `watermark_ms` can read. An earlier row may miss facts from now on."""
        swept = {store.keys.by for store in self._stores if store.evict(watermark_ms)}
        for by in swept:
            self._forget_keys(by)

    def warm(self) -> None:
        """Make what the first read would make of the facts there are, which takes it long."""
        names = {*(name for by in self._keys for name in by), *self._own}
        self.arrays([0], {name: [None] for name in names})

    def defer(self, most_at_once: int) -> None:
        """Leave what takes long with more facts than these to who asks what is `due`; reads are a little slower until then."""
        for store in self._stores:
            store.runs.most_at_once = most_at_once

    def due(self) -> Upkeep | None:
        """Return work that was left, None when there is none."""
        return next((upkeep for store in self._stores if (upkeep := store.due()) is not None), None)

    def image(self) -> Image:
        """Return what the state is made of now. Only keys are copied, so it is quick."""
        return Image([keys.image() for keys in self._keys.values()], [store.image() for store in self._stores])

    def restore(self, image: Image) -> None:
        """Become what a state of the same specs, schema and skew was; from then on both give the same values.

        They are the same bit for bit, as long as nothing is left to others (`defer`): spreads are combined run by run.
        """
        for keys, coded in zip(self._keys.values(), image.keys, strict=True):
            keys.restore(coded)
        for store, held in zip(self._stores, image.stores, strict=True):
            store.restore(held)

    def _add(self, source: Source, time_ms: Sequence[int], columns: Columns) -> None:
        times, given = fact_times(time_ms), _Given(columns, source, self._schema)
        stores = [store for store in self._stores if store.facts.source == source]
        kept = [store.passing(times, given) for store in stores]
        for by in dict.fromkeys(store.keys.by for store in stores):
            # A fact that nobody keeps needs no key.
            wanted = functools.reduce(
                np.logical_or, (mask for store, mask in zip(stores, kept, strict=True) if store.keys.by == by)
            )
            codes = self._coded(by, columns, wanted)
            for store, mask in zip(stores, kept, strict=True):
                if store.keys.by == by:
                    store.add(times, codes, mask, given)

    def _coded(self, by: tuple[str, ...], columns: Columns, wanted: NDArray[np.bool_]) -> Integers:
        keys = self._keys[by]
        if wanted.all() or not by:
            return keys.give(columns, len(wanted))
        places = np.flatnonzero(wanted)
        some = {name: _at(columns[name], places, len(wanted)) for name in by}
        codes = np.full(len(wanted), MISSING)
        codes[places] = keys.give(some, len(places))
        return codes

    def _forget_keys(self, by: tuple[str, ...]) -> None:
        keys = self._keys[by]
        alive = np.zeros(keys.highest, dtype=bool)
        for store in self._stores:
            if store.keys is keys:
                for codes in store.runs.codes():
                    alive[codes] = True
        keys.keep(alive)


def _at(values: Any, places: Integers, rows: int) -> Any:
    if len(values) != rows:
        raise ContractError(f"windows: a key column has {len(values)} rows, not {rows}")
    return values[places] if isinstance(values, np.ndarray | Texts) else [values[place] for place in places.tolist()]


class _Given:
    """Columns of facts as numbers, each made of what was given on first use."""

    def __init__(self, columns: Columns, source: Source, schema: ModelSchema) -> None:
        self._columns = columns
        self._kinds = fact_kinds(source, schema)
        self._made: dict[str, Floats] = {}

    def numbers(self, name: str) -> Floats:
        """Return a column as numbers, whatever its kind."""
        if name not in self._made:
            self._made[name] = as_numbers(self._columns[name], self._kinds[name])
        return self._made[name]

    def __getitem__(self, name: str) -> Any:
        """Return a column as filters read it: numbers, or the texts of a category."""
        return self.numbers(name) if self._kinds[name] == "number" else self._columns[name]


class _Store:
    """Facts of one kind, and the windows over them."""

    def __init__(self, facts: Facts, keys: KeyCodes, specs: Sequence[Window], schema: ModelSchema, skew_ms: int) -> None:
        self.facts = facts
        self.keys = keys
        self.specs = specs
        self.columns = tuple(dict.fromkeys(spec.column for spec in specs if spec.column is not None))
        self.runs = Runs(len(self.columns))
        self._filter = filter_of(facts, schema)
        # A spec's facts lie in [t - far, t - near); equal bounds are searched once.
        near = [clip_offset(spec.delay_ms + skew_ms) for spec in specs]
        far = [clip_offset(offset + spec.range_ms) for offset, spec in zip(near, specs, strict=True)]
        self._offsets = sorted({*near, *far})
        self._near, self._far = ([self._offsets.index(offset) for offset in bound] for bound in (near, far))
        self.horizon_ms = max(far)
        # What reads the same of the same column is read at once, for the bounds of all its specs.
        self._groups: dict[tuple[Family, int], list[int]] = {}
        for number, spec in enumerate(specs):
            column = -1 if spec.column is None else self.columns.index(spec.column)
            self._groups.setdefault((family_of(spec), column), []).append(number)
        self._floor_ms = 0
        self._swept_ms = 0

    def passing(self, times: Integers, given: _Given) -> NDArray[np.bool_]:
        """Say of facts which are in time, not too old to be read, and not filtered out; shape (rows,)."""
        kept = (times >= self._floor_ms) & (times < END_MS)
        return kept if self._filter is None else kept & holds(self._filter, given, times)

    def add(self, times: Integers, codes: Integers, passing: NDArray[np.bool_], given: _Given) -> None:
        """Take facts that pass and have a key."""
        kept = passing & (codes >= 0)
        values = np.empty((len(self.columns), int(kept.sum())))
        for row, column in enumerate(self.columns):
            values[row] = given.numbers(column)[kept]
        self.runs.add(places(codes[kept], times[kept]), values)

    def read(self, times: Integers, codes: Integers, own: Mapping[str, Floats]) -> dict[str, Floats]:
        """Return the values of all specs; times clipped to [0, END_MS], all of shape (rows,)."""
        # In the order of keys, because searches in order are several times as fast.
        order = np.argsort(codes, kind="stable")
        codes, times = codes[order], times[order]
        # A key that was never seen has no facts: its bounds lie before the first key's.
        known = np.maximum(codes, 0)
        bounds = np.stack([places(known, np.maximum(times - offset, 0)) for offset in self._offsets])
        bounds[:, codes < 0] = -1
        spans = [(run, run.at.searchsorted(bounds)) for run in self.runs.settled()]
        found: dict[str, Floats] = {}
        for family, column, which in self._shares(len(times)):
            results = self._results(family, column, which, len(times), spans)
            for place, number in enumerate(which):
                spec = self.specs[number]
                part = {name: values.reshape(len(which), -1)[place] for name, values in results.items()}
                mine = next((own[name][order] for name in own_columns(spec)), None)
                values = finished(spec, part, times, mine)
                found[spec.name] = np.empty(len(times))
                found[spec.name][order] = np.where(codes == MISSING, np.nan, values)
        return found

    def _shares(self, rows: int) -> Iterator[tuple[Family, int, list[int]]]:
        """Specs that are read at once: as many of a group as leave what is made on the way small."""
        most = max(1, _RANGES_AT_ONCE // max(rows, 1))
        for (family, column), which in self._groups.items():
            for first in range(0, len(which), most):
                yield family, column, which[first : first + most]

    def _results(
        self, family: Family, column: int, which: Sequence[int], count: int, spans: Sequence[tuple[Run, Integers]]
    ) -> Mapping[str, Floats]:
        """Return what a family makes of all runs together for these specs, each of shape (specs * rows,)."""
        far, near = [self._far[number] for number in which], [self._near[number] for number in which]
        if not spans:
            empty = Run(np.zeros(0, np.int64), np.zeros((len(self.columns), 0)), 0)
            spans = [(empty, np.zeros((len(self._offsets), count), np.int64))]
        found = functools.reduce(family.both, (family.of(run, column, at[far].ravel(), at[near].ravel()) for run, at in spans))
        return family.results(found, len(which) * count)

    def due(self) -> Upkeep | None:
        """Return work that was left."""
        due = self.runs.due()
        return Upkeep(self.runs, *due, self._warm) if due is not None else None

    def _warm(self, run: Run) -> None:
        nowhere = np.zeros(1, np.int64)
        for family, column in self._groups:
            family.of(run, column, nowhere, nowhere)

    def image(self) -> Held:
        """Return what is held now."""
        return Held(list(self.runs.settled()), self._floor_ms, self._swept_ms)

    def restore(self, held: Held) -> None:
        """Hold this and nothing else."""
        self.runs.restore(held.runs)
        self._floor_ms, self._swept_ms = held.floor_ms, held.swept_ms

    def evict(self, watermark_ms: int) -> bool:
        """Note how far back rows can still read; sweep the memory now and then. True when it was swept."""
        self._floor_ms = max(self._floor_ms, min(watermark_ms, END_MS) - self.horizon_ms)
        if self._floor_ms - self._swept_ms < max(self.horizon_ms // _SWEEPS, 1):
            return False
        self._swept_ms = self._floor_ms
        self.runs.evict(self._floor_ms)
        return True
