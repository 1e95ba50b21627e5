"""What a number says of a metric: a share may be said in per cent, and points are hundredths of it; nothing is guessed."""

from __future__ import annotations

from decimal import Decimal

from daemon.goals.checks import Finding
from daemon.goals.metrics import Metric
from daemon.goals.objective import Change
from daemon.goals.parts import Quantity, Unit


def value_of(metric: Metric, quantity: Quantity) -> float | Finding:
    """Return a bound in the metric's own unit, or why it can't be told."""
    value, unit = quantity
    name = metric.said[0]
    if metric.counted == "share":
        return _share_of(metric, quantity)
    if metric.counted == "ms":
        return value if unit == "ms" else Finding("unit", f"{name}: write milliseconds")
    return value if _is_plain(metric, unit) else Finding("unit", f"{name}: write a number without a unit")


def _share_of(metric: Metric, quantity: Quantity) -> float | Finding:
    value, unit = quantity
    name = metric.said[0]
    if unit == "" and 0 <= value < 1:
        return value
    if unit != "%":
        return Finding("unit", f"{name} is a share: write 95 %, or 0.95")
    if value > 100:
        return Finding("out_of_range", f"{name} is at most 100 %")
    if metric.better == "higher" and 0 < value < 1:
        return Finding("unit", f"{name}: less than a hundredth? Write 95 %, or 0.95 without the sign")
    return hundredths(value)


def change_of(metric: Metric, quantity: Quantity) -> Change | Finding:
    """Return how far the metric moves, or why it can't be told."""
    value, unit = quantity
    name, is_share = metric.said[0], metric.counted == "share"
    if unit == "relative" or (unit == "%" and not is_share):
        return Change(by=hundredths(value), of="relative")
    if is_share and unit == "points":
        return Change(by=hundredths(value), of="points")
    is_own = unit == "ms" if metric.counted == "ms" else _is_plain(metric, unit)
    if 0 < value < 1 and unit == "" if is_share else is_own:
        return Change(by=value, of="points")
    if is_share:
        return Finding("unit", f"{name} is a share: say `points` or `% relative`; per cent may be of 100, or of what it is now")
    wanted = "milliseconds" if metric.counted == "ms" else "a number"
    return Finding("unit", f"{name}: write per cent of what it is now, or {wanted}")


def _is_plain(metric: Metric, unit: Unit) -> bool:
    """Whether a number is in the metric's own unit: errors of a regression are counted as the target is."""
    return unit == "" or (unit == "own" and metric.name in {"mae", "rmse"})


def hundredths(value: float) -> float:
    """Divide by 100 as people do: 99.9 gives 0.999."""
    return float(Decimal(repr(value)) / 100)
