"""What a detector is: something that looks at one closed bucket of a model and says what it tested and what it found.

Monitoring opens each configured detector once per bundle that serves, calls `look` for every bucket of event time in order,
and closes it when another bundle takes over. An answer alarms only when it is both surprising and large.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

from pydantic import Field

from streams.contracts.bundle import Manifest, Profile
from streams.contracts.schema import Task
from streams.contracts.summaries import InputSummary, LossSummary
from streams.runtime.config import Section


class Floors(Section):
    """The smallest change that matters, however certain it is."""

    missing_share: float = Field(default=0.02, ge=0, le=1)
    """More missing values than in the reference, as a share of the rows (0.02 is two percentage points)."""

    range_share: float = Field(default=0.02, ge=0, le=1)
    """Values below the smallest or above the largest of the reference, as a share of the known values."""

    unseen_share: float = Field(default=0.02, ge=0, le=1)
    """More categories that the reference hasn't got, as a share of the known values."""

    ks_distance: float = Field(default=0.1, ge=0, le=1)
    """Largest gap between two cumulative distributions; 0.1 moves a tenth of the rows."""

    cramers_v: float = Field(default=0.1, ge=0, le=1)
    """Cramér's V of bucket against reference; 0.1 is called small by Cohen (1988)."""

    loss_std: float = Field(default=0.05, ge=0)
    """Rise of the mean loss, in standard deviations of a row's loss in the reference."""

    auc: float = Field(default=0.01, ge=0, le=1)
    """Loss of area under the ROC curve against the validated value."""

    rmse_share: float = Field(default=0.05, ge=0)
    """Rise of the root mean squared error, as a share of the validated value."""


class Setup(NamedTuple):
    """What monitoring tells a detector when it opens it.

    `level` is the chance of a false alarm per bucket that a detector with `LEVELLED = True` may use up by itself; the others
    give p-values and leave levels to monitoring. `window_ms` is the trailing event time for windowed measures; `min_rows` the
    fewest rows a verdict may rest on.
    """

    task: Task
    level: float
    floors: Floors
    bucket_ms: int
    window_ms: int
    min_rows: int


class BucketView(NamedTuple):
    """One closed bucket of one model and bundle, all partitions merged.

    `inputs` is None when fewer than `min_rows` fit requests came, `losses` when no outcome became known. Nobody may change
    what a view holds: all detectors get the same one.
    """

    model: str
    digest: str
    start_ms: int
    end_ms: int
    inputs: InputSummary | None
    losses: LossSummary | None
    profile: Profile
    manifest: Manifest


class Finding(NamedTuple):
    """One test that was made, whether it found anything or not: monitoring corrects for all of them.

    With `level` None, `p_value` is corrected with all others of the bucket (Holm); otherwise the test is significant when
    `p_value <= level`. It alarms when it is also at least `floor`. `effect`, `floor` and `effect_unit` are in one unit, larger is
    worse; `before` and `after` are small sketches for people.
    """

    kind: str
    watched: str
    method: str
    p_value: float
    effect: float
    floor: float
    effect_unit: str
    before: dict[str, float]
    after: dict[str, float]
    level: float | None = None

    @property
    def is_large(self) -> bool:
        """Whether the effect matters."""
        return self.effect >= self.floor


class Detector(Protocol):
    """Watches one bundle. Same views in the same order, same findings: after a restart its memory is folded again."""

    def look(self, view: BucketView) -> list[Finding]:
        """Test one bucket; called in a thread, never concurrently, in order of event time, with gaps where nothing came.

        A finding that is significant and large raises an alarm for its kind; findings that are neither count as silence, which
        clears an alarm in the end. No finding at all is no verdict: it neither raises nor clears.
        """
        ...

    def close(self) -> None:
        """Let go of processes and files. Nothing is called afterwards."""
        ...


class Stateless:
    """Base of detectors that hold nothing."""

    def close(self) -> None:
        """Do nothing: nothing is held."""
