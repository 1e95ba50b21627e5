"""Settings of the joining stage alone; what several stages share comes with the model."""

from __future__ import annotations

from typing import Literal, NamedTuple

from pydantic import Field, field_validator

from streams.contracts.schema import Task
from streams.runtime.config import Section
from streams.runtime.durations import Duration

LONGEST_HORIZON = Duration.of("90d")
"""The internal topics keep records for 100 days, and memory must be foldable from them."""

LONGEST_LEAD = Duration.of("7d")


class JoiningConfig(Section):
    """How predictions meet their labels."""

    label_lead: Duration = Duration.of("1d")
    """How far a label's time may lie before its prediction's: clocks differ, and some labels carry a date without a time."""

    most_waiting: int = Field(default=1_000_000, ge=1)
    """Predictions remembered per partition; beyond it the oldest are shed. About 1 KB each."""

    most_bytes: int = Field(default=1 << 29, ge=1 << 16)
    """Bytes of remembered predictions per partition; beyond it the oldest are shed."""

    most_early: int = Field(default=200_000, ge=1)
    """Labels per partition that wait for their prediction; beyond it the oldest are shed."""

    most_revisions: int = Field(default=16, ge=0)
    """Corrections of one label; further ones are shed, so that a flapping source can't flood the outcomes."""

    max_records: int = Field(default=4_096, ge=1, le=65_536)
    """Records of a micro-batch per input."""

    idle_after_ms: int = Field(default=10_000, ge=100)
    """Live: a partition without labels for this long follows the predictions instead of holding event time back."""

    @field_validator("label_lead")
    @classmethod
    def _check_lead(cls, lead: Duration) -> Duration:
        if lead > LONGEST_LEAD:
            raise ValueError(f"must be at most {LONGEST_LEAD}, not {lead}")
        return lead


class JoinedModel(NamedTuple):
    """The model whose predictions are joined.

    `predictions`, `join_predictions`, `join_labels` and `outcomes` have `partitions` partitions, `labels` has
    `label_partitions`. `rekey_state` needs a partition for each partition of predictions and labels together, `match_state`
    one for each of `partitions`.
    """

    name: str
    task: Task
    predictions: str
    labels: str
    join_predictions: str
    join_labels: str
    outcomes: str
    rekey_state: str
    match_state: str
    partitions: int
    label_partitions: int
    horizon_ms: int
    lateness_ms: int = 5_000
    replay: bool = False
    delivery: Literal["exactly_once", "at_least_once"] = "exactly_once"
