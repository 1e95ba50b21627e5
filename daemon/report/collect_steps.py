"""What a plan's steps came to: wall time from the audit, and a line of numbers from each result."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec

from daemon.judging.verdict import read_evidence
from daemon.ledger.audit import AuditRecord
from daemon.ledger.records import Plan
from daemon.ledger.records import Step as LedgerStep
from daemon.report import model
from daemon.report.wording import MISSING, clean, number, p_value, quality, range_of, short, signed
from streams.contracts.bundle import Interval
from streams.contracts.features import Window

SEARCH = "propose_windows"
COMPARE = "compare_models"
_NAN = float("nan")
_SHOWN = 4


class Proposed(msgspec.Struct, frozen=True):
    """A window as the search tells of it; what a search doesn't tell is missing."""

    window: Window
    text: str = ""
    gain: float | None = None
    low: float | None = None
    high: float | None = None
    p_value: float | None = None
    reason: str = ""


def plan_report(plan: Plan, steps: Iterable[LedgerStep], trail: Iterable[AuditRecord]) -> model.Plan:
    """Tell how each step of a plan ended, in the plan's order."""
    known = {step.key: step for step in steps}
    seconds = _seconds(trail)
    told = [_told(wanted.skill, known.get(wanted.key), seconds) for wanted in plan.steps]
    return model.Plan(digest=plan.digest, planner=plan.proposer, steps=tuple(told))


def proposed(steps: Iterable[LedgerStep], which: str) -> list[Proposed]:
    """Return the windows that the searches among the steps `accepted` or `rejected`."""
    found = [step.result.get(which) for step in steps if step.skill == SEARCH and step.state == "done"]
    return [one for answer in found for one in _read(answer)]


def candidates(steps: Iterable[LedgerStep]) -> tuple[model.Candidate, ...]:
    """Tell each window that a search tried, accepted ones first; the gain is the loss per row that it saved."""
    done = tuple(steps)
    taken = [
        model.Candidate(text=one.text or one.window.text, gain=_gain(one), accepted=True, reason=_why(one))
        for one in proposed(done, "accepted")
    ]
    left = [
        model.Candidate(text=one.text or one.window.text, gain=_gain(one), accepted=False, reason=one.reason)
        for one in proposed(done, "rejected")
    ]
    return (*taken, *left)


def comparison(result: Mapping[str, Any]) -> model.Comparison | None:
    """Read a comparison's answer; None when it didn't measure a difference."""
    evidence = read_evidence(dict(result))
    metric = evidence.metric
    if metric is None or metric.difference is None:
        return None
    champion, challenger = (_value(one) for one in (metric.champion, metric.challenger))
    return model.Comparison(
        metric=metric.name, champion=champion, challenger=challenger, difference=metric.difference, rows=evidence.rows
    )


def _told(skill: str, step: LedgerStep | None, seconds: Mapping[str, float]) -> model.Step:
    if step is None:
        return model.Step(skill=skill, state="pending", seconds=None, summary="")
    summary = f"{step.failure}: {step.message}" if step.state == "failed" else _summary(step) if step.state == "done" else ""
    return model.Step(skill=skill, state=step.state, seconds=seconds.get(step.id), summary=summary)


def _seconds(trail: Iterable[AuditRecord]) -> dict[str, float]:
    """Return each ended step's wall time, from the last time that it was begun."""
    begun: dict[str, dt.datetime] = {}
    took: dict[str, float] = {}
    for record in trail:
        step = str(record.data.get("step", ""))
        if record.kind == "step.reserved":
            begun[step] = dt.datetime.fromisoformat(record.wall)
        elif record.kind in {"step.done", "step.failed"} and step in begun:
            took[step] = max(0.0, (dt.datetime.fromisoformat(record.wall) - begun[step]).total_seconds())
    return took


def _summary(step: LedgerStep) -> str:
    tell = _KNOWN.get(step.skill) or (_trained if step.skill.startswith("train_") else _numbers)
    return tell(step.result)


def _built(result: Mapping[str, Any]) -> str:
    rows = f"{_count(result, 'rows_train')} rows to train on ({_count(result, 'positives')} positive)"
    return f"{rows}, {_count(result, 'rows_sealed')} sealed"


def _searched(result: Mapping[str, Any]) -> str:
    found = f"{_count(result, 'tried')} windows tried, {len(_read(result.get('accepted')))} accepted"
    return f"{found}: {clean(str(result['untried']))}" if result.get("untried") else found


def _trained(result: Mapping[str, Any]) -> str:
    try:
        metrics = msgspec.convert(result.get("metrics", {}), dict[str, Interval])
    except msgspec.ValidationError:
        metrics = {}
    said = [f"{name} {quality(one.value)} ({range_of(one)})" for name, one in sorted(metrics.items())[:_SHOWN]]
    return ", ".join([f"bundle {short(str(result.get('digest', '')))} on {_count(result, 'rows')} rows", *said])


def _compared(result: Mapping[str, Any]) -> str:
    found = comparison(result)
    if found is None:
        return _numbers(result)
    both = f"{found.metric} {quality(found.champion)} → {quality(found.challenger)} on {number(found.rows)} rows"
    return f"{both}: {signed(found.difference.value)} ({range_of(found.difference, with_sign=True)})"


def _numbers(result: Mapping[str, Any]) -> str:
    plain = [(name, value) for name, value in result.items() if isinstance(value, int | float) and not isinstance(value, bool)]
    return ", ".join(f"{name.replace('_', ' ')} {number(value)}" for name, value in plain[:_SHOWN])


_KNOWN: dict[str, Callable[[Mapping[str, Any]], str]] = {"build_dataset": _built, SEARCH: _searched, COMPARE: _compared}


def _count(result: Mapping[str, Any], name: str) -> str:
    value = result.get(name)
    return number(value) if isinstance(value, int | float) else MISSING


def _read(answer: Any) -> list[Proposed]:
    found = []
    for one in answer if isinstance(answer, list) else ():
        try:
            found.append(msgspec.convert(one, Proposed))
        except (msgspec.ValidationError, ValueError):
            continue
    return found


def _gain(one: Proposed) -> Interval | None:
    if one.gain is None:
        return None
    return Interval(one.gain, _NAN if one.low is None else one.low, _NAN if one.high is None else one.high)


def _why(one: Proposed) -> str:
    said = "" if one.gain is None else f"saves {number(one.gain)} of the loss per row on rows that no choice had seen"
    return said if one.p_value is None else f"{said}, p {p_value(one.p_value)}"


def _value(measured: float | Interval | None) -> float:
    return _NAN if measured is None else measured.value if isinstance(measured, Interval) else measured
