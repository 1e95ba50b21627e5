"""What a window's online state takes, measured on a state of its own."""

from __future__ import annotations

import tracemalloc
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np

from streams.contracts.features import LABEL, Window
from streams.contracts.schema import ModelSchema
from streams.windows.facts import columns_of
from streams.windows.online import WindowState

_FACTS: Final = 40_000
_KEYS: Final = 2_000
_SPAN_MS: Final = 1_000_000


class Size(NamedTuple):
    """Bytes that a state takes for each fact in reach of the window, and for each key among them."""

    per_fact: float
    per_key: float


def state_size(spec: Window, schema: ModelSchema) -> Size:
    """Measure a window's state, filters aside: amounts of money over keys of ten characters, in one run, read once.

    Raises:
        ContractError: the spec doesn't fit the schema.
    """
    few, more_keys, more_facts = (_bytes(spec, schema, *size) for size in ((1, 1), (1, 2), (2, 1)))
    return Size((more_facts - few) / _FACTS, (more_keys - few) / _KEYS if spec.by else 0.0)


def _bytes(spec: Window, schema: ModelSchema, facts: int, keys: int) -> int:
    tracemalloc.start()
    try:
        state = _filled(spec, schema, facts * _FACTS, keys * _KEYS)
        held = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    return held if len(state) else 0


def _filled(spec: Window, schema: ModelSchema, facts: int, keys: int) -> WindowState:
    rng = np.random.default_rng(0)
    which = np.arange(facts) % keys
    texts = [f"{number:010d}" for number in range(keys)]
    times: Any = rng.integers(0, _SPAN_MS, facts)
    amounts: Any = np.round(rng.lognormal(3, 1, facts), 2)
    plain = msgspec.structs.replace(spec, where=None)
    columns: dict[str, Any] = {
        name: (which.astype(np.float64) if name in spec.by else amounts)
        if schema.column_of(spec.source, name).kind == "number"
        else [texts[number] for number in which.tolist()]
        for name in {*spec.by, *columns_of(plain, schema)} - {LABEL}
    }
    state = WindowState([plain], schema, 0)
    if spec.source == "requests":
        state.add_requests(times, columns)
    elif spec.source == "outcomes":
        state.add_outcomes(times, columns, amounts)
    else:
        state.add_looked_up(spec.source, times, columns)
    # The first read sorts, and makes what reads need.
    state.arrays(times[:1], {name: values[:1] for name, values in columns.items()})
    return state
