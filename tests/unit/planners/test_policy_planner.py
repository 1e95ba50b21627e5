from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from daemon.ledger.records import Lesson
from daemon.planners.base import TRAINS, Cause, Diagnosis, Headroom, LabelState, Performance, Situation
from daemon.planners.policy import RECOVERY, PolicyConfig, build

CAUSES = (
    "concept_change",
    "harmful_shift",
    "harmless_shift",
    "upstream_data_break",
    "label_trouble",
    "serving_bug",
    "false_alarm",
)
KNOWN = LabelState(coverage=0.9, rows=5_000)
BAD = Performance(reference=0.75, recent=0.68, low=0.66, high=0.70)


def situation(causes: dict[str, float], labels: LabelState = KNOWN, quality: Performance = BAD, **changes: Any) -> Situation:
    found = tuple(Cause(cause=cause, probability=share) for cause, share in causes.items())
    asked = Situation(
        now_ms=0,
        incident_cause="performance",
        promotions=0,
        may_promote=True,
        diagnosis=Diagnosis(causes=found, label_state=labels, performance=quality),
    )
    return msgspec.structs.replace(asked, **changes)


def action(*arguments: Any, **changes: Any) -> str:
    return build().decide(situation(*arguments, **changes)).action


def test_a_harmful_change_is_met_by_looking_for_the_missing_feature() -> None:
    assert action({"concept_change": 0.8, "false_alarm": 0.2}) == "search_features_and_retrain"


def test_a_harmless_shift_is_left_alone() -> None:
    assert action({"harmless_shift": 0.9}, KNOWN, Performance(reference=0.75, recent=0.749, low=0.74, high=0.76)) == "no_action"


CALM = Performance(reference=0.75, recent=0.749, low=0.74, high=0.76)


def with_headroom(causes: dict[str, float], **numbers: float) -> str:
    asked = situation(causes, KNOWN, CALM)
    room = Headroom(**numbers, rows=9_000)
    return (
        build().decide(msgspec.structs.replace(asked, diagnosis=msgspec.structs.replace(asked.diagnosis, headroom=room))).action
    )


def test_measured_headroom_is_worth_a_search_although_nothing_got_worse() -> None:
    assert with_headroom({"harmless_shift": 0.9}, value=0.04, low=0.03, high=0.05) == "search_features_and_retrain"
    assert with_headroom({"harmless_shift": 0.9}, value=0.01, low=-0.002, high=0.02) == "no_action", "it may be luck"
    assert with_headroom({"upstream_data_break": 0.95}, value=0.04, low=0.03, high=0.05) not in TRAINS, (
        "the data can't be trusted"
    )


def test_broken_data_is_reported_and_never_trained_on() -> None:
    for labels in (KNOWN, LabelState()):
        decision = build().decide(situation({"upstream_data_break": 0.8, "harmful_shift": 0.2}, labels))
        assert decision.action == "alert_upstream"


def test_unknown_labels_are_waited_for_but_not_for_ever() -> None:
    few = LabelState(coverage=0.1, rows=20)
    assert action({"concept_change": 0.8}, few, waits_left=1) == "wait_for_labels"
    assert action({"concept_change": 0.8}, few, waits_left=0) == "no_action"


def test_no_training_when_nothing_can_be_promoted() -> None:
    decision = build().decide(situation({"concept_change": 0.9}, may_promote=False))
    assert decision.action == "no_action"
    assert decision.utilities["retrain"] is None


def test_a_submitted_challenger_is_judged() -> None:
    assert action({}, submitted=True) == "judge_submitted"


def test_a_bad_swap_is_rolled_back_when_there_is_something_to_go_back_to() -> None:
    assert action({"bad_swap": 0.9}, can_roll_back=True) == "rollback"
    assert action({"bad_swap": 0.9}) != "rollback"


def test_what_didn_t_help_counts_against_itself() -> None:
    lesson = Lesson(cause="c", action="search_features_and_retrain", outcome="refused", text="")
    asked = {"concept_change": 0.5}
    utilities = [
        build().decide(situation(asked, lessons=(lesson,) * times)).utilities["search_features_and_retrain"] for times in range(4)
    ]
    assert utilities == sorted(utilities, reverse=True, key=lambda value: value or 0.0)
    assert len(set(utilities)) == 4
    assert action(asked, lessons=(lesson,) * 4) == "retrain"
    assert action(asked, lessons=(lesson, msgspec.structs.replace(lesson, action="retrain")) * 12) == "no_action"


shares = st.dictionaries(st.sampled_from(CAUSES), st.floats(0, 1), max_size=5)
numbers = st.none() | st.floats(0, 1)


situations = st.builds(
    situation,
    shares,
    st.builds(LabelState, coverage=st.floats(0, 1), rows=st.integers(0, 10_000)),
    st.builds(Performance, reference=numbers, recent=numbers, high=numbers),
    may_promote=st.booleans(),
    waits_left=st.integers(0, 3),
)


@given(situations)
def test_every_situation_gets_a_reasoned_answer(asked: Situation) -> None:
    decision = build().decide(asked)
    assert decision == build().decide(asked)
    assert decision.reasons
    assert all(reason.text for reason in decision.reasons)
    chosen = decision.utilities[decision.action]
    assert chosen is not None
    assert chosen >= 0.0
    assert set(decision.utilities) == {*RECOVERY, "no_action", "wait_for_labels"}
    if decision.action in TRAINS:
        assert asked.may_promote
        assert asked.diagnosis.label_state.rows >= PolicyConfig().label_rows


@given(st.floats(0.0, 0.2), st.floats(0.0, 0.2))
def test_a_larger_loss_never_makes_repair_worth_less(one: float, other: float) -> None:
    small, large = sorted((one, other))
    worth = [
        build()
        .decide(situation({"concept_change": 0.7}, quality=Performance(reference=0.8, recent=0.8 - lost)))
        .utilities["retrain"]
        for lost in (small, large)
    ]
    assert (worth[0] or 0.0) <= (worth[1] or 0.0)


def test_no_search_where_nobody_computes_windows() -> None:
    proposal = build().decide(situation({"concept_change": 0.8, "false_alarm": 0.2}, has_windows=False))
    assert proposal.action == "retrain"
    assert proposal.utilities["search_features_and_retrain"] is None
    assert "served elsewhere" in proposal.excluded["search_features_and_retrain"]
