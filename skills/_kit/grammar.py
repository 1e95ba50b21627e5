"""Which windows the search may try: one grammar for all data sets, spelled from the schema and the facts alone.

Keys are nothing, each key or category column, and pairs of columns with few values. Outcomes are counted and averaged, requests
are counted and every numeric column is averaged, summed, and put in relation to its own average; records of a registered source
are counted, and its numeric columns looked up (the last value) and averaged, by keys that the source has too. Order and ties go
by what the columns hold, never by their names or positions, so renaming or reordering columns gives the same search.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations, zip_longest
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from skills._kit.frames import Integers, codes, column_of, fingerprint, floats
from streams.contracts.features import LABEL, Aggregate, Source, Window
from streams.contracts.schema import OWN_FACTS, Column, ModelSchema, SourceSchema

MINUTE_MS = 60_000
RANGES_MS = tuple(minutes * MINUTE_MS for minutes in (10, 60, 120, 240, 480, 1_440, 10_080))
LOOKUP_RANGES_MS = tuple(minutes * MINUTE_MS for minutes in (60, 1_440, 10_080, 43_200))
"""How old a looked-up value may be; nobody says how often a source speaks."""

WAITED = 24
"""An outcome counts once it has been known for one of so many parts of the range, an hour of a day: live, rows don't wait for
labels that are still being joined, so that a window of what became known just now wouldn't say what it said in training; and a
replay, which does wait, would go on by the skew."""

FEW_ROWS_PER_PAIR = 50
FEW_ROWS_PER_KEY = 3
MOST_PAIRS = 6
MOST_KEYS_OF_A_PAIR = 2_000
MOST_CANDIDATES = 1_500
BYTES_PER_FACT: Mapping[Aggregate, int] = MappingProxyType({"count": 8, "last": 40, "mean": 48, "sum": 48, "ratio": 48})
"""As `streams/features/README.md` says of each aggregate's state."""
BYTES_PER_KEY = 120


class Candidate(NamedTuple):
    """A window that may be tried, what its online state would cost, and its place in the canonical order."""

    window: Window
    state_bytes: float
    order: tuple[Any, ...]


class Grouping(NamedTuple):
    """A set of key columns: its names, the number of distinct values, and a digest of its content."""

    by: tuple[str, ...]
    distinct: int
    digest: str


class _Kind(NamedTuple):
    """What is made of which facts: how many of them there are in a ms, and which column, with a digest of its content."""

    source: Source
    aggregate: Aggregate
    rate: float
    column: str | None = None
    digest: str = ""


def candidates(
    schema: ModelSchema,
    train: pa.Table,
    facts_per_ms: float,
    skew_ms: int,
    looked_up: Mapping[Source, pa.Table] = MappingProxyType({}),
) -> list[Candidate]:
    """Spell all windows worth trying for rows like `train`, in canonical order, at most `MOST_CANDIDATES`.

    Args:
        schema: the model's columns; of tagged ones that nobody has granted only hashes are used, as keys.
        train: rows with `time_ms` and the declared columns.
        facts_per_ms: how many requests arrive in a millisecond, for the cost of state.
        skew_ms: the allowed cross-partition skew; a range below it would mostly be blind.
        looked_up: the records of registered sources, `time_ms` and columns, by name.
    """
    time_ms = column_of(train, "time_ms").to_numpy()
    span_ms = int(time_ms.max() - time_ms.min()) if len(time_ms) else 0
    ranges = [size for size in RANGES_MS if size >= skew_ms and size <= span_ms / 4]
    columns = [(fingerprint(floats(train, name)), name) for name in _numeric(schema)]
    kinds = [_Kind("outcomes", "mean", facts_per_ms, LABEL), _Kind("outcomes", "count", facts_per_ms)]
    kinds += [_Kind("outcomes", "sum", facts_per_ms, LABEL)] if schema.task == "regression" else []
    kinds += [_Kind("requests", "count", facts_per_ms)]
    kinds += [kind for source in schema.sources if source.name in looked_up for kind in _kinds_of(source, looked_up[source.name])]
    kinds += [
        _Kind("requests", aggregate, facts_per_ms, name, digest) for digest, name in sorted(columns) for aggregate in _OF_NUMBERS
    ]
    spelled: dict[Source, list[Candidate]] = {}
    keys = groupings(schema, train)
    for kind in kinds:
        for grouping in keys:
            if _groups(schema, kind.source, grouping):
                lengths = ranges if kind.source in OWN_FACTS else LOOKUP_RANGES_MS
                mine = spelled.setdefault(kind.source, [])
                mine += [_candidate(kind, grouping, range_ms) for range_ms in lengths if range_ms >= skew_ms]
    # In turn, so that a source of many columns leaves room for the others.
    in_turn = [one for turn in zip_longest(*spelled.values()) for one in turn if one is not None]
    return sorted(in_turn[:MOST_CANDIDATES], key=lambda candidate: candidate.order)


# What a value is by itself, and what it is beside those before it, are two things, and trees find the second by the first only
# roughly.
_OF_NUMBERS: tuple[Aggregate, ...] = ("mean", "sum", "ratio")
_LOOKED_UP: tuple[Aggregate, ...] = ("last", "mean")


def _kinds_of(source: SourceSchema, records: pa.Table) -> list[_Kind]:
    time_ms = column_of(records, "time_ms").to_numpy()
    rate = len(time_ms) / max(int(time_ms.max() - time_ms.min()), 1) if len(time_ms) else 0.0
    numeric = [one.name for one in source.columns if one.kind == "number" and one.role == "feature" and not one.is_closed]
    columns = sorted((fingerprint(floats(records, name)), name) for name in numeric)
    counted = [_Kind(source.name, "count", rate)]
    return counted + [_Kind(source.name, made, rate, name, digest) for digest, name in columns for made in _LOOKED_UP]


def _groups(schema: ModelSchema, source: Source, grouping: Grouping) -> bool:
    """Say whether facts have the keys of a grouping, as requests have them."""
    kinds = {column.name: column.kind for column in schema.columns_of(source) if not column.is_hidden}
    return all(kinds.get(name) == schema.column(name).kind for name in grouping.by)


def _candidate(kind: _Kind, grouping: Grouping, range_ms: int) -> Candidate:
    delay_ms = range_ms // WAITED if kind.source == "outcomes" else 0
    window = Window(
        aggregate=kind.aggregate, source=kind.source, column=kind.column, by=grouping.by, range_ms=range_ms, delay_ms=delay_ms
    )
    bytes_kept = BYTES_PER_FACT[kind.aggregate] * kind.rate * range_ms + BYTES_PER_KEY * grouping.distinct
    facts = kind.source if kind.source in OWN_FACTS else "sources"
    of_kind = (facts, kind.column == LABEL, kind.digest, kind.aggregate)
    return Candidate(window, bytes_kept, (*of_kind, len(grouping.by), grouping.distinct, grouping.digest, range_ms, kind.source))


def groupings(schema: ModelSchema, train: pa.Table) -> list[Grouping]:
    """Return the keys worth trying: none, single columns, then pairs with few values; smallest first."""
    coded: dict[str, Integers] = {}
    for column in schema.columns:
        if _may_group(column):
            coded[column.name] = codes(column_of(train, column.name))[0]
    singles = [_grouping((name,), (values,)) for name, values in coded.items()]
    singles = [single for single in singles if 2 <= single.distinct <= train.num_rows / FEW_ROWS_PER_KEY]
    few = [single.by[0] for single in sorted(singles, key=_by_size)]
    pairs = []
    for first, second in combinations(few, 2):
        pair = _grouping((first, second), (coded[first], coded[second]))
        larger = max(single.distinct for single in singles if single.by[0] in pair.by)
        if larger < pair.distinct <= min(MOST_KEYS_OF_A_PAIR, train.num_rows / FEW_ROWS_PER_PAIR):
            pairs.append(pair)
    return [Grouping((), 1, ""), *sorted(singles, key=_by_size), *sorted(pairs, key=_by_size)[:MOST_PAIRS]]


def _by_size(grouping: Grouping) -> tuple[int, str]:
    return grouping.distinct, grouping.digest


def _grouping(by: tuple[str, ...], values: tuple[Integers, ...]) -> Grouping:
    joint = values[0]
    for more in values[1:]:
        joint = joint * (int(more.max(initial=0)) + 2) + more
    return Grouping(by, len(np.unique(joint)), "+".join(sorted(fingerprint(value) for value in values)))


def _may_group(column: Column) -> bool:
    if column.is_hidden:
        return False
    return column.role == "key" or (column.role == "feature" and column.kind == "category")


def _numeric(schema: ModelSchema) -> list[str]:
    return [column.name for column in schema.features if column.kind == "number" and not column.is_closed]
