from __future__ import annotations

import math
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.ledger.records import Lesson
from daemon.planners.base import (
    LEARNABLE,
    REPLACES,
    TRAINS,
    Archived,
    Cause,
    Change,
    Diagnosis,
    Headroom,
    LabelState,
    Performance,
    Situation,
)
from daemon.planners.policy import ORDER, RECOVERY, PolicyConfig, build

CAUSES = (
    "concept_change",
    "harmful_shift",
    "harmless_shift",
    "upstream_data_break",
    "label_trouble",
    "serving_bug",
    "false_alarm",
)
BROKEN = ("upstream_data_break", "label_trouble", "serving_bug")
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
    for changes in ({"may_promote": False}, {"is_frozen": True}, {"tried": tuple(TRAINS)}):
        decision = build().decide(situation({"concept_change": 0.9}, **changes))
        assert decision.action == "ask_person", "it is lost, and a person may make an exception"
        assert decision.utilities["retrain"] is None
        assert decision.excluded["retrain"]
    mild = Performance(reference=0.75, recent=0.74, low=0.73, high=0.76)
    assert action({"harmless_shift": 0.9}, KNOWN, mild, may_promote=False) == "no_action", "nothing worth asking for is lost"


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
    both = (lesson, msgspec.structs.replace(lesson, action="retrain")) * 12
    assert action(asked, lessons=both) == "ask_person"
    unheard = msgspec.structs.replace(lesson, action="ask_person", outcome="expired")
    assert action(asked, lessons=(*both, *[unheard] * 6)) == "no_action"


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
    assert set(decision.utilities) == {*RECOVERY, "no_action", "wait_for_labels", "restore_archived"} == set(ORDER)
    if decision.action in TRAINS:
        assert asked.may_promote
        assert asked.diagnosis.label_state.rows >= PolicyConfig().label_rows


@given(
    st.floats(0.0, 0.4),
    st.floats(0.0, 0.4),
    st.floats(0.0, 1.0),
    st.sampled_from(("concept_change", "harmful_shift", "new_segment")),
    st.sampled_from(("retrain", "search_features_and_retrain", "ask_person")),
)
def test_a_larger_loss_never_makes_repair_worth_less(one: float, other: float, share: float, cause: str, repair: str) -> None:
    small, large = sorted((one, other))
    worth = [
        build().decide(situation({cause: share}, quality=Performance(reference=0.8, recent=0.8 - lost))).utilities[repair]
        for lost in (small, large)
    ]
    assert worth[0] is not None
    assert worth[1] is not None
    assert worth[0] <= worth[1]


def test_no_search_where_nobody_computes_windows() -> None:
    proposal = build().decide(situation({"concept_change": 0.8, "false_alarm": 0.2}, has_windows=False))
    assert proposal.action == "retrain"
    assert proposal.utilities["search_features_and_retrain"] is None
    assert "served elsewhere" in proposal.excluded["search_features_and_retrain"]


@given(situations)
def test_of_equals_the_one_that_does_least_is_chosen(asked: Situation) -> None:
    decision = build().decide(asked)
    best = max(value for value in decision.utilities.values() if value is not None)
    equal = [action for action in ORDER if decision.utilities[action] == best]
    assert decision.action == equal[0]


@given(situations, st.randoms(use_true_random=False))
def test_the_order_of_the_causes_changes_nothing(asked: Situation, chance: Any) -> None:
    causes = list(asked.diagnosis.causes)
    chance.shuffle(causes)
    shuffled = msgspec.structs.replace(asked, diagnosis=msgspec.structs.replace(asked.diagnosis, causes=tuple(causes)))
    assert build().decide(shuffled) == build().decide(asked)


@given(shares, st.floats(0, 1), st.integers(0, 10_000))
def test_nothing_is_trained_or_restored_while_labels_are_unknown(causes: dict[str, float], coverage: float, rows: int) -> None:
    labels = LabelState(coverage=coverage, rows=rows)
    decision = build().decide(archived(situation(causes, labels), 0.2))
    is_known = coverage >= PolicyConfig().label_coverage and rows >= PolicyConfig().label_rows
    assert is_known == (decision.utilities["restore_archived"] is not None)
    is_sound = math.fsum(share for cause, share in causes.items() if cause in BROKEN) < 0.5
    assert (is_known and is_sound) == all(decision.utilities[action] is not None for action in TRAINS)
    assert is_known or decision.action not in REPLACES


def test_people_are_told_of_broken_data_where_something_says_so() -> None:
    for share, may_be in ((0.09, False), (0.11, True)):
        decision = build().decide(situation({"upstream_data_break": share, "concept_change": 1 - share}))
        assert (decision.utilities["alert_upstream"] is not None) == may_be
        assert ("alert_upstream" in decision.excluded) != may_be


lessons = st.lists(
    st.builds(
        Lesson,
        cause=st.just("c"),
        action=st.sampled_from(sorted(RECOVERY)),
        outcome=st.sampled_from(("refused", "failed", "rolled_back", "expired", "closed", "no_action")),
        text=st.just(""),
        time_ms=st.integers(-100, 0),
    ),
    max_size=6,
)


@given(situations, lessons)
def test_what_is_remembered_never_makes_an_action_worth_more(asked: Situation, past: list[Lesson]) -> None:
    fresh, remembering = (build().decide(msgspec.structs.replace(asked, lessons=kept)) for kept in ((), tuple(past)))
    for action, value in remembering.utilities.items():
        assert (value is None) == (fresh.utilities[action] is None)
        assert value is None or value <= (fresh.utilities[action] or 0.0)


def test_two_causes_at_once_are_weighed_together() -> None:
    assert action({"upstream_data_break": 0.6, "new_segment": 0.4}) == "alert_upstream", "repair first, then retrain"
    assert action({"new_segment": 0.7, "harmless_shift": 0.3}) == "search_features_and_retrain"


GONE = Performance(reference=0.95, recent=0.50, low=0.46, high=0.54)
HOUR = 3_600_000


def changed(ago: float, rows: int, delay: float, cause: str = "concept_change", **changes: Any) -> Situation:
    labels = LabelState(coverage=0.9, rows=2_000, delay_ms_p90=delay * HOUR)
    asked = situation({cause: 0.9}, labels, GONE, **changes)
    change = Change(since_ms=int(asked.now_ms - ago * HOUR), rows=rows)
    return msgspec.structs.replace(asked, diagnosis=msgspec.structs.replace(asked.diagnosis, change=change))


def test_rows_that_contradict_are_learnt_from_alone_once_there_are_enough() -> None:
    decision = build().decide(changed(20, 1_000, 4))
    assert decision.action in TRAINS
    assert decision.train_since_ms == -20 * HOUR
    assert any("contradict" in reason.text for reason in decision.reasons)


def test_enough_rows_are_too_few_while_their_labels_overlap_the_range() -> None:
    assert build().decide(changed(20, 1_000, 6)).train_since_ms is None, "fourteen hours are less than three delays of six"
    assert build().decide(changed(20, 1_000, 6, waits_left=1, wait_ms=4 * HOUR)).action == "wait_for_labels"


def test_too_few_of_them_are_waited_for_if_they_come_in_time() -> None:
    few = changed(6, 300, 2, waits_left=2, wait_ms=4 * HOUR)
    decision = build().decide(few)
    assert decision.action == "wait_for_labels"
    assert (decision.utilities["wait_for_labels"] or 0.0) > 1
    assert build().decide(msgspec.structs.replace(few, waits_left=0)).action in TRAINS, "all rows, when there is no more time"
    slow = changed(6, 10, 2, waits_left=2, wait_ms=4 * HOUR)
    assert build().decide(slow).train_since_ms is None
    late = changed(9 * 24, 900, 7 * 24, waits_left=3, wait_ms=72 * HOUR)
    decision = build().decide(late)
    assert decision.action == "wait_for_labels", "labels that take a week make three delays too long to wait for, but not one"
    assert any("fewer than they take" in reason.text for reason in decision.reasons)


@pytest.mark.parametrize("cause", sorted(LEARNABLE))
def test_a_training_waits_until_as_much_is_known_of_what_is_new_as_labels_take(cause: str) -> None:
    for ago, waits, waited in ((8, 3, True), (13, 1, True), (14, 3, False), (8, 1, False), (8, 0, False)):
        asked = changed(ago * 24, 900 * (ago - 7), 7 * 24, cause=cause, waits_left=waits, wait_ms=72 * HOUR)
        said = msgspec.structs.replace(asked.diagnosis, performance=Performance(reference=0.9, recent=0.85, low=0.84, high=0.86))
        decision = build().decide(msgspec.structs.replace(asked, diagnosis=said))
        assert (decision.action == "wait_for_labels") == waited, (ago, waits)
        assert (decision.action in TRAINS) != waited


def test_what_isn_t_learnt_from_and_what_isn_t_certain_isn_t_waited_for() -> None:
    asked = changed(8 * 24, 900, 7 * 24, cause="recurring_regime", waits_left=3, wait_ms=72 * HOUR)
    assert build().decide(asked).action in TRAINS
    asked = changed(8 * 24, 900, 7 * 24, cause="harmful_shift", waits_left=3, wait_ms=72 * HOUR)
    (likely, *others) = asked.diagnosis.causes
    for probability, waits in ((0.79, False), (0.8, True)):
        causes = (msgspec.structs.replace(likely, probability=probability), *others)
        told = msgspec.structs.replace(asked, diagnosis=msgspec.structs.replace(asked.diagnosis, causes=causes))
        assert (build().decide(told).action == "wait_for_labels") == waits


def test_what_counts_are_the_rows_that_a_training_would_be_given() -> None:
    few, enough = changed(20, 1_000, 4, waits_left=2, wait_ms=4 * HOUR), changed(20, 400, 4, waits_left=2, wait_ms=4 * HOUR)
    assert build().decide(given(few, 499)).action == "wait_for_labels", "the others are the judge's, or came too late"
    assert build().decide(given(few, 500)).train_since_ms == -20 * HOUR
    assert build().decide(given(few, None)).train_since_ms == -20 * HOUR, "of before they were counted"
    assert build().decide(given(enough, None)).action == "wait_for_labels"
    assert "500 labelled ones to learn from" in " ".join(reason.text for reason in build().decide(given(few, 500)).reasons)


def given(asked: Situation, train_rows: int | None) -> Situation:
    change = asked.diagnosis.change
    assert change is not None
    counted = msgspec.structs.replace(change, train_rows=train_rows)
    return msgspec.structs.replace(asked, diagnosis=msgspec.structs.replace(asked.diagnosis, change=counted))


def test_nothing_is_promised_of_waiting_for_a_training_that_couldn_t_be_done() -> None:
    few = changed(6, 300, 2, waits_left=2, wait_ms=4 * HOUR)
    frozen = build().decide(msgspec.structs.replace(few, is_frozen=True))
    assert frozen.utilities["wait_for_labels"] is None
    assert frozen.excluded["wait_for_labels"] == "no training could use what is waited for"
    assert frozen.action == "ask_person", "it is lost, and a person may lift the freeze"
    elsewhere = build().decide(msgspec.structs.replace(few, has_windows=False))
    assert elsewhere.action == "wait_for_labels", "the training without a search is still worth it"
    worth = [decision.utilities["wait_for_labels"] or 0.0 for decision in (build().decide(few), elsewhere)]
    assert worth[1] < worth[0], "but nothing of what a search would find"
    unknown = situation({"concept_change": 0.8}, LabelState(coverage=0.1, rows=20), waits_left=1, is_frozen=True)
    assert build().decide(unknown).action == "wait_for_labels", "to know what is lost is of use all the same"


def test_old_rows_stay_where_they_don_t_contradict() -> None:
    assert build().decide(changed(20, 1_000, 4, cause="harmful_shift")).train_since_ms is None
    small = msgspec.structs.replace(changed(20, 1_000, 4), diagnosis=situation({"concept_change": 0.9}).diagnosis)
    assert build().decide(small).train_since_ms is None, "five points are no contradiction, and nobody knows since when"


def archived(asked: Situation, *lows: float) -> Situation:
    kept = tuple(Archived(digest=f"{place:064x}", value=low + 0.02, low=low, high=low + 0.04) for place, low in enumerate(lows))
    return msgspec.structs.replace(asked, diagnosis=msgspec.structs.replace(asked.diagnosis, archived=kept))


def test_an_earlier_champion_that_is_surely_better_comes_back() -> None:
    decision = build().decide(archived(situation({"recurring_regime": 0.9}), -0.03, 0.06, 0.02))
    assert (decision.action, decision.challenger) == ("restore_archived", f"{1:064x}")
    assert any("better on 0 rows since the change" in reason.text for reason in decision.reasons)
    assert build().decide(archived(situation({"recurring_regime": 0.9}), -0.001)).action != "restore_archived"
    asked = situation({"recurring_regime": 0.9})
    best = Archived(digest="a" * 64, value=0.08, low=0.06, high=0.1, rows=5_000, labelled=9_000, compared=3)
    said = build().decide(msgspec.structs.replace(asked, diagnosis=msgspec.structs.replace(asked.diagnosis, archived=(best,))))
    assert any(reason.text.endswith("the newest 5000 of 9000 rows since the change, the best of 3") for reason in said.reasons)
    broken = archived(situation({"upstream_data_break": 0.95}), 0.06)
    assert build().decide(broken).action == "alert_upstream", "who looks better on broken rows isn't better"


def test_served_wrong_is_a_person_s_to_put_right() -> None:
    assert action({"serving_bug": 0.9}) == "ask_person"
    assert action({"serving_bug": 0.9}, KNOWN, CALM) == "ask_person", "also while nothing is lost yet"
