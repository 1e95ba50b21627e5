"""Whose plan is taken: the policy planner's is always there, another's only where nothing speaks against it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from daemon.ledger.ledger import Ledger, open_ledger
from daemon.ledger.records import Incident, Move, Reason
from daemon.planners._claude.plan import read_plan
from daemon.planners._claude.tools import BadCallError
from daemon.planners.base import TRAINS, NoProposalError, Proposal, Situation
from daemon.planners.policy import PolicyConfig, build
from daemon.planning.arbiter import REASONS, arbitrate, completed, difference, objection
from daemon.planning.config import PlanningConfig
from daemon.planning.rules import SiteRule
from daemon.planning.stage import Planning
from tests.kit.control import DAY, SKILLS, START, Control, event, script
from tests.kit.plan_fuzzer import PlanFuzzer, forbidden
from tests.unit.planning.plans import JUDGING

TOLERATED = PlanningConfig().tolerated_points
HANDLES = {"event_001": "event-1"}


def proposal(action: str = "retrain", **changes: Any) -> Proposal:
    plain = Proposal(action=action, reasons=(Reason(text="r"),), utilities={"no_action": 0.0, action: 1.0})  # type: ignore[arg-type]
    return msgspec.structs.replace(plain, **changes)


class Other:
    """A planner that says what it was told to, or fails as it was told to."""

    def __init__(self, answer: Proposal | Exception) -> None:
        self._answer = answer
        self.asked: list[Situation] = []

    async def propose(self, situation: Situation) -> Proposal:
        self.asked.append(situation)
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer


@pytest.fixture
def control(tmp_path: Path) -> Control:
    return Control(tmp_path)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with open_ledger(tmp_path / "ledger.sqlite") as opened:
        yield opened


def diagnosed(ledger: Ledger, control: Control, time_ms: int = START) -> Incident:
    told = event(time_ms)
    ledger.take_event(told)
    opened = ledger.open_for_event(told, "performance", control.champion, "rule", time_ms)
    details = {"diagnosis": script(control.challenger)["diagnose_drift"]}
    return ledger.move(opened, Move(to="diagnosed", reason="", rule="diagnosis", details=details), time_ms)


def planning(ledger: Ledger, control: Control, other: Other, **config: Any) -> Planning:
    settings = PlanningConfig(planner="claude", autonomy="act", **config)
    return Planning(ledger, control.places, settings, SKILLS, label_wait_ms=DAY, most_waits=2, judging=JUDGING, planner=other)


async def decided(ledger: Ledger, control: Control, answer: Proposal | Exception, **config: Any) -> Move:
    move = await planning(ledger, control, Other(answer), **config).decide(diagnosed(ledger, control), control.champion, START)
    assert move.details["arbitration"]["reason"] in REASONS
    assert move.details["arbitration"]["proposals"]["policy"]["action"] == "search_features_and_retrain"
    return move


async def test_another_s_plan_is_taken_where_nothing_speaks_against_it(control: Control, ledger: Ledger) -> None:
    move = await decided(ledger, control, proposal())
    assert move.plan is not None
    assert (move.plan.proposer, move.plan.action, move.rule) == ("claude", "retrain", "planner_claude")
    told = move.details["arbitration"]
    assert (told["asked"], told["used"], told["reason"]) == ("claude", "claude", "")
    assert told["difference"]["action"] == ["search_features_and_retrain", "retrain"]
    assert told["difference"]["utilities"]["retrain"][1] == 1.0
    assert "no_action" not in told["difference"]["utilities"]


async def test_the_same_action_has_the_same_recipe_whoever_proposes_it(control: Control, ledger: Ledger) -> None:
    incident = diagnosed(ledger, control)
    answers = (NoProposalError("no_key"), proposal("search_features_and_retrain"), proposal())
    moves = [await planning(ledger, control, Other(answer)).decide(incident, control.champion, START) for answer in answers]
    assert [move.rule for move in moves] == ["planner_policy", "planner_claude", "planner_claude"]
    policy, same, other = (move.details["recipe"] for move in moves)
    assert policy == same != other


@pytest.mark.parametrize("action", ["no_action", "wait_for_labels"])
async def test_doing_nothing_is_a_plan_that_is_taken_too(control: Control, ledger: Ledger, action: str) -> None:
    move = await decided(ledger, control, proposal(action))
    expected = ("claude", "") if action == "no_action" else ("policy", "not_possible")
    assert (move.details["arbitration"]["used"], move.details["arbitration"]["reason"]) == expected


@pytest.mark.parametrize(
    ("answer", "config", "reason"),
    [
        (NoProposalError("no_key"), {}, "no_key"),
        (NoProposalError("deadline"), {}, "deadline"),
        (NoProposalError("a mood"), {}, "crashed"),  # type: ignore[arg-type]
        (KeyError("sk-secret"), {}, "crashed"),
        (proposal(reasons=()), {}, "malformed_proposal"),
        (proposal(utilities={"no_action": float("nan"), "retrain": 1.0}), {}, "malformed_proposal"),
        (proposal("fly"), {}, "malformed_proposal"),
        (msgspec.structs.replace(proposal(), action=["retrain"]), {}, "malformed_proposal"),
        (msgspec.structs.replace(proposal(), train_since_ms="yesterday"), {}, "malformed_proposal"),
        (proposal(train_since_ms=2**60), {}, "malformed_proposal"),
        (msgspec.structs.replace(proposal(), utilities={"no_action": 0.0, "retrain": True}), {}, "malformed_proposal"),
        (msgspec.structs.replace(proposal(), reasons=(Reason(text="r", evidence=(object(),)),)), {}, "malformed_proposal"),  # type: ignore[arg-type]
        (proposal(utilities={"no_action": 0.0}), {}, "not_weighed"),
        (proposal("promote_submitted"), {}, "not_possible"),
        (proposal("judge_submitted"), {}, "not_possible"),
        (proposal("rollback"), {}, "not_possible"),
        (proposal("alert_upstream"), {}, "not_possible"),
        (proposal(), {"training_minutes_per_30d": 1}, "guardrail_training_budget"),
        (proposal(), {"rules": (SiteRule(id="no-retrain", effect="deny", actions=("retrain",)),)}, "guardrail_site_rule"),
    ],
)
async def test_whatever_is_wrong_with_it_the_policy_plan_stands(
    control: Control, ledger: Ledger, answer: Proposal | Exception, config: dict[str, Any], reason: str
) -> None:
    move = await decided(ledger, control, answer, **config)
    assert move.plan is not None
    assert (move.plan.proposer, move.plan.action, move.rule) == ("policy", "search_features_and_retrain", "planner_policy")
    assert move.details["arbitration"]["reason"] == reason
    assert "secret" not in str(move)


async def test_where_nothing_may_be_deployed_neither_planner_trains(control: Control, ledger: Ledger) -> None:
    stage = planning(ledger, control, Other(proposal()), kill_switch=True)
    move = await stage.decide(diagnosed(ledger, control), control.champion, START)
    told = move.details["arbitration"]
    assert (told["used"], told["reason"]) == ("policy", "not_possible")
    assert move.details["action"] == "ask_person", "it is lost, and a person may make an exception"
    assert move.details["excluded"]["retrain"] == "deployments are frozen"


async def test_what_was_tried_and_did_not_help_is_not_possible(control: Control, ledger: Ledger) -> None:
    first = diagnosed(ledger, control)
    stage = planning(ledger, control, Other(proposal()))
    move = await stage.decide(first, control.champion, START)
    incident = ledger.move(first, move, START)
    for to in ("running", "refused"):
        incident = ledger.move(incident, Move(to=to, reason="", rule=""), START)  # type: ignore[arg-type]
    again = diagnosed(ledger, control, START + DAY)
    second = await stage.decide(again, control.champion, START + DAY)
    assert second.details["arbitration"]["reason"] == "not_possible"
    assert second.details["excluded"]["retrain"] == "the same was tried lately and didn't help"
    assert second.details["arbitration"]["used"] == "policy"


async def test_nobody_else_is_asked_where_there_is_nothing_to_weigh(control: Control, ledger: Ledger) -> None:
    other = Other(proposal())
    incident = msgspec.structs.replace(diagnosed(ledger, control), challenger=control.challenger)
    (control.places.registry / "m" / control.challenger).symlink_to(control.lake / "staged" / control.challenger)
    move = await planning(ledger, control, other).decide(incident, control.champion, START)
    assert (move.details["action"], move.details["arbitration"]["reason"]) == ("judge_submitted", "nothing_to_weigh")
    forced = msgspec.structs.replace(incident, details={**incident.details, "forced": True})
    move = await planning(ledger, control, other).decide(forced, control.champion, START)
    assert move.details["action"] == "promote_submitted"
    assert other.asked == []


async def test_the_policy_planner_alone_keeps_no_account_of_a_choice(control: Control, ledger: Ledger) -> None:
    stage = Planning(ledger, control.places, PlanningConfig(), SKILLS, label_wait_ms=DAY, most_waits=2, judging=JUDGING)
    move = await stage.decide(diagnosed(ledger, control), control.champion, START)
    assert "arbitration" not in move.details


@pytest.mark.parametrize(
    ("expected", "reason"), [(0.0, ""), (-TOLERATED, ""), (-TOLERATED - 0.01, "expected_harm"), (None, "not_possible")]
)
def test_what_the_policy_planner_sees_far_below_doing_nothing_is_not_done(expected: float | None, reason: str) -> None:
    ours = proposal("no_action", utilities={"no_action": 0.0, "retrain": expected})
    assert objection(proposal(), ours, TOLERATED) == reason


def test_a_needless_swap_is_not_tolerated_and_a_question_to_a_person_is() -> None:
    costs = PolicyConfig().costs
    assert costs["ask_person"] <= TOLERATED < min(costs[action] for action in ("retrain", "rollback", "restore_archived"))


def test_proposals_that_agree_have_no_difference() -> None:
    assert difference(proposal(), proposal()) == {}
    assert arbitrate(proposal(), "claude", proposal(), "").proposer == "claude"


def test_what_another_planner_leaves_open_is_the_policy_planner_s_to_say() -> None:
    ours = proposal("no_action", train_since_ms=7, challenger="a" * 64)
    assert completed(proposal(), ours) == proposal(train_since_ms=7, challenger="a" * 64)
    told = proposal(train_since_ms=9, challenger="b" * 64)
    assert completed(told, ours) == told


@pytest.mark.parametrize("seed", range(4))
def test_no_forbidden_action_gets_through(seed: int) -> None:
    """1,000 plans a seed: through the form as Claude fills it in, and past it, straight to the arbiter."""
    fuzzer, policy = PlanFuzzer(np.random.default_rng(seed)), build()
    taken: list[str] = []
    said: list[str] = []
    for number in range(1_000):
        situation = fuzzer.situation()
        given = fuzzer.plan()
        given = fuzzer.mutated(given) if number % 4 else given
        ours = policy.decide(situation)
        candidates = []
        try:
            candidates.append(read_plan(given, situation, HANDLES))
        except BadCallError as error:
            said += error.findings
        if isinstance(given.get("action"), str):
            candidates.append(proposal(given["action"]))
        for heard in candidates:
            if situation.submitted:
                continue  # nobody else is asked then
            if not objection(heard, ours, TOLERATED):
                taken.append(heard.action)
                assert heard.action not in forbidden(situation), (situation, given)
                assert all(reason.text.isprintable() and "://" not in reason.text for reason in heard.reasons)
    assert all(len(one) < 200 and one.isprintable() for one in said)
    assert len(taken) > 200, "a fuzzer of which nothing gets through says nothing"
    assert {*TRAINS, "no_action", "rollback", "wait_for_labels", "ask_person", "restore_archived"} <= set(taken)


def test_the_reader_of_plans_refuses_what_is_forbidden_by_itself() -> None:
    fuzzer = PlanFuzzer(np.random.default_rng(9))
    for _ in range(500):
        situation = fuzzer.situation()
        for action in forbidden(situation) & {"promote_submitted", "rollback", "judge_submitted", "wait_for_labels"}:
            with pytest.raises(BadCallError):
                read_plan(fuzzer.plan(action), situation, HANDLES)
