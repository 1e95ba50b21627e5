from hypothesis import given
from hypothesis import strategies as st

from daemon.ledger.records import Lesson, State
from daemon.likeness import LEAST_ALIKE, likeness, signature, similar, times_in_vain

CAUSES = ("concept_change", "harmful_shift", "false_alarm")


def lesson(outcome: State, time_ms: int = 0, action: str = "retrain", **causes: float) -> Lesson:
    return Lesson(
        cause="c", action=action, outcome=outcome, text="", numbers=signature(causes.items()) | {"lasted_ms": 5.0},
        time_ms=time_ms, incident=f"i-{time_ms}",
    )  # fmt: skip


OWN = signature([("concept_change", 0.8), ("false_alarm", 0.2)])

distributions = st.lists(st.floats(0.01, 1), min_size=3, max_size=3).map(
    lambda weights: signature(zip(CAUSES, (weight / sum(weights) for weight in weights), strict=True))
)


@given(distributions, distributions)
def test_likeness_is_symmetric_and_full_only_of_the_same(one: dict[str, float], other: dict[str, float]) -> None:
    assert likeness(one, other) == likeness(other, one)
    assert -1e-9 <= likeness(one, other) <= 1 + 1e-9
    assert abs(likeness(one, one) - 1) < 1e-9
    assert likeness(one, other | {"lasted_ms": 9.0}) == likeness(one, other), "other numbers are none of its business"


def test_what_nothing_has_in_common_is_not_alike() -> None:
    assert likeness(OWN, signature([("serving_bug", 1.0)])) == 0.0


def test_only_similar_incidents_since_a_time_are_remembered_the_most_alike_first() -> None:
    same, near = lesson("refused", 9, concept_change=0.8, false_alarm=0.2), lesson("refused", 8, concept_change=0.6)
    old, other = lesson("refused", 1, concept_change=0.8), lesson("refused", 9, serving_bug=1.0)
    found = similar(OWN, [near, other, same, old], since_ms=2)
    assert [one.lesson for one in found] == [same, near]
    assert [round(one.likeness, 6) for one in found] == [1.0, 0.6]
    assert all(one.likeness >= LEAST_ALIKE for one in found)


def test_a_lesson_without_a_signature_counts_in_full() -> None:
    plain = Lesson(cause="c", action="retrain", outcome="refused", text="")
    assert [one.likeness for one in similar(OWN, [plain], 0)] == [1.0]


def test_what_was_in_vain_counts_as_far_as_it_is_alike() -> None:
    past = similar(OWN, [lesson("refused", 5, concept_change=0.8, false_alarm=0.2), lesson("failed", 6, concept_change=0.6)], 0)
    assert abs(times_in_vain("retrain", past) - 1.6) < 1e-9
    assert times_in_vain("rollback", past) == 0


def test_what_helped_later_restores_trust_and_what_helped_before_doesn_t() -> None:
    refused, helped = lesson("refused", 5, concept_change=0.8), lesson("closed", 7, concept_change=0.8)
    assert times_in_vain("retrain", similar(OWN, [refused], 0)) > 0
    assert times_in_vain("retrain", similar(OWN, [refused, helped], 0)) == 0
    again = lesson("refused", 8, concept_change=0.8)
    assert 0.7 < times_in_vain("retrain", similar(OWN, [refused, helped, again], 0)) < 0.9
    elsewhere = lesson("closed", 9, "search_features_and_retrain", concept_change=0.8)
    assert times_in_vain("retrain", similar(OWN, [refused, elsewhere], 0)) > 0, "another action says nothing of this one"


def test_what_nobody_carried_out_says_nothing() -> None:
    assert times_in_vain("retrain", similar(OWN, [lesson("no_action", 5, concept_change=0.8)], 0)) == 0
