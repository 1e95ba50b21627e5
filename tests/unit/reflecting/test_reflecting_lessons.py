"""What an ended incident teaches: its likeliest cause, what was done, and whether that speaks for it."""

from __future__ import annotations

from typing import Any

import pytest

from daemon.ledger.records import Lesson, Move, State
from daemon.reflecting.reflect import reflect
from tests.kit.control import DAY, START
from tests.unit.planning.plans import incident

RAN = {"started_ms": START, "action": "retrain"}
CAUSES = {
    "diagnosis": {"causes": [{"cause": "false_alarm", "probability": 0.2}, {"cause": "concept_change", "probability": 0.8}]}
}


def lesson(to: State, rule: str = "r", **details: Any) -> Lesson:
    found = reflect(incident(details=CAUSES | details), Move(to=to, reason="", rule=rule), START + DAY).lesson
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("to", "rule", "details", "speaks_for"),
    [
        ("closed", "probation_pass", RAN, 1.0),
        ("closed", "rollback", RAN, 1.0),
        ("closed", "probation_inconclusive", RAN, 0.0),
        ("refused", "sealed_fail", RAN, -1.0),
        ("refused", "shadow_inconclusive", RAN, 0.0),
        ("rolled_back", "probation_fail", RAN, -1.0),
        ("failed", "run_failed: diverged", RAN, -1.0),
        ("refused", "approval", {"action": "retrain"}, 0.0),
        ("failed", "run_failed: bad_answer", {}, 0.0),
        ("expired", "plan_expiry", {"action": "retrain"}, 0.0),
        ("no_action", "no_action", {"action": "no_action"}, 0.0),
    ],
)
def test_a_lesson_says_whether_it_speaks_for_what_was_done(
    to: State, rule: str, details: dict[str, Any], speaks_for: float
) -> None:
    assert lesson(to, rule, **details).numbers["speaks_for"] == speaks_for


def test_a_lesson_is_about_the_likeliest_cause() -> None:
    found = lesson("closed", "probation_pass", **RAN)
    assert (found.cause, found.action, found.outcome) == ("concept_change", "retrain", "closed")
    assert found.numbers["cause.false_alarm"] == 0.2
    said = "concept_change (0.80) after performance; retrain ended as closed by rule probation_pass; took 1d of event time"
    assert found.text == said
    undiagnosed = reflect(incident(), Move(to="failed", reason="", rule="r"), START).lesson
    assert undiagnosed is not None
    assert undiagnosed.cause == "unknown"
