"""Predictions to bytes. The same JSON as `streams.contracts.records.Prediction`, without building dictionaries of columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from streams.contracts.records import MARKER_HEADER, Deployment, GenerationMarker, ShadowScore
from streams.transport.records import Output

encode = msgspec.json.Encoder().encode
"""Encode a `Served` (or any other struct) as JSON."""


class Served(msgspec.Struct, gc=False, omit_defaults=True):
    """The answer to one request: field by field `Prediction`, but `columns` is the decoded features struct itself.

    Only fields that have a default here are left out where they have it.
    """

    id: str
    partition: int
    offset: int
    time_ms: int
    columns: Any
    windows: dict[str, float | None]
    score: float
    digest: str
    generation: int
    route: str
    flags: list[str]
    shadows: list[ShadowScore]
    rejected_before: int = 0
    received_ms: int | None = None


def window_rows(windows: Mapping[str, Sequence[float | None]], rows: int) -> list[dict[str, float | None]]:
    """Turn window values by name into one mapping per row."""
    if not windows:
        return [{}] * rows
    names = tuple(windows)
    return [dict(zip(names, values, strict=True)) for values in zip(*windows.values(), strict=True)]


def marker_output(topic: str, deployment: Deployment, partition: int, first_offset: int) -> Output:
    """Make the record that says from which offset a generation serves a partition."""
    marker = GenerationMarker(
        model=deployment.model,
        generation=deployment.generation,
        digest=deployment.champion,
        partition=partition,
        first_offset=first_offset,
        effective_ms=deployment.effective_ms,
    )
    key = f"dw:marker:{partition}".encode()
    return Output(topic, partition, key, encode(marker), ((MARKER_HEADER, b"1"),))
