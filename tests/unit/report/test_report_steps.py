"""How the steps of a plan are told."""

from __future__ import annotations

from typing import Any

import pytest

from daemon.ledger.ids import IncidentId, StepId
from daemon.ledger.records import Plan, PlanStep, Step
from daemon.report.collect_steps import plan_report

PLAN = Plan(
    model="m", incident=IncidentId("i"), action="retrain", proposer="policy", requester="d", autonomy="auto", created_ms=0,
    expires_ms=1, steps=(PlanStep(key="search", skill="propose_windows"),), reasons=(), sealed=(0, 1), budget_ms=0,
    configuration="", champion="c",
)  # fmt: skip


@pytest.mark.parametrize(
    ("result", "summary"),
    [
        ({"tried": 4, "accepted": []}, "4 windows tried, 0 accepted"),
        ({"tried": 0, "accepted": [], "untried": "labels come too late\n"}, "0 windows tried, 0 accepted: labels come too late "),
    ],
)
def test_a_search_that_could_try_nothing_says_why(result: dict[str, Any], summary: str) -> None:
    done = Step(
        id=StepId("s"), model="m", subject="i", key="search", kind="skill", skill="propose_windows", state="done", result=result
    )  # fmt: skip
    assert plan_report(PLAN, [done], []).steps[0].summary == summary
