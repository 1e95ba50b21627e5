"""Settings of the monitoring stage alone; what several stages share comes with the model."""

from __future__ import annotations

import datetime as dt
from typing import Literal, NamedTuple

from pydantic import Field, field_validator, model_validator

from streams.contracts.events import KINDS
from streams.contracts.schema import Task
from streams.detectors.base import Floors
from streams.runtime.config import Section, known_kind
from streams.runtime.durations import Duration
from streams.statistics.calendar import is_timezone

OURS = (
    "inputs_quality",
    "feature_scores",
    "feature_shares",
    "score_scores",
    "loss_mean",
    "loss_slices",
    "performance_auc",
)
DUPLICATES = "inputs_duplicates"
"""The detector that needs to know which rows are alike, which measuring counts for nobody else."""

LATENCY = "serving_latency"
"""The detector that needs to know how long answers take."""

CLOCK = "requests_clock"
"""The detector that needs to know when the broker got requests."""

COVERAGE = "labels_coverage"
"""The detector that needs to know of which requests the labels are that come."""

OF_SERVING = ("requests_rejected", CLOCK, LATENCY)
"""Detectors of what serving does with requests, so that they know nothing of a model that another server answers for."""

_HIGHEST_RATE = 0.1
MONTH_MS = Duration.of("30d").ms


class ExpectedChange(Section):
    """A time in which something is known to be different: a campaign, a holiday, a migration.

    What is in it raises nothing, and says nothing of what is usual afterwards. Dates without a zone are UTC.
    """

    since: dt.datetime = Field(alias="from")
    """When it begins."""

    until: dt.datetime
    """When it is over."""

    why: str = Field(min_length=1, max_length=200)
    """For those who wonder why nothing was said."""

    kinds: tuple[str, ...] = Field(default=("feature_drift", "score_drift", "performance_estimate"), min_length=1)
    """Kinds of events that it explains. Broken data and what is said of outcomes, which become known later, are still said,
    unless they are named."""

    @model_validator(mode="after")
    def _check(self) -> ExpectedChange:
        if self.until_ms <= self.since_ms:
            raise ValueError(f"expected: until ({self.until}) must be after from ({self.since})")
        if unknown := sorted(set(self.kinds) - set(KINDS)):
            raise ValueError(f"expected: no kind {unknown[0]!r}; there are {', '.join(KINDS)}")
        return self

    @property
    def since_ms(self) -> int:
        """When it begins, in milliseconds."""
        return _ms(self.since)

    @property
    def until_ms(self) -> int:
        """When it is over, in milliseconds."""
        return _ms(self.until)


def _ms(when: dt.datetime) -> int:
    aware = when if when.tzinfo is not None else when.replace(tzinfo=dt.UTC)
    return round(aware.timestamp() * 1_000)


class MonitoringConfig(Section):
    """What is watched, how much has to happen, and how often it may be said."""

    detectors: tuple[str, ...] = Field(default=OURS, min_length=1)
    """Kinds of `streams/detectors`, asked in this order."""

    false_alarms_per_month: float = Field(default=2.0, gt=0, le=1_000)
    """How many alarms a month chance alone may raise, over all detectors together, in a stream that goes on as it did before."""

    effect_floors: Floors = Floors()
    """The smallest changes that matter."""

    expected: tuple[ExpectedChange, ...] = ()
    """Known times in which the model's requests are different."""

    min_rows: int = Field(default=30, ge=1)
    """A bucket with fewer requests says nothing of them."""

    sample_rows: int = Field(default=500, ge=30, le=5_000)
    """Rows of the merged sample; at most measuring's `sample_rows`, so that verdicts don't depend on the number of partitions."""

    confirm_after: int = Field(default=2, ge=1, le=100)
    """Buckets in a row in which the same signal must alarm before it is confirmed, unless it is overwhelming."""

    clear_after: int = Field(default=3, ge=1, le=100)
    """Buckets in a row without alarm until it counts as over."""

    cooldown: Duration = Duration.of("7d")
    """How long a confirmed alarm isn't said again of the same columns."""

    timezone: str = "UTC"
    """Whose hours and weekdays the model's seasons follow, such as `Europe/Berlin`; it holds for bundles made from then on."""

    most_waiting: int = Field(default=10_000, ge=100)
    """Summaries that wait for the end of their bucket; beyond it the oldest buckets are left out."""

    max_records: int = Field(default=64, ge=1, le=4_096)
    """Records of a micro-batch. A summary can be 100 KB."""

    @field_validator("detectors")
    @classmethod
    def _check_detectors(cls, kinds: tuple[str, ...]) -> tuple[str, ...]:
        for kind in kinds:
            known_kind("streams.detectors", kind)
        if len(set(kinds)) != len(kinds):
            raise ValueError("a detector is named twice; once is enough")
        return kinds

    @field_validator("timezone")
    @classmethod
    def _check_timezone(cls, name: str) -> str:
        if not is_timezone(name):
            raise ValueError(f"there is no timezone {name!r}; write it as America/New_York")
        return name

    def expected_kinds(self, start_ms: int, end_ms: int) -> frozenset[str]:
        """Return the kinds of events that a bucket which lies there may not raise."""
        inside = [one for one in self.expected if one.since_ms < end_ms and start_ms < one.until_ms]
        return frozenset(kind for one in inside for kind in one.kinds)

    def alarm_rate(self, bucket_ms: int) -> float:
        """Return how many alarms a bucket chance may raise: at most one in ten buckets, whatever is allowed a month."""
        return min(self.false_alarms_per_month * bucket_ms / MONTH_MS, _HIGHEST_RATE)


class MonitoredModel(NamedTuple):
    """The model that is watched. `summaries` and `state` have one partition; `writers` is how many partitions measuring has."""

    name: str
    task: Task
    summaries: str
    state: str
    events: str
    writers: int
    bucket_ms: int
    delivery: Literal["exactly_once", "at_least_once"] = "exactly_once"
