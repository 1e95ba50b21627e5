"""Settings of judging."""

from __future__ import annotations

from pydantic import Field

from streams.runtime.config import Section
from streams.runtime.durations import Duration


class JudgingConfig(Section):
    """What a challenger must prove, where and for how long."""

    sealed_gates: tuple[str, ...] = (
        "beats_champion", "holds_on_slices", "stays_calibrated", "matches_onnx", "fits_latency", "keeps_goals",
    )  # fmt: skip
    """Claims checked on the sealed window, before the challenger sees live rows."""

    shadow_gates: tuple[str, ...] = ("beats_champion", "keeps_goals")
    """Claims checked on live outcomes while the challenger runs as a shadow."""

    margin: float = 0.0
    """By how much the challenger must be better on the sealed window (lower end of the interval)."""

    shadow_margin: float = -0.005
    """The same on live outcomes; slightly negative: the sealed window has proven the gain, a shadow must not undo it."""

    least_rows: int = Field(default=500, ge=1)
    """Rows below which nothing is decided."""

    least_positives: int = Field(default=50, ge=0)
    """Positive labels below which nothing is decided (binary tasks)."""

    slice_tolerance: float = Field(default=0.02, ge=0)
    """How much worse the challenger may be on a slice."""

    calibration_tolerance: float = Field(default=0.02, ge=0)
    """How much larger its calibration error may be."""

    latency_ms_per_1000: float = Field(default=50.0, gt=0)
    """Longest time for 1,000 rows on one thread."""

    shadow: Duration = Duration.of("7d")
    """How long a challenger shadows the champion before the live verdict."""

    longest_shadow: Duration = Duration.of("21d")
    """After this long without a clear verdict the challenger is refused."""

    probation: Duration = Duration.of("14d")
    """How long the replaced champion stays as a shadow, ready to come back."""

    longest_probation: Duration = Duration.of("28d")
    """After this long without a clear verdict the new champion stays: it has proven itself twice before."""

    recheck: Duration = Duration.of("3d")
    """How long to wait for more outcomes after an unclear verdict."""

    alarmed_recheck: Duration = Duration.of("1h")
    """How long to wait after the first unclear comparison that an alarm has called for in probation; then twice as long after the
    alarm each time."""

    goals_every: Duration = Duration.of("7d")
    """How often the champion is measured on approved goals, by itself; besides once for each new goal and each new champion."""

    goals_span: Duration = Duration.of("30d")
    """On which outcomes: those that became known in so much time before."""

    seed: int = 0
    """Seed of the bootstrap."""
