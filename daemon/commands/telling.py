"""How an incident's story is shown in the terminal."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from daemon.commands.explaining import Story, intervals_in
from daemon.commands.screen import Screen, short, shown, when
from daemon.ledger.records import Plan


def tell(story: Story, screen: Screen) -> None:
    """Show a story from its first event to its lesson; what hasn't happened is left out."""
    incident = story.incident
    screen.title(f"{incident.id}  {incident.state}")
    screen.line(
        f"{incident.cause} on {incident.model}, opened {when(incident.opened_ms)} for {incident.requester}: {incident.reason}"
    )
    parts = (
        _timeline, _evidence, _diagnosis, _alternatives, _planners, _calls, _plan, _steps, _verdicts, _deployments, _lesson,
    )  # fmt: skip
    for part in parts:
        part(story, screen)


def _timeline(story: Story, screen: Screen) -> None:
    screen.title("Timeline")
    screen.table(
        ("event time", "what", "", "audit#"), ((when(one.time_ms), one.what, one.text, one.number) for one in story.timeline)
    )


def _evidence(story: Story, screen: Screen) -> None:
    rows = [
        (when(event.time_ms), event.detector, event.transition, one.watched, one.p_value, f"{one.effect:.3g} {one.effect_unit}")
        for event in story.events
        for one in event.evidence
    ]
    if rows:
        screen.title("Evidence")
        screen.table(("event time", "detector", "", "watched", "p-value#", "effect#"), rows)


def _diagnosis(story: Story, screen: Screen) -> None:
    if not story.diagnosis:
        return
    screen.title("Diagnosis")
    causes = sorted(story.diagnosis.get("causes", ()), key=lambda one: -float(one.get("probability", 0)))
    screen.table(
        ("cause", "probability#", "evidence"),
        ((one.get("cause"), float(one.get("probability", 0)), _flat(one.get("evidence") or {})) for one in causes),
    )
    for name, measured in story.diagnosis.items():
        if name not in {"causes", "expected", "rescaled"} and measured:
            screen.line(f"{name.replace('_', ' ')}: {_flat(measured)}")
    _rescaled(story.diagnosis.get("rescaled") or (), screen)
    _expected(story.diagnosis.get("expected") or {}, screen)


def _rescaled(found: Iterable[dict[str, Any]], screen: Screen) -> None:
    """Show which columns came in another unit: what whoever sends them wants to know."""
    for one in found:
        offset = f" plus {shown(one.get('offset'))}" if one.get("offset") else ""
        span = f"from {when(one.get('since_ms'))} to {when(one.get('until_ms'))}"
        screen.line(
            f"{one.get('feature')} looks as if in another unit, {shown(one.get('factor'))} times its usual values{offset}, "
            f"in {float(one.get('share', 0)):.0%} of the rows {span}; "
            f"converted back its PSI is {shown(one.get('psi_undone'))}, as it came {shown(one.get('psi'))}"
        )


def _expected(expected: dict[str, Any], screen: Screen) -> None:
    """Show which columns the rise of the expected loss comes by."""
    if not expected:
        return
    screen.line(
        f"the loss to expect by the scores alone is {shown(expected.get('rise'))} above the reference's; "
        f"by column that moved, of {shown(expected.get('rows'))} rows:"
    )
    rows = (
        (one.get("feature"), one.get("loss"), f"{shown(one.get('low'))} to {shown(one.get('high'))}")
        for one in expected.get("columns", ())
    )
    screen.table(("column", "adds#", "95 % interval"), rows)


def _alternatives(story: Story, screen: Screen) -> None:
    if story.alternatives:
        screen.title("Alternatives")
        rows = ((("→ " if one.chosen else "  ") + one.action, one.utility, one.excluded) for one in story.alternatives)
        screen.table(("  action", "utility#", "why not"), rows)


def _planners(story: Story, screen: Screen) -> None:
    if story.planners is None:
        return
    told = story.planners
    screen.title("Planners")
    screen.line(f"{told.asked} was asked too; the plan is that of {told.used}" + (f": {told.reason}" if told.reason else ""))
    if told.changed:
        screen.line(f"while {told.asked} was asked this became different: {', '.join(told.changed)}")
    for planner, action in told.actions.items():
        screen.line(f"{planner} proposes {action} because " + "; ".join(told.reasons[planner]))
    if told.utilities:
        rows = ((action, policy, other) for action, (policy, other) in told.utilities.items())
        screen.table(("not weighed alike", "policy#", f"{told.asked}#"), rows)


def _calls(story: Story, screen: Screen) -> None:
    if story.calls:
        screen.title(f"Calls, {sum(call.dollars for call in story.calls):.4f} dollars")
        rows = (
            (
                call.llm, call.purpose, call.outcome, call.tokens_in, call.tokens_cache_written, call.tokens_cache_read,
                call.tokens_out, call.dollars, call.latency_ms, call.request_id,
            )
            for call in story.calls
        )  # fmt: skip
        columns = (
            "asked", "for", "outcome", "tokens in#", "to cache#", "from cache#", "tokens out#", "dollars#", "ms#", "request",
        )  # fmt: skip
        screen.table(columns, rows)


def _plan(story: Story, screen: Screen) -> None:
    if story.plan is None:
        return
    plan: Plan = story.plan
    screen.title(f"Plan {story.plan_digest}")
    screen.line(f"{plan.action} by {plan.proposer} for {plan.requester}, autonomy {plan.autonomy}")
    screen.line(f"sealed window {when(plan.sealed[0])} to {when(plan.sealed[1])}; void after {when(plan.expires_ms)}")
    for reason in plan.reasons:
        screen.line(f"because {reason.text}")
    screen.table(("step", "skill", "needs"), ((step.key, step.skill, ", ".join(step.needs)) for step in plan.steps))
    if story.rulings:
        screen.line("guardrails: " + ", ".join(f"{one.get('rule')} {one.get('reason')}" for one in story.rulings))


def _steps(story: Story, screen: Screen) -> None:
    if story.steps:
        screen.title("Steps")
        rows = (
            (one.key, one.skill, one.state, one.attempt, when(one.ended_ms), f"{one.failure} {one.message}")
            for one in story.steps
        )
        screen.table(("step", "skill", "state", "attempts#", "ended", "failure"), rows)


def _verdicts(story: Story, screen: Screen) -> None:
    for phase, verdict in story.verdicts.items():
        screen.title(f"Verdict, {phase}: {verdict.get('outcome')}")
        screen.line(str(verdict.get("reason", "")))
        rows = [
            (finding.get("gate"), finding.get("outcome"), name, value, interval)
            for finding in verdict.get("findings", ())
            for name, value, interval in intervals_in(finding.get("numbers", {}))
        ]
        screen.table(("claim", "outcome", "measured", "value#", "95 % interval"), rows)


def _deployments(story: Story, screen: Screen) -> None:
    if story.deployments:
        screen.title("Deployments")
        rows = (
            (one.key, one.state, one.payload.get("generation"), short(str(one.payload.get("champion", ""))), when(one.ended_ms))
            for one in story.deployments
        )
        screen.table(("what", "state", "generation#", "champion", "ended"), rows)


def _lesson(story: Story, screen: Screen) -> None:
    if story.lesson is not None:
        screen.title("Lesson")
        screen.line(story.lesson.text)
        screen.table(("number", "value#"), story.lesson.numbers.items())


def _flat(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_flat(item)}" for name, item in value.items())
    if isinstance(value, list | tuple):
        return "; ".join(_flat(item) for item in value[:10])
    return shown(value)
