"""Parts made one objective. What two parts say against each other, and what none says, is found here; nothing is filled in."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final, TypeVar

import msgspec

from daemon.goals.checks import Finding
from daemon.goals.merging import all_of
from daemon.goals.metrics import Metric
from daemon.goals.moving import steps_of
from daemon.goals.objective import Aim, Cost, Period
from daemon.goals.parts import (
    AlsoPart,
    BoundPart,
    CohortPart,
    CostPart,
    HorizonPart,
    MetricPart,
    MovePart,
    NamedPart,
    OverPart,
    Part,
    QuestionPart,
    Side,
    SidePart,
    TargetPart,
    VerbPart,
    WishPart,
)  # fmt: skip
from daemon.goals.quantities import change_of, value_of
from daemon.goals.turning import turned

Kind = TypeVar("Kind")
_TWO_ASKS = "a goal has one; ask once for each"
_TOLD: Final = "is or was it so, or is it to be so? Say `must be`"
_PREDICTING: Final = frozenset({"will", "would", "might", "may", "could", "can"})


class Assembly:
    """Puts the parts of one sentence together.

    `said` grows to an objective's fields; `findings` is empty when it can be taken as one.

    Args:
        parts: all parts, in the order of the sentence.
    """

    def __init__(self, parts: Sequence[Part]) -> None:
        self.findings: list[Finding] = []
        self.said: dict[str, Any] = {}
        answer = turned(parts)
        self._parts = answer.parts
        self.findings += answer.findings
        self._verbs = {part.verb for part in self._of(VerbPart)}
        metric = self._metric()
        self._steps, self._parts = steps_of(self._parts, self._verbs, metric)
        self._targets = self._asked_for()
        self._target()
        self._bounds(metric)
        self._change(metric)
        if any(part.is_past for part in self._of(VerbPart)) and not self._is_wanted():
            self._find(Finding("no_aim", _TOLD))
        self._aim()
        if metric is not None:
            self._ways(metric)
        self._cohort()
        self._times()
        self._cost()

    def _find(self, finding: Finding) -> None:
        self.findings.append(finding)

    def _of(self, kind: type[Kind]) -> list[Kind]:
        return [part for part in self._parts if isinstance(part, kind)]

    def _metric(self) -> Metric | None:
        metrics = list(dict.fromkeys(part.metric for part in self._of(MetricPart)))
        if len(metrics) > 1:
            names = " and ".join(metric.said[0] for metric in metrics)
            self._find(Finding("two_metrics", f"{names}: {_TWO_ASKS}"))
        if len(metrics) != 1:
            return None
        self.said |= {"metric": metrics[0].name, "direction": metrics[0].better}
        return metrics[0]

    def _asked_for(self) -> list[TargetPart]:
        """Return what is to be predicted; `will premium customers churn?` asks for it too."""
        questions = self._of(QuestionPart)
        if not questions:
            return self._of(TargetPart)
        if self._of(NamedPart) and not self._of(MetricPart) and {part.word for part in questions} <= _PREDICTING:
            return [*self._of(TargetPart), TargetPart(())]
        self._find(Finding("no_aim", "that is a question, or a condition; say what is to be: `keep`, `improve` or `predict`"))
        return self._of(TargetPart)

    def _target(self) -> None:
        named = self._of(NamedPart)
        if named and not self._targets and any(part.is_described for part in self._of(MetricPart)):
            return
        if named and not self._targets:
            self._find(Finding("no_aim", f"{named[0].said}: is it to be predicted? Say so"))
            return
        told = [column for part in self._targets for column in part.columns]
        columns = list(dict.fromkeys([*told, *(part.column for part in named)]))
        if len(columns) > 1:
            self._find(Finding("two_targets", f"{' and '.join(columns)}: {_TWO_ASKS}"))
        elif columns:
            self.said["target"] = columns[0]

    def _bounds(self, metric: Metric | None) -> None:
        bounds = [bound for bound in self._of(BoundPart) if bound.side is not None]
        sides = {part.side for part in self._of(SidePart)}
        if sides and (len(sides) > 1 or len(bounds) != 1 or bounds[0].side not in {"natural", *sides}):
            self._find(Finding("no_number", f"{' and '.join(sorted(sides))} of what? Say the number behind it"))
            return
        if metric is None:
            if bounds and not self._of(MetricPart):
                self._find(Finding("no_metric", "a number, but of which metric?"))
            return
        for bound in bounds:
            self._bound(bound, metric, next(iter(sides), None))

    def _bound(self, bound: BoundPart, metric: Metric, apart: Side | None) -> None:
        if bound.is_bare and self._verbs & {"improve", "up", "down"}:
            self._find(Finding("two_aims", "is that where to, or by how much? Say `to` or `by`"))
        if bound.is_told and not self._is_wanted():
            self._find(Finding("no_aim", _TOLD))
        side = apart or bound.side
        if bound.is_up_to and apart is None and self._verbs & {"reach", "up"}:
            side = "floor"
        self._end(_named(side, metric), value_of(metric, bound.quantity), is_restated=bound.is_restated)
        if bound.upper is not None:
            self._end("ceiling", value_of(metric, bound.upper))

    def _is_wanted(self) -> bool:
        """Whether some word says that something is to be, and not only that it is or was."""
        is_done = [part.is_past for part in self._of(VerbPart)]
        return bool(self._targets or self._of(WishPart) or self._of(SidePart)) or not all(is_done or [True])

    def _end(self, name: str, value: float | Finding, *, is_restated: bool = False) -> None:
        if isinstance(value, Finding):
            self._find(value)
        elif name in self.said and not (is_restated and self.said[name] == value):
            self._find(Finding("two_numbers", f"{self.said[name]:g} and {value:g} as {name}: {_TWO_ASKS}"))
        else:
            self.said[name] = value

    def _change(self, metric: Metric | None) -> None:
        steps = self._steps
        if len(steps) > 1:
            self._find(Finding("two_numbers", f"{len(steps)} changes: {_TWO_ASKS}"))
        if metric is None or len(steps) != 1:
            return
        change = change_of(metric, steps[0].quantity)
        if isinstance(change, Finding):
            self._find(change)
        else:
            self.said["change"] = change
        if not steps[0].is_a_goal:
            self._find(Finding("wrong_way", f"which way? Of {metric.said[0]}, {metric.better} is better"))

    def _aim(self) -> None:
        is_bounded = bool(self._of(BoundPart))
        changes = {step.aim for step in self._steps}
        improves = bool(self._verbs & {"improve", "up", "down"}) or "improve" in changes or bool(self._of(MovePart))
        aim: Aim | None = None
        if self._targets:
            aim = "predict"
            if improves or changes:
                self._find(Finding("two_aims", f"to predict, or to improve? {_TWO_ASKS.capitalize()}"))
        elif is_bounded or "hold" in changes:
            aim = "hold"
            if (is_bounded or improves) and changes:
                self._find(Finding("two_aims", f"a bound, or a change? {_TWO_ASKS.capitalize()}"))
        elif improves:
            aim = "improve"
        if aim is None:
            self._find(Finding("no_aim", "what is wanted of it? Say `at least 90 %`, `at most 0.3`, `improve` or `predict`"))
        else:
            self.said["aim"] = aim

    def _ways(self, metric: Metric) -> None:
        wrong = "down" if metric.better == "higher" else "up"
        if {wrong, "worse"} & {*self._verbs, *(part.way for part in self._of(MovePart))}:
            self._find(Finding("wrong_way", f"of {metric.said[0]}, {metric.better} is better"))

    def _cohort(self) -> None:
        told = list(dict.fromkeys(self._of(CohortPart)))
        cohorts = list(dict.fromkeys(part.conditions for part in told if part.conditions))
        columns = [condition.column for cohort in cohorts for condition in cohort]
        together = all_of(condition for cohort in cohorts for condition in cohort)
        is_each = bool(self._of(AlsoPart)) or len(self._of(MetricPart)) > 1 or any(not part.conditions for part in told)
        is_each = is_each or any(part.is_added for part in told[1:]) or sum(part.is_scope for part in told) > 1
        if is_each and len(told) > 1:
            self._find(Finding("ambiguous_cohort", "those that are both, or each by itself? Say the cohort in one place"))
        elif together is None or len(set(columns)) != len(columns):
            names = ", ".join(sorted({column for column in columns if columns.count(column) > 1}))
            self._find(Finding("ambiguous_cohort", f"{names}: two phrases say what it must be; say it once"))
        elif together:
            self.said["cohort"] = together

    def _times(self) -> None:
        spans = list(dict.fromkeys(part.span for part in self._of(OverPart)))
        horizons = list(dict.fromkeys(self._horizon(part) for part in self._of(HorizonPart)))
        if len(spans) > 1 or len(horizons) > 1:
            self._find(Finding("ambiguous_time", f"several times: {_TWO_ASKS}"))
        if spans:
            self.said["over"] = spans[0]
        if horizons and horizons[0] is None:
            self._find(Finding("ambiguous_time", "say until which day"))
        elif horizons:
            self.said["horizon"] = horizons[0]

    def _horizon(self, part: HorizonPart) -> Period | str | None:
        """Return how far a prediction looks ahead where that was said, else the days that a goal is for."""
        return part.span if self._targets and part.span is not None else part.period

    def _cost(self) -> None:
        parts = [part.cost for part in self._of(CostPart)]
        if parts:
            cost = _together(parts)
            if cost is None:
                self._find(Finding("two_costs", f"several costs of one kind: {_TWO_ASKS}"))
            else:
                self.said["cost"] = cost


def _named(side: Side | None, metric: Metric) -> str:
    if side == "natural" or side is None:
        return "floor" if metric.better == "higher" else "ceiling"
    return side


def _together(costs: Iterable[Cost]) -> Cost | None:
    """Return the caps of several phrases as one, None where they say the same kind twice, or per different times."""
    said: dict[str, Any] = {}
    pers = set()
    for cost in costs:
        given = {name: value for name, value in msgspec.structs.asdict(cost).items() if value is not None}
        pers.add(given.pop("per", None))
        if said.keys() & given.keys():
            return None
        said |= given
    return Cost(**said, per=pers.pop()) if len(pers) == 1 else None
