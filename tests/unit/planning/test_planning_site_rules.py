"""A site's own rules are data: they fit or they don't, to deny overrides, and the ruling says which one it was."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from daemon.ledger.records import Plan
from daemon.planning.config import PlanningConfig
from daemon.planning.guardrails import Facts, check, needs_approval
from daemon.planning.rules import SAFE, SiteRule, Wanted, matching
from tests.kit.control import SKILLS, Control
from tests.unit.planning.plans import NOW, plan_of

# A Saturday, half past ten in the evening.
EVENING = int(dt.datetime(2024, 3, 2, 22, 30, tzinfo=dt.UTC).timestamp() * 1_000)
WANTED = Wanted("retrain", "concept_change", "payments", "ann", EVENING)


def rule(effect: str = "deny", **named: Any) -> SiteRule:
    return SiteRule.model_validate({"id": "r", "effect": effect} | named)


@pytest.mark.parametrize(
    ("named", "fits"),
    [
        ({}, True),
        ({"actions": ["retrain", "rollback"]}, True),
        ({"actions": ["rollback"]}, False),
        ({"causes": ["concept_change"]}, True),
        ({"causes": ["harmful_shift"]}, False),
        ({"models": ["payments"]}, True),
        ({"models": ["parcels"]}, False),
        ({"requesters": ["ann"]}, True),
        ({"requesters": ["driftwake"]}, False),
        ({"weekdays": ["sat", "sun"]}, True),
        ({"weekdays": ["fri"]}, False),
        ({"hours": [22]}, True),
        ({"hours": [21, 23]}, False),
        ({"weekdays": ["sat"], "hours": [22], "requesters": ["bob"]}, False),
    ],
)
def test_a_rule_fits_what_it_names(named: dict[str, Any], *, fits: bool) -> None:
    assert bool(matching([rule(**named)], WANTED)) == fits


@pytest.mark.parametrize("action", sorted(SAFE))
def test_what_is_safe_is_only_denied_by_name(action: str) -> None:
    wanted = WANTED._replace(action=action)
    assert matching([rule()], wanted) == ()
    assert matching([rule(actions=[action])], wanted) != ()


names = st.sampled_from(("retrain", "rollback", "judge_submitted"))


@given(
    st.lists(names, max_size=2, unique=True), st.lists(st.integers(0, 23), max_size=3, unique=True), names, st.integers(0, 10**12)
)
def test_naming_more_of_one_kind_fits_no_less(actions: list[str], hours: list[int], action: str, time_ms: int) -> None:
    wanted = WANTED._replace(action=action, time_ms=time_ms)
    if actions and matching([rule(actions=actions, hours=hours)], wanted):
        assert matching([rule(actions=[*actions, "retrain"], hours=hours)], wanted)
        assert matching([rule(actions=actions)], wanted), "and naming fewer kinds fits no less"


def ruled(plan: Plan, *rules: SiteRule, **facts: Any) -> tuple[list[str], str]:
    config = PlanningConfig(rules=tuple(rules))
    told = Facts(NOW, SKILLS, None, (), 0.0, ())._replace(**facts)
    refused = [ruling.rule for ruling in check(plan, told, config) if not ruling.allowed]
    return refused, needs_approval(plan, told, config)


def test_a_ruling_names_the_rule_and_to_deny_overrides(tmp_path: Path) -> None:
    plan = plan_of(Control(tmp_path))
    ask = SiteRule(id="ask-first", effect="need_approval", actions=("search_features_and_retrain",))
    no = SiteRule(id="not-now", effect="deny", causes=("label_trouble",))
    assert ruled(plan, ask, no, cause="concept_change") == ([], "ask-first")
    assert ruled(plan, ask, no, cause="label_trouble") == (["site_rule: not-now"], "ask-first")
    assert ruled(plan, ask) == ([], "ask-first")
    assert ruled(plan) == ([], "")


def test_an_id_stands_for_one_rule() -> None:
    with pytest.raises(ValidationError, match="id of two rules"):
        PlanningConfig(rules=(rule(), rule("need_approval")))


@pytest.mark.parametrize(
    "wrong",
    [{"id": "No spaces"}, {"effect": "allow"}, {"hours": [24]}, {"weekdays": ["someday"]}, {"actions": ["fly"]}, {"x": 1}],
)
def test_a_rule_that_means_nothing_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        SiteRule.model_validate({"id": "r", "effect": "deny"} | wrong)
