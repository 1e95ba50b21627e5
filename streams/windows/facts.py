"""What counts as a fact's time, key and value: the rules that online state, offline columns and SQL share."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from streams.contracts.errors import ContractError
from streams.contracts.features import LABEL, Source, Window
from streams.contracts.schema import Kind, ModelSchema
from streams.features.expressions import parse_filter
from streams.features.tree import Tree, names_in
from streams.features.units import units_of_columns

TIME_BITS: Final = 42
END_MS: Final = (1 << TIME_BITS) - 1
"""Facts lie in [0, END_MS), which ends in the year 2109."""

LARGEST_VALUE: Final = 1e30
"""Larger magnitudes are missing: 2**27 facts of this size still add up exactly."""

SMALLEST_VALUE: Final = 1e-30
"""Smaller magnitudes are 0."""

RESERVED: Final = frozenset({"row", "time_ms", "known_ms", LABEL})
"""Columns of the tables that windows are computed from; a declared column of such a name can't be a key or a value."""

Columns = Mapping[str, Sequence[Any]]
Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


def clip_offset(milliseconds: int) -> int:
    """Bound a delay or range, so that times minus offsets never leave 64 bits."""
    return min(milliseconds, 2 * END_MS)


def fact_times(time_ms: Sequence[int]) -> Integers:
    """Return the times as int64 of shape (rows,)."""
    return np.asarray(time_ms, dtype=np.int64)


def numbers(values: Sequence[Any] | Floats) -> Floats:
    """Return the values as float64 of shape (rows,), NaN where they are missing by the rules of this package."""
    array = np.array(values, dtype=np.float64)
    with np.errstate(invalid="ignore"):
        size = np.abs(array)
        array[~(size <= LARGEST_VALUE)] = np.nan
        array[size < SMALLEST_VALUE] = 0.0
    return array


def is_missing(part: object) -> bool:
    """Say whether one column of a key is missing."""
    return part is None or (isinstance(part, float) and not math.isfinite(part))


def as_numbers(values: Sequence[Any], kind: Kind) -> Floats:
    """Return a column as `numbers`; of texts, whose values can only be told apart, 53 bits of a digest, NaN for null."""
    if kind == "number":
        return numbers(values)
    known: dict[str | None, float] = {None: math.nan}
    for text in values:
        if text not in known:
            known[text] = float(int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest()) >> 11)
    return np.fromiter((known[text] for text in values), np.float64, len(values))


class Facts(NamedTuple):
    """Which facts some windows are over: those of a source, with keys, that pass a filter."""

    source: Source
    by: tuple[str, ...]
    where: str | None


def grouped(specs: Sequence[Window], schema: ModelSchema) -> dict[Facts, list[Window]]:
    """Return specs without repetitions by the facts they are over.

    Raises:
        ContractError: a spec names a column that the schema lacks, that has the wrong kind or whose name is reserved, or its
            filter isn't one.
    """
    groups: dict[Facts, list[Window]] = {}
    for spec in dict.fromkeys(specs):
        read = {*spec.by, *({spec.column} - {LABEL if spec.source == "outcomes" else None})}
        if taken := RESERVED & read:
            raise ContractError(f"window {spec.text}: the name {', '.join(sorted(taken))} is reserved; map the column to another")
        spec.check(schema)
        groups.setdefault(Facts(spec.source, spec.by, spec.where), []).append(spec)
    for facts in groups:
        filter_of(facts, schema)
    return groups


def filter_of(facts: Facts, schema: ModelSchema) -> Tree | None:
    """Return the filter of facts; None when all count.

    Raises:
        ContractError: it isn't one, or reads a tagged column that nobody has granted.
    """
    if facts.where is None:
        return None
    columns = schema.columns_of(facts.source)
    tree = parse_filter(facts.where, fact_kinds(facts.source, schema), units_of_columns(columns))
    schema.check_granted(names_in(tree), f"filter {facts.where}", facts.source)
    return tree


def fact_kinds(source: Source, schema: ModelSchema) -> dict[str, Kind]:
    """Return the columns of facts by name: those of requests, of outcomes with the label, or those of a registered source."""
    kinds: dict[str, Kind] = {column.name: column.kind for column in schema.columns_of(source)}
    return kinds | ({LABEL: "number"} if source == "outcomes" else {})


def time_column(source: Source) -> str:
    """Return the column of a table of facts that says when they were."""
    return "known_ms" if source == "outcomes" else "time_ms"


def columns_of(spec: Window, schema: ModelSchema) -> tuple[str, ...]:
    """Return the columns of facts that a spec reads, beside its keys, in no order."""
    tree = filter_of(Facts(spec.source, spec.by, spec.where), schema)
    own = set() if spec.column is None else {spec.column}
    return tuple(own if tree is None else own | names_in(tree))


def own_columns(spec: Window) -> tuple[str, ...]:
    """Return the columns that a spec reads of the row itself, beside its keys."""
    return (spec.column,) if spec.aggregate == "ratio" and spec.column is not None else ()
