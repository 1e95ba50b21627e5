"""What a number says of a metric: a share may be said in per cent, and points are hundredths of it; nothing is guessed."""

from __future__ import annotations

from decimal import Decimal

from daemon.goals.checks import Finding
from daemon.goals.metrics import Metric
from daemon.goals.objective import Change
from daemon.goals.parts import Quantity


def value_of(metric: Metric, quantity: Quantity) -> float | Finding:
    """Return a bound in the metric's own unit, or why it can't be told."""
    value, unit = quantity
    name = metric.said[0]
    if metric.counted != "share":
        wanted = "ms" if metric.counted == "ms" else ""
        return (
            value
            if unit == wanted
            else Finding("unit", f"{name}: write {'milliseconds' if wanted else 'a number without a unit'}")
        )
    if unit == "%":
        if value > 100:
            return Finding("out_of_range", f"{name} is at most 100 %")
        if metric.better == "higher" and 0 < value < 1:
            return Finding("unit", f"{name}: less than a hundredth? Write 95 %, or 0.95 without the sign")
        return hundredths(value)
    if unit == "" and 0 <= value < 1:
        return value
    return Finding("unit", f"{name} is a share: write 95 %, or 0.95")


def change_of(metric: Metric, quantity: Quantity) -> Change | Finding:
    """Return how far the metric moves, or why it can't be told."""
    value, unit = quantity
    name = metric.said[0]
    if metric.counted == "share":
        if unit == "points":
            return Change(by=hundredths(value), of="points")
        if unit == "" and 0 < value < 1:
            return Change(by=value, of="points")
        return Finding("unit", f"{name} is a share: say how many points, since per cent may be of 100 or of what it is now")
    if unit == "%":
        return Change(by=hundredths(value), of="relative")
    if unit == ("ms" if metric.counted == "ms" else ""):
        return Change(by=value, of="points")
    return Finding(
        "unit", f"{name}: write per cent of what it is now, or {'milliseconds' if metric.counted == 'ms' else 'a number'}"
    )


def hundredths(value: float) -> float:
    """Divide by 100 as people do: 99.9 gives 0.999."""
    return float(Decimal(repr(value)) / 100)
