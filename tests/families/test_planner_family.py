import msgspec
import pytest

from daemon.ledger.records import Reason
from daemon.planners.base import Proposal, Situation
from daemon.planners.checks import PlannerCheckError, check_planner, situations
from streams.runtime.plugins import kinds_of, load_kind

GOOD = Proposal(action="no_action", reasons=(Reason(text="why"),), utilities={"no_action": 0.0})


class Scripted:
    """Answers every situation with the same proposal."""

    def __init__(self, proposal: Proposal) -> None:
        self._proposal = proposal

    def decide(self, situation: Situation) -> Proposal:
        return self._proposal


@pytest.mark.parametrize("kind", kinds_of("daemon.planners"))
def test_every_planner_keeps_the_contract(kind: str):
    check_planner(load_kind("daemon.planners", kind).build())


def test_the_family_has_a_planner_and_the_checks_have_situations():
    assert "policy" in kinds_of("daemon.planners")
    assert len(list(situations())) > 100


def test_a_planner_that_does_nothing_for_a_reason_is_a_planner():
    check_planner(Scripted(GOOD))


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
def test_the_checks_find_a_planner_that_breaks_it(changes: dict[str, object]):
    with pytest.raises(PlannerCheckError):
        check_planner(Scripted(msgspec.structs.replace(GOOD, **changes)))
