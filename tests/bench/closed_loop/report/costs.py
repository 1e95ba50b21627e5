"""What each policy costs: the missed amount plus what its retrains, alerts and tokens cost, over the price of a retrain."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise

from daemon.report.axes import Scale, covering
from daemon.report.markup import Content, Markup, element
from daemon.report.tables import Cell, table
from daemon.report.wording import finite, number
from tests.bench.closed_loop.metrics.cost import RATIOS, Bill, CostCurve, cost_curve
from tests.bench.closed_loop.report.model import BenchReport, ScenarioResult
from tests.bench.closed_loop.report.sheet import colour_of
from tests.bench.closed_loop.report.tally import policies_of

_WIDTH, _HEIGHT, _LEFT, _TOP, _FOOT = 420, 230, 58, 24, 34
_LINE = 15.0
_FACTORS = ((1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0), (1.0, 2.0, 5.0), (1.0,))
_PRICES = (1.0, 100.0, 10_000.0)


def bills_of(scenario: ScenarioResult) -> dict[str, Bill]:
    """Return what each policy used up in a scenario; those of which something wasn't measured are left out."""
    found = {policy.name: _bill(scenario, policy.name) for policy in scenario.policies}
    return {name: bill for name, bill in found.items() if bill is not None}


def cost_plot(scenario: ScenarioResult, places: Mapping[str, int]) -> Markup | None:
    """Draw a line a policy on logarithmic axes; None where no policy has a bill. `places` numbers the policies of the page."""
    curves = {name: cost_curve(bill) for name, bill in bills_of(scenario).items()}
    if not curves:
        return None
    across = Scale(math.log10(RATIOS[0]), math.log10(RATIOS[-1]), _LEFT, _WIDTH - 10)
    up = covering([_log(cost) for curve in curves.values() for cost in curve.cost], _HEIGHT - _FOOT, _TOP)
    # Driftwake comes first and is drawn last, over the others.
    lines = [_line(name, curve, colour_of(name, places), across, up) for name, curve in reversed(curves.items())]
    return element(
        "figure",
        element(
            "svg",
            element("title", f"{scenario.id}: cost of each policy over the price of a retrain"),
            element("desc", "Both axes are logarithmic; the numbers are in the table of all policies."),
            _grid(across, up),
            lines,
            viewBox=f"0 0 {_WIDTH} {_HEIGHT}",
            role="img",
            class_="plot cost",
        ),
        element("figcaption", "Missed amount plus retrains and alerts at the price of a retrain, in units of the amount."),
    )


def cost_totals(report: BenchReport) -> Markup | None:
    """Sum the bills of each policy over the scenarios that have any; None where none has."""
    billed = [bills for scenario in report.scenarios if scenario.failed is None and (bills := bills_of(scenario))]
    found = {name: _everywhere(billed, name) for name in policies_of(report)}
    rows = [(name, *map(_cell, _figures(bills))) for name, bills in found.items() if bills]
    if not rows:
        return None
    said = f"Over the {number(len(billed))} scenarios whose rows have an amount" if len(billed) > 1 else "In one scenario"
    costs = [f"Cost at {number(price)} a retrain" for price in _PRICES]
    head = ("Policy", *(Cell(name, "number") for name in ("Retrains", "Alerts", "Tokens", "Missed amount", *costs)))
    return table(f"{said}; only policies that took part in each", head, rows)


def _everywhere(billed: Sequence[Mapping[str, Bill]], policy: str) -> list[Bill]:
    return [bills[policy] for bills in billed] if all(policy in bills for bills in billed) else []


def _figures(bills: Sequence[Bill]) -> list[float]:
    total = Bill(*(sum(part) for part in zip(*bills, strict=True)))
    return [total.retrains, total.alerts, total.tokens, total.missed_amount, *cost_curve(total, _PRICES).cost]


def _cell(value: float) -> Cell:
    return Cell(number(round(value)), "number")


def _bill(scenario: ScenarioResult, policy: str) -> Bill | None:
    retrains, missed, alerts, tokens = (
        scenario.values.get(metric, {}).get(policy) for metric in ("retrains", "missed_amount", "alerts", "tokens")
    )
    if retrains is None or missed is None or alerts is None or tokens is None:
        return None
    if not all(map(finite, (retrains, missed, alerts, tokens))):
        return None
    return Bill(round(retrains), missed, round(alerts), round(tokens))


def _log(cost: float) -> float:
    """Return the logarithm of a cost; less than a unit is drawn as one."""
    return math.log10(max(cost, 1.0))


def _line(name: str, curve: CostCurve, colour: str, across: Scale, up: Scale) -> Markup:
    points = [(across.at(math.log10(ratio)), up.at(_log(cost))) for ratio, cost in zip(curve.ratio, curve.cost, strict=True)]
    shape = element("polyline", points=" ".join(f"{x:.1f},{y:.1f}" for x, y in points), class_=f"line {colour}")
    return element("g", element("title", name), shape)


def _grid(across: Scale, up: Scale) -> Content:
    content: list[Content] = [
        element("text", "cost", x=_LEFT, y=12, class_="axis", text_anchor="start"),
        element("text", "price of a retrain", x=across.end, y=_HEIGHT - 3, class_="axis", text_anchor="end"),
    ]
    for power in range(math.ceil(across.low), math.floor(across.high) + 1):
        x = across.at(power)
        content.append(element("line", x1=x, x2=x, y1=up.end, y2=up.start, class_="grid"))
        content.append(element("text", f"{10.0**power:,g}", x=x, y=up.start + 15, class_="axis", text_anchor="middle"))
    for value in _rounds(up):
        y = up.at(math.log10(value))
        content.append(element("line", x1=across.start, x2=across.end, y1=y, y2=y, class_="grid"))
        content.append(element("text", f"{value:,.0f}", x=_LEFT - 6, y=y + 4, class_="axis", text_anchor="end"))
    return content


def _rounds(up: Scale) -> list[float]:
    """Return round numbers on a logarithmic scale, as many as there is room for."""
    decades = range(math.floor(up.low), math.ceil(up.high) + 1)
    for factors in _FACTORS:
        fine = [factor * 10.0**decade for decade in decades for factor in factors]
        inside = [value for value in fine if up.low <= math.log10(value) <= up.high]
        if all(up.at(math.log10(low)) - up.at(math.log10(high)) > _LINE for low, high in pairwise(inside)):
            return inside
    return []
