"""Settings of the measuring stage alone; what several stages share comes with the model."""

from __future__ import annotations

from typing import Literal, NamedTuple

from pydantic import Field

from streams.contracts.schema import ModelSchema
from streams.runtime.config import Section


class MeasuringConfig(Section):
    """How predictions and outcomes are summed up."""

    sample_rows: int = Field(default=500, ge=0, le=5_000)
    """Rows kept of each bucket and partition: those with the smallest keyed hash of their position, so that any number of
    partitions gives one fair sample of the whole. Tests on samples gain little beyond a thousand rows."""

    most_open: int = Field(default=64, ge=2, le=10_000)
    """Buckets open at once; the oldest is closed early beyond it, so that a stalled watermark can't grow memory."""

    max_records: int = Field(default=4_096, ge=1, le=65_536)
    """Records of a micro-batch per input."""


class MeasuredModel(NamedTuple):
    """The model that is measured. `predictions` and `outcomes` have `partitions` partitions, `summaries` has one.

    `counts_contents` says whether somebody asks which rows are alike, `counts_waits` how long answers took, `counts_arrivals` how
    far event times lay behind the times of arrival, and `counts_cohorts` of which buckets' requests the outcomes are.
    """

    name: str
    schema: ModelSchema
    predictions: str
    outcomes: str
    summaries: str
    state: str
    partitions: int
    bucket_ms: int
    delivery: Literal["exactly_once", "at_least_once"] = "exactly_once"
    counts_contents: bool = False
    counts_waits: bool = False
    counts_arrivals: bool = False
    counts_cohorts: bool = False
