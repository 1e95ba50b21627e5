import itertools
from pathlib import Path

import msgspec
import pytest

from daemon.ledger.records import Reason
from daemon.planners.base import NoProposalError, Proposal, Situation
from daemon.planners.checks import PlannerCheckError, check_planner, situations
from streams.runtime.plugins import kinds_of, load_kind
from tests.kit.claude import asking, submitted
from tests.kit.messages_server import Says

GOOD = Proposal(action="no_action", reasons=(Reason(text="why"),), utilities={"no_action": 0.0})


class Scripted:
    """Answers every situation with the same proposal."""

    def __init__(self, proposal: Proposal) -> None:
        self._proposal = proposal

    async def propose(self, situation: Situation) -> Proposal:
        return self._proposal


@pytest.mark.parametrize("kind", kinds_of("daemon.planners"))
async def test_every_planner_keeps_the_contract(kind: str):
    await check_planner(load_kind("daemon.planners", kind).build())


async def test_the_policy_planner_always_has_a_proposal():
    assert await check_planner(load_kind("daemon.planners", "policy").build()) == len(list(situations()))


async def test_the_claude_planner_keeps_the_contract_where_somebody_answers(tmp_path: Path):
    every = list(situations())
    some = [*every[:: len(every) // 12], every[-1]]
    script = itertools.repeat(lambda body: Says([submitted(action="no_action", reasons=[{"text": "calm", "evidence": []}])]))
    async with asking(tmp_path, script, dollars_per_30d=1_000.0) as world:
        asked = [msgspec.structs.replace(one, incident=world.situation.incident) for one in some]
        assert await check_planner(world.planner, asked) == len(asked)


async def test_what_was_submitted_is_held_to_the_situation(tmp_path: Path):
    """A model that would choose what is impossible has no proposal; it isn't the checks that find it."""
    every = [one for one in situations() if not one.can_roll_back and not one.submitted][:5]
    script = itertools.repeat(lambda body: Says([submitted(action="rollback", reasons=[{"text": "back", "evidence": []}])]))
    async with asking(tmp_path, script, dollars_per_30d=1_000.0, failures=100) as world:
        asked = [msgspec.structs.replace(one, incident=world.situation.incident) for one in every]
        assert await check_planner(world.planner, asked) == 0


def test_the_family_has_a_planner_and_the_checks_have_situations():
    assert {"policy", "claude"} <= set(kinds_of("daemon.planners"))
    assert len(list(situations())) > 100


async def test_a_planner_that_does_nothing_for_a_reason_is_a_planner():
    await check_planner(Scripted(GOOD))


@pytest.mark.parametrize(
    "changes",
    [
        {"reasons": ()},
        {"reasons": (Reason(text=""),)},
        {"utilities": {}},
        {"utilities": {"no_action": float("nan")}},
        {"utilities": {"no_action": 0.0, "fly": 1.0}},
        {"utilities": {"no_action": 0.0, "retrain": None}},
        {"action": "retrain"},
        {"action": "retrain", "utilities": {"no_action": 0.0, "retrain": 1.0}},
        {"action": "wait_for_labels", "utilities": {"no_action": 0.0, "wait_for_labels": 1.0}},
        {"action": "judge_submitted", "utilities": {"no_action": 0.0, "judge_submitted": 1.0}},
        {"action": "rollback", "utilities": {"no_action": 0.0, "rollback": 1.0}},
        {"action": "promote_submitted", "utilities": {"no_action": 0.0, "promote_submitted": 1.0}},
    ],
)
async def test_the_checks_find_a_planner_that_breaks_it(changes: dict[str, object]):
    with pytest.raises(PlannerCheckError):
        await check_planner(Scripted(msgspec.structs.replace(GOOD, **changes)))


class Silent:
    """Has nothing to propose."""

    def __init__(self, reason: str) -> None:
        self._reason = reason

    async def propose(self, situation: Situation) -> Proposal:
        raise NoProposalError(self._reason)  # type: ignore[arg-type]


async def test_having_nothing_to_propose_needs_a_reason_of_the_closed_set():
    assert await check_planner(Silent("no_key")) == 0
    with pytest.raises(PlannerCheckError, match="isn't one"):
        await check_planner(Silent("no mood"))


async def test_a_planner_that_says_one_thing_and_then_another_is_found():
    class Moody(Scripted):
        asked = 0

        async def propose(self, situation: Situation) -> Proposal:
            self.asked += 1
            return msgspec.structs.replace(GOOD, reasons=(Reason(text=str(self.asked)),))

    with pytest.raises(PlannerCheckError, match="two answers"):
        await check_planner(Moody(GOOD))
