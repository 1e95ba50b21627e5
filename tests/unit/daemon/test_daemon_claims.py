"""Claims: their evidence, how sure they are, when they expire and what demotes them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.claims import Claim, claims_of, side_of
from daemon.ledger.records import Lesson, State
from daemon.likeness import signature

MEMORY = 100


def lesson(time_ms: int, speaks_for: float | None, sure: float | None = 1.0, **changes: Any) -> Lesson:
    numbers = {} if speaks_for is None else {"speaks_for": speaks_for}
    numbers |= {} if sure is None else signature([("concept_change", sure), ("false_alarm", 1 - sure)])
    told: dict[str, Any] = {"cause": "concept_change", "action": "retrain", "outcome": "closed", "text": ""} | changes
    return Lesson(**told, numbers=numbers, time_ms=time_ms, incident=f"i{time_ms:03}")


def claims(*lessons: Lesson, now_ms: int = 50) -> dict[str, Claim]:
    return {one.says: one for one in claims_of("m", lessons, now_ms, MEMORY)}


def test_a_claim_names_its_evidence_how_sure_it_is_and_until_when() -> None:
    (helps,) = claims_of("m", [lesson(3, 1.0), lesson(1, 1.0), lesson(2, 1.0)], 50, MEMORY)
    assert helps == Claim(
        model="m", cause="concept_change", action="retrain", says="helps", confidence=4 / 5,
        supported_by=("i001", "i002", "i003"), contradicted_by=(), demoted_by=(), expires_ms=103,
    )  # fmt: skip


def test_evidence_counts_as_far_as_its_incident_is_alike() -> None:
    assert claims(lesson(1, 1.0, 0.7))["helps"].confidence == pytest.approx(1.7 / 2.7)
    found = claims(lesson(1, 1.0, 0.7), lesson(2, -1.0, 0.9))
    assert found["helps"].confidence == pytest.approx(1.7 / 3.6)
    assert found["in_vain"].confidence == pytest.approx(1.9 / 3.6)
    assert claims(lesson(1, 1.0, 0.4)) == {}, "nobody was sure what that was"


def test_what_contradicts_demotes_and_is_named_until_it_is_contradicted_itself() -> None:
    first, broke, again = lesson(1, 1.0), lesson(2, -1.0), lesson(3, 1.0)
    found = claims(first, broke)
    assert (found["helps"].demoted_by, found["helps"].contradicted_by) == (("i002",), ("i002",))
    assert found["in_vain"].demoted_by == ()
    found = claims(first, broke, again)
    assert (found["helps"].demoted_by, found["helps"].contradicted_by) == ((), ("i002",))
    assert found["in_vain"].demoted_by == ("i003",)
    order = [one.says for one in claims_of("m", [first, broke], 50, MEMORY)]
    assert order == ["in_vain", "helps"], "what holds stands before what was demoted"


def test_what_isn_t_remembered_any_more_claims_nothing() -> None:
    found = claims(lesson(1, 1.0), now_ms=100)["helps"]
    assert found.expires_ms == 101
    assert claims(lesson(1, 1.0), now_ms=found.expires_ms) == {}
    assert claims(lesson(1, -1.0), lesson(40, 1.0), now_ms=120)["helps"].contradicted_by == ()


def test_a_lesson_that_says_nothing_is_no_evidence() -> None:
    assert claims(lesson(1, 0.0)) == {}
    assert claims(lesson(1, 1.0), lesson(2, 0.0))["helps"].confidence == pytest.approx(2 / 3)
    assert claims(lesson(1, 1.0, None, cause="unknown")) == {}, "nobody found a cause"


@pytest.mark.parametrize(
    ("outcome", "side"), [("closed", 1), ("refused", -1), ("failed", -1), ("rolled_back", -1), ("no_action", 0), ("expired", 0)]
)
def test_lessons_of_before_are_told_by_how_they_ended(outcome: State, side: int) -> None:
    assert side_of(lesson(1, None, outcome=outcome)) == side
    assert side_of(lesson(1, 0.0, outcome=outcome)) == 0


def test_a_lesson_without_a_signature_is_about_its_cause_in_full() -> None:
    assert claims(lesson(1, None, None))["helps"].confidence == pytest.approx(2 / 3)


histories = st.lists(st.tuples(st.sampled_from((1.0, -1.0, 0.0)), st.floats(0.5, 1.0)), min_size=1, max_size=12)


@settings(deadline=None)
@given(histories)
def test_confidence_is_a_share_and_both_sides_make_a_whole(history: list[tuple[float, float]]) -> None:
    lessons = [lesson(number, side, sure) for number, (side, sure) in enumerate(history)]
    found = claims(*lessons)
    assert all(0 < one.confidence < 1 for one in found.values())
    if len(found) == 2:
        assert found["helps"].confidence + found["in_vain"].confidence == pytest.approx(1.0)
        assert bool(found["helps"].demoted_by) != bool(found["in_vain"].demoted_by), "one of them holds"
    for one in found.values():
        more = claims(*lessons, lesson(49, 1.0 if one.says == "helps" else -1.0))[one.says]
        assert more.confidence > one.confidence
        assert more.demoted_by == ()
        less = claims(*lessons, lesson(49, -1.0 if one.says == "helps" else 1.0))[one.says]
        assert less.confidence < one.confidence
        assert less.demoted_by == (*one.demoted_by, "i049")
