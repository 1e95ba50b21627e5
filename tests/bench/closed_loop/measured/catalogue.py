"""Every metric by its name."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final

from tests.bench.closed_loop.measured import cost, gates, incidents, latency, quality, serving, swaps
from tests.bench.closed_loop.measured.case import Judged, Measured, Part

MEASURED: Final[Mapping[str, Measured]] = {
    "live_quality": quality.live,
    "brier": quality.brier,
    "kappa_temporal": quality.kappa_temporal,
    "below_weekly": quality.below_weekly,
    "share_of_oracle": quality.of_oracle,
    "recovered_share": quality.recovered,
    "hours_to_recover": quality.hours_to_recover,
    "labels_to_recover": quality.labels_to_recover,
    "hours_to_detect": incidents.hours_to_detect,
    "incidents_missed": incidents.missed,
    "false_incidents": incidents.false,
    "hours_between_false_incidents": incidents.hours_between_false,
    "hours_to_hold_out": incidents.hours_to_hold_out,
    "incidents": incidents.opened,
    "right_diagnosis": incidents.right_diagnosis,
    "forbidden_actions": incidents.forbidden,
    "retrains": swaps.retrains,
    "promotions": swaps.promoted,
    "needless_retrains": swaps.needless,
    "harmful_swaps": swaps.harmful,
    "feature_found": swaps.feature_found,
    "labels_to_restore": swaps.labels_to_restore,
    "labels_to_roll_back": swaps.labels_to_roll_back,
    "gate_rightly_promoted": gates.rightly_promoted,
    "gate_rightly_refused": gates.rightly_refused,
    "missed_amount": cost.missed,
    "alerts": cost.alerts,
    "tokens": cost.tokens,
    "rows_lost": serving.lost,
    "rows_doubled": serving.doubled,
    "rows_misattributed": serving.misattributed,
}

BY_THE_WALL: Final[Mapping[str, Measured]] = {"p99_ratio": latency.ratio}
"""What differs between two runs: held against bars, but no value of the result."""


def values(judged: Judged, metric: str, policies: Sequence[str], part: Part) -> dict[str, float | None]:
    """Measure a metric; policies that it doesn't apply to are left out, and so is everything that can't be measured yet."""
    measured = MEASURED.get(metric) or BY_THE_WALL.get(metric)
    if measured is None:
        return {}
    found = {policy: measured(judged, policy, part) for policy in policies}
    return {policy: value for policy, value in found.items() if value is None or not math.isinf(value)}
