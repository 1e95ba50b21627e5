"""All scenarios at a glance: diagnosis, action and bars a row, then the mean quality of every policy."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from daemon.report.markup import Content, Markup, element
from daemon.report.tables import Cell, table
from daemon.report.wording import MISSING, finite, quality
from tests.bench.closed_loop.report.model import OURS, Bar, BenchReport, Judgement, ScenarioResult
from tests.bench.closed_loop.report.tally import barred_metrics, bars_of, policies_of, retrains_of
from tests.bench.closed_loop.report.words import (
    NOT_MEASURED,
    accepted_text,
    days_text,
    held_tag,
    judged_tag,
    judgement_tag,
    limit_text,
    listed,
    measured_text,
    metric_text,
    plural,
    value_text,
)

_COLUMNS = 5
_CLASSES = {True: "held", False: "missed", None: "unmeasured"}


def bars_matrix(report: BenchReport, names: Sequence[str]) -> Markup:
    """Hold each scenario against its bars. Metrics that few scenarios have a bar for share the last column."""
    columns = _columns(report)
    has_others = len(barred_metrics(report)) > len(columns)
    rows = [
        (
            _name(scenario, names[place], place),
            _judged(scenario.diagnosis, scenario),
            _judged(scenario.action, scenario),
            *(_barred(scenario, metric) for metric in columns),
            *([_others(scenario, columns)] if has_others else []),
        )
        for place, scenario in enumerate(report.scenarios)
    ]
    head = ("Scenario", "Diagnosis", "Action", *map(metric_text, columns), *(["Other bars"] if has_others else []))
    caption = f"{OURS} against each scenario's bars; a cell without a verdict has no bar"
    return element("div", table(caption, head, rows), class_="matrix")


def quality_matrix(report: BenchReport, names: Sequence[str]) -> Markup:
    """Compare the policies' mean quality and their retrains."""
    policies = list(policies_of(report))
    rows = [_qualities(scenario, names[place], place, policies) for place, scenario in enumerate(report.scenarios)]
    totals = retrains_of(report)
    foot = ["Retrains, all scenarios", "", *(Cell(f"{totals[policy]:,}", "number") for policy in policies)]
    head = ("Scenario", "Quality", *(Cell(policy, "number") for policy in policies))
    best = "bold is the best of those who don't know the future"
    caption = f"Mean live quality of each policy and, smaller, its retrains; {best}, {MISSING}: did not take part"
    return element("div", table(caption, head, rows, foot=[foot]), class_="matrix")


def _columns(report: BenchReport) -> list[str]:
    """Return the metrics that most scenarios have a bar for."""
    shared = Counter(metric for scenario in report.scenarios for metric in {bar.metric for bar in scenario.bars})
    return sorted(barred_metrics(report), key=lambda metric: -shared[metric])[:_COLUMNS]


def _name(scenario: ScenarioResult, name: str, place: int) -> Cell:
    link = element("a", name, element("span", scenario.title, class_="small soft"), href=f"#scenario-{place + 1}")
    return Cell(link, "name")


def _judged(judgement: Judgement, scenario: ScenarioResult) -> Cell:
    if scenario.failed is not None:
        return Cell(_two_lines(judged_tag("did not run", held=None), ""), _CLASSES[None])
    said = [] if judgement.is_right is None else [listed(judgement.said)]
    asked = [] if judgement.held else [f"accepted: {accepted_text(judgement)}"]
    return Cell(_two_lines(judgement_tag(judgement), "; ".join([*said, *asked])), _CLASSES[judgement.held])


def _barred(scenario: ScenarioResult, metric: str) -> Cell:
    bars = [bar for bar in bars_of(scenario) if bar.metric == metric]
    if bars:
        return Cell([_bar(bar) for bar in bars], _worst(bars))
    values = scenario.values.get(metric, {})
    return Cell(value_text(metric, values[OURS]) if OURS in values and scenario.failed is None else None, "plain")


def _others(scenario: ScenarioResult, columns: Sequence[str]) -> Cell:
    bars = [bar for bar in bars_of(scenario) if bar.metric not in columns]
    return Cell([_bar(bar, metric_text(bar.metric) + ": ") for bar in bars], _worst(bars)) if bars else Cell(None)


def _bar(bar: Bar, name: str = "") -> Content:
    who = "" if bar.policy == OURS else f"{bar.policy}, "
    days = days_text(bar)
    value = "" if bar.held is None else f" {measured_text(bar)}"
    asked = f"{name}{who}{limit_text(bar)}{', ' if days else ''}{days}"
    return element("span", _two_lines([held_tag(held=bar.held), value], asked), class_="one-bar")


def _two_lines(said: Content, asked: str) -> Content:
    return [
        element("span", said, class_="bar-said"),
        " ",
        element("span", asked, class_="bar-asked") if asked else None,
    ]


def _worst(bars: Sequence[Bar]) -> str:
    """Colour a cell by its worst bar: missed, then not measured, then held."""
    held = {bar.held for bar in bars}
    return _CLASSES[False if False in held else None if None in held else True]


def _qualities(scenario: ScenarioResult, name: str, place: int, policies: Sequence[str]) -> Sequence[Content | Cell]:
    found = {policy.name: policy for policy in scenario.policies}
    means = {one.name: one.mean_quality for one in scenario.policies if one.mean_quality is not None and finite(one.mean_quality)}
    best = max((mean for name, mean in means.items() if not _knows_the_future(name)), default=None)
    cells: list[Content | Cell] = [_name(scenario, name, place), Cell(scenario.quality_metric, "soft")]
    for policy in policies:
        if policy not in found:
            cells.append(Cell(MISSING, "number"))
            continue
        mean = means.get(policy)
        said = element("span", NOT_MEASURED, class_="soft") if mean is None else quality(mean)
        # Values that read the same are the same to a reader.
        is_best = not _knows_the_future(policy) and mean is not None and best is not None and quality(mean) == quality(best)
        retrains = element("span", plural(found[policy].retrains, "retrain"), class_="bar-asked")
        cells.append(Cell([said, " ", retrains], "number best" if is_best else "number"))
    return cells


def _knows_the_future(policy: str) -> bool:
    return policy.startswith("oracle")
