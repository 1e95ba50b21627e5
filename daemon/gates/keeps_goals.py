"""What people have asked of the model, and approved, isn't lost by the swap.

A goal that can't be measured of either model, most often because few rows are of its cohort, blocks nothing: it would freeze the
model for ever, and the swap isn't known to do harm. But it isn't taken for kept either: it is counted as `unmeasured`, and named
in the reason. A challenger of which nothing can be measured where the champion can (it calls no row positive, say) proves
nothing: that is inconclusive.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from daemon.gates.base import Evidence, Finding, GoalReached, Limits, Outcome, Spec

SPEC = Spec(
    name="keeps_goals",
    claim="it misses no goal beyond chance that the champion doesn't, and none by more than the champion",
)

# What is told of goals by name; all of them are in the comparison's answer.
_MOST_TOLD = 5


def check(evidence: Evidence, limits: Limits) -> Finding:
    """Fail when the challenger surely misses a goal that the champion doesn't, or misses it and is surely worse."""
    del limits  # how sure is sure was chosen where it was measured
    goals = evidence.goals
    if goals is None:
        return Finding(gate=SPEC.name, outcome="inconclusive", reason="goals weren't measured", numbers={})
    broken = [one for one in goals if _is_broken(one)]
    unproven = [one for one in goals if one.challenger is None and one.champion is not None]
    unmeasured = [one for one in goals if one.challenger is None and one.champion is None]
    numbers = {"goals": len(goals), "broken": len(broken), "unproven": len(unproven), "unmeasured": len(unmeasured)}
    told = dict(_numbers([*broken, *(one for one in goals if one not in broken)]))
    outcome, reason = _said(goals, broken, unproven, unmeasured)
    counted = {name: float(number) for name, number in numbers.items()}
    return Finding(gate=SPEC.name, outcome=outcome, reason=reason, numbers=counted | told)


def _is_broken(one: GoalReached) -> bool:
    if one.challenger is None:
        return False
    is_lost = one.surely_misses(one.challenger) and (one.champion is None or not one.surely_misses(one.champion))
    is_worse = one.difference is not None and one.difference.high < 0
    return is_lost or (is_worse and one.misses(one.challenger.value))


def _said(
    goals: Sequence[GoalReached],
    broken: Sequence[GoalReached],
    unproven: Sequence[GoalReached],
    unmeasured: Sequence[GoalReached],
) -> tuple[Outcome, str]:
    """Return the outcome and its reason."""
    if broken:
        return "fail", f"breaks {len(broken)} of {len(goals)} goals: {_all(map(_missed, broken), len(broken))}"
    if unproven:
        named = _all((f"{one.metric} of {one.digest[:12]}, {one.reason}" for one in unproven), len(unproven))
        return "inconclusive", f"measured of the champion alone: {named}"
    if not goals:
        return "pass", "no goal is to be kept"
    if not unmeasured:
        return "pass", f"breaks none of {len(goals)} goals"
    named = _all((f"{one.metric or 'a goal'} of {one.digest[:12]}, {one.reason}" for one in unmeasured), len(unmeasured))
    measured = len(goals) - len(unmeasured)
    return "pass", f"breaks none of {measured} goals that could be measured; {len(unmeasured)} couldn't: {named}"


def _missed(one: GoalReached) -> str:
    """Say by how much a goal is missed, of a challenger that was measured."""
    value = one.challenger.value if one.challenger is not None else 0.0
    is_below = one.floor is not None and value < one.floor
    bound = f"below {one.floor:.4g}" if is_below else f"above {one.ceiling:.4g}" if one.ceiling is not None else "worse"
    champion = "" if one.champion is None else f", and the champion's {one.champion.value:.4g}"
    return f"{one.metric} of {one.digest[:12]} is {value:.4g}, {bound}{champion}"


def _all(named: Iterator[str] | map[str], number: int) -> str:
    told = [text for _, text in zip(range(_MOST_TOLD), named, strict=False)]
    return "; ".join(told) + (f"; and {number - len(told)} more" if number > len(told) else "")


def _numbers(goals: Sequence[GoalReached]) -> Iterator[tuple[str, float]]:
    """Give the numbers of some goals, numbered from 1, since two can be about the same metric."""
    for place, one in enumerate(goals[:_MOST_TOLD], 1):
        name = f"{one.metric}_{place}"
        yield f"{name}_rows", float(one.rows)
        for who, measured in (("champion", one.champion), ("challenger", one.challenger)):
            if measured is not None:
                yield f"{name}_{who}", measured.value
                yield f"{name}_{who}_low", measured.low
                yield f"{name}_{who}_high", measured.high
        for end, bound in (("floor", one.floor), ("ceiling", one.ceiling)):
            if bound is not None:
                yield f"{name}_{end}", bound
