"""Settings of the serving stage alone; what several stages share (topics, skew, replay) comes with the model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from pydantic import Field

from streams.contracts.schema import ModelSchema
from streams.runtime.config import Section
from streams.runtime.protection import Protection
from streams.sources.registered import Registered


class ServingConfig(Section):
    """How a model's requests are answered."""

    max_records: int = Field(default=7_168, ge=1, le=65_536)
    """Rows of a micro-batch at most, which only a stage that lags behind reaches. Half as many cost a tenth of the throughput; a
    thousand more took 25 MB with four partitions and 20 columns."""

    threads: int = Field(default=1, ge=1, le=64)
    """Threads of one scoring call. One, because partitions are already scored side by side."""

    max_bundles: int = Field(default=8, ge=2, le=64)
    """Bundles loaded at once, shadows and the previous champion included. What goes beyond is refused."""

    shadow_patience_ms: int = Field(default=10, ge=0, le=60_000)
    """Live: how long a batch that the champion has answered waits for its shadows. Later scores are dropped, and counted."""

    ahead_ms: int = Field(default=3_600_000, ge=0)
    """Live: a request may claim an event time this far after the broker got it; more is absurd (it would push event time)."""

    range_factor: float = Field(default=10.0, gt=0)
    """A number this many reference spans outside of the champion's reference is suspect: a unit that changed, not drift."""

    watermark_every_ms: int = Field(default=1_000, ge=10)
    """Live: how often, in wall time, each partition says how far event time has come."""

    idle_after_ms: int = Field(default=10_000, ge=100)
    """Live: a partition without requests for this long follows the others instead of holding event time back."""

    snapshot_s: float = Field(default=60.0, gt=0)
    """Live: how often, in wall seconds, what windows hold is written to a file, so that a restart reads only what came since."""

    patience_s: float = Field(default=300.0, gt=0)
    """Replay: how long, in wall time, a row may wait for slower inputs before the stage gives up with an error."""

    lookback: int = Field(default=50_000, ge=0)
    """Replay: offsets before the archived position that a backfill reads again for watermarks alone."""


class ServedModel(NamedTuple):
    """The model that a stage serves: what several stages share of its config.

    `requests`, `predictions`, `outcomes`, `state` are topic names, the first three of `partitions` partitions each; `skew_ms` is
    what its bundles must be trained with. `is_observed`: another server answers, the requests come with their answers, and
    `versions` says which bundle a version is that it names. `protection` protects rows where they are decoded, None where nothing
    is to be protected or they come protected. `sources` are registered besides.
    `notes_receipt`: predictions say when the broker got the request.
    """

    name: str
    schema: ModelSchema
    requests: str
    predictions: str
    outcomes: str
    state: str
    partitions: int
    skew_ms: int
    lateness_ms: int
    replay: bool = False
    dialect: str = "native"
    dialect_options: Mapping[str, Any] = {}
    is_observed: bool = False
    versions: Mapping[str, str] = {}
    delivery: Literal["exactly_once", "at_least_once"] = "exactly_once"
    protection: Protection | None = None
    sources: tuple[Registered, ...] = ()
    notes_receipt: bool = False
