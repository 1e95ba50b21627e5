"""What a detector is: something that reads a row of signals from each closed bucket of a model.

Monitoring opens each configured detector once per bundle that serves and reads every bucket of event time in order. What a signal
is expected to be, how surprising its level is, and which surprises add up to an alarm is the same for all of them
(`streams/calibration`); a detector only says how far the bucket lies from the bundle's reference.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
from pydantic import Field

from streams.contracts.bundle import Manifest, Profile
from streams.contracts.summaries import InputSummary, LossSummary
from streams.runtime.config import Section

if TYPE_CHECKING:
    # Settings are read wherever a command starts, and need no tables.
    import pyarrow as pa

Floats = npt.NDArray[np.float64]

Columns = Mapping[str, npt.NDArray[Any]]
"""Rows by column, each [rows]: numbers with NaN and texts with the empty one where there is nothing."""

Graph = Callable[[Columns, Sequence[int]], Floats]
"""Scores rows [rows] as the bundle's model does, given their event times in milliseconds; columns that they lack are missing."""

_LATER = 0.15
_WEIGHTS = 0.25, 2.0
_FEWEST_ROWS = 10.0


class Floors(Section):
    """The smallest changes that matter, however certain they are."""

    deviations: float = Field(default=0.1, ge=0)
    """Of a feature's or the score's distribution, or of a regression's labels or residuals, in standard deviations of a row; 0.1
    moves a median to where 46 % were.

    Like `share` for categories it is half as large for features that the model relies on most, and up to four times as large for
    those that it hardly looks at; so it is for attributions. `inputs_pca` and `inputs_mmd` go by it for all columns together,
    `embeddings_projected` for those of a vector.
    """

    share: float = Field(default=0.02, ge=0, le=1)
    """Of missing, out-of-range or unseen values, of a category, of positive labels and of wrong answers, as a share of the rows
    (0.02 is two percentage points)."""

    ks_distance: float = Field(default=0.1, ge=0, le=1)
    """Largest gap between two cumulative distributions; 0.1 moves a tenth of the rows."""

    cramers_v: float = Field(default=0.1, ge=0, le=1)
    """Cramér's V of bucket against reference; 0.1 is called small by Cohen (1988)."""

    loss_std: float = Field(default=0.05, ge=0)
    """Rise of the mean loss, in standard deviations of a row's loss in the reference."""

    auc: float = Field(default=0.01, ge=0, le=1)
    """Loss of area under the ROC curve against the reference's."""

    calibration: float = Field(default=0.02, ge=0, le=1)
    """Of the share of positives less what scores say, as a probability (0.02 is two percentage points)."""

    domain_auc: float = Field(default=0.03, ge=0, le=0.5)
    """Area under the ROC curve, less a half, of a model that tells the bucket's rows from the reference's.

    0.03 is what the best of models makes of a normal feature that was shifted by 0.1 of its standard deviations.
    """

    volume: float = Field(default=0.38, ge=0)
    """Of the number of requests, in powers of two; 0.38 is 30 % more or 23 % fewer than usual at that hour."""

    unit: float = Field(default=0.3, ge=0)
    """Of a column's median, in powers of ten; 0.3 is twice or half of it."""

    delay: float = Field(default=0.58, ge=0)
    """Of the time that labels and answers take, in powers of two; 0.58 is half as long again."""


def no_rows() -> None:
    """Say that whole rows of the reference can't be had."""


def no_graph() -> None:
    """Say that the model can't be asked."""


class Setup(NamedTuple):
    """What monitoring tells a detector when it opens it: the bundle that serves, what matters, and how long a bucket is.

    `read_rows` reads whole rows of the reference, for detectors that look at columns together: its untagged features, windows,
    label, and the score of those that the model hadn't seen (`SAMPLED_SCORE`; absent in bundles of before scores travelled); None
    where there are none. It reads a file, so only they call it, once.

    `open_graph` opens the bundle's graph, for detectors that ask the model what it would make of other rows, None where it can't
    be asked. It takes memory and some tenths of a second, so only they call it, once, and let go of it in `close`.

    After `label_delay_ms` nearly all labels that ever come have come, 0 where nobody measured.
    """

    manifest: Manifest
    profile: Profile
    floors: Floors
    bucket_ms: int
    read_rows: Callable[[], pa.Table | None] = no_rows
    open_graph: Callable[[], Graph | None] = no_graph
    label_delay_ms: int = 0


def floor_of(profile: Profile, name: str, floor: float) -> float:
    """Return the smallest effect that matters of one feature: less where the model looks at it more than at others.

    It goes by the root of the feature's importance against the mean of all, between a half and four times the floor.
    """
    if not profile.importance:
        return floor
    relative = profile.importance.get(name, 0.0) * (len(profile.numbers) + len(profile.categories))
    return floor / float(np.clip(np.sqrt(relative), *_WEIGHTS))


def later_rows(profile: Profile) -> int:
    """Return how many rows are behind the reference's score and loss: what bundles of before it was counted held out."""
    return profile.later_rows or round(_LATER * profile.rows)


class Requests(NamedTuple):
    """What came in a bucket, few or many, whichever bundle answered it.

    `suspect` rows are flagged by serving and held out of everything else; None where nobody looked for them. `rejected` records
    are none of the rows: they went to quarantine, have no event time, and count with the row that came next in their partition;
    None where nobody knows of them, as of a log.
    """

    rows: int
    suspect: int | None
    rejected: int | None = None


class BucketView(NamedTuple):
    """One closed bucket of one model and bundle, all partitions merged.

    `inputs` is None when too few fit requests came, `losses` when no outcome became known, `requests` when none came or it isn't
    known how many. Nobody may change what a view holds: all detectors get the same one.
    """

    model: str
    digest: str
    start_ms: int
    end_ms: int
    inputs: InputSummary | None
    losses: LossSummary | None
    requests: Requests | None = None


class Signal(NamedTuple):
    """One number that is followed from bucket to bucket.

    `kind` is an event kind; `watched` a column or a measure, `aspect` what of it. With `rises_only` a fall is no trouble. An
    alarm needs an effect of at least `floor`, in `unit`. `scale` is how many of that unit one of the level's is; where the level
    is a share's (`share_level`), `share` is the reference's and counts instead. `reference` is how many rows are behind the
    reference, as far as nothing better is known of the signal: its error makes long stretches less sure. Where it is 0 there is
    no reference, and nothing is said before the level that is usual was learnt. `skewness` is that of what a row adds to the
    level. Signals that watch the same have parts of the false alarms in proportion to their `weight`: what changes most often is
    found soonest for it. `said` is how events call the aspect where that holds a text of the data; empty: as it is.
    """

    kind: str
    watched: str
    aspect: str
    unit: str
    floor: float
    reference: float
    scale: float = 1.0
    share: float | None = None
    rises_only: bool = False
    skewness: float = 0.0
    weight: float = 1.0
    said: str = ""

    @property
    def name(self) -> str:
        """Name it among all signals of its detector."""
        return f"{self.watched}: {self.aspect}"

    @property
    def fewest(self) -> float:
        """How many rows a stretch needs to give a verdict: of fewer, chance is more skewed than can be taken out.

        Without skewness (shares, tests of a whole bucket that count as one row) the level is normal whatever their number.
        """
        return max(_FEWEST_ROWS, self.skewness**2) if self.skewness else 0.0


class Readings(NamedTuple):
    """What one bucket says of each signal [m each]; NaN where it says nothing.

    `level` is the distance from the reference in standard deviations of a row, so that in an undisturbed stream of independent
    rows its variance is `1 / rows`; 0 is the reference. `effect` is the same distance in the signal's unit.
    """

    level: Floats
    rows: Floats
    effect: Floats


def nothing(signals: int) -> Readings:
    """Return the readings of a bucket that says nothing."""
    nan = np.full(signals, np.nan)
    return Readings(nan, np.zeros(signals), nan)


class Sketch(NamedTuple):
    """A signal before and after, in a few numbers for people."""

    before: dict[str, float]
    after: dict[str, float]


class Detector(Protocol):
    """Reads one bundle's buckets. The same buckets in the same order give the same readings."""

    @property
    def reads_sample(self) -> bool:
        """Whether it needs the sampled rows of a bucket; counts alone are cheaper."""
        ...

    @property
    def signals(self) -> Sequence[Signal]:
        """What it watches: fixed by its setup, in the order of its readings."""
        ...

    def read(self, view: BucketView) -> Readings:
        """Read one bucket; called in a thread, never concurrently, in order of event time, with gaps where nothing came."""
        ...

    def sketch(self, index: int, views: Sequence[BucketView]) -> Sketch:
        """Describe a signal that alarms: the reference, and the buckets over which it is beyond what is expected."""
        ...

    def close(self) -> None:
        """Let go of processes and files. Nothing is called afterwards."""
        ...


class Stateless:
    """Base of detectors that hold nothing and read no sample."""

    reads_sample = False

    def close(self) -> None:
        """Do nothing: nothing is held."""
