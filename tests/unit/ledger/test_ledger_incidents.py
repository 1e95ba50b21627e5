from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import get_args

import pytest
from sqlalchemy.exc import IntegrityError

from daemon.errors import IllegalMoveError, LedgerError
from daemon.ledger.ledger import Ledger, open_ledger
from daemon.ledger.records import ENDS, MOVES, Incident, Lesson, Move, Spend, State
from daemon.ledger.store import Transition
from streams.contracts.records import Command
from tests.kit.control import MODEL, START, event
from tests.kit.incidents import START_MS, opened, through
from tests.kit.ledgers import Tamper

SEEN: list[Transition] = []


@pytest.fixture
def ledger(place: str) -> Iterator[Ledger]:
    SEEN.clear()
    with open_ledger(place, observer=SEEN.append) as opened:
        yield opened


@pytest.fixture
def incident(ledger: Ledger) -> Incident:
    ledger.take_event(event(START))
    return ledger.open_for_event(event(START), "performance", "champion", "rule", START)


def test_every_state_has_a_way_on_or_is_an_end() -> None:
    assert set(get_args(State)) == set(MOVES) | ENDS
    assert not set(MOVES) & ENDS
    assert all(targets - {state} for state, targets in MOVES.items())


def test_an_event_is_taken_once(ledger: Ledger) -> None:
    assert ledger.take_event(event(START))
    assert not ledger.take_event(event(START))
    assert [one.kind for one in SEEN] == ["event.received"]


def test_events_come_back_in_order_of_event_time_however_they_arrived(ledger: Ledger) -> None:
    for offset in (3, 1, 2, 9):
        ledger.take_event(event(START + offset))
    assert [one.time_ms - START for one in ledger.new_events(MODEL, START + 5)] == [1, 2, 3]


def test_a_move_is_one_transaction_with_its_audit(ledger: Ledger, incident: Incident) -> None:
    before = ledger.head().number
    moved = ledger.move(incident, Move(to="diagnosed", reason="why", rule="r", details={"a": 1}), START + 1)
    assert (moved.state, moved.details, moved.moved_ms) == ("diagnosed", {"a": 1}, START + 1)
    (record,) = ledger.trail(after=before)
    assert (record.kind, record.subject, record.data["from"], record.data["to"]) == (
        "incident.moved",
        incident.id,
        "open",
        "diagnosed",
    )
    assert SEEN[-1] == Transition("incident.moved", incident.id, "diagnosed")


def test_an_illegal_or_stale_move_changes_nothing(ledger: Ledger, incident: Incident) -> None:
    head = ledger.head()
    with pytest.raises(IllegalMoveError):
        ledger.move(incident, Move(to="closed", reason="", rule=""), START)
    ledger.move(incident, Move(to="diagnosed", reason="", rule=""), START + 1)
    with pytest.raises(IllegalMoveError, match="somebody else"):
        ledger.move(incident, Move(to="diagnosed", reason="", rule=""), START + 2)
    assert ledger.head().number == head.number + 1


def test_a_move_that_fails_half_way_leaves_no_trace(ledger: Ledger, incident: Incident) -> None:
    spends = (Spend(kind="promotion", amount=1.0), Spend(kind="promotion", amount=1.0))
    head = ledger.head()
    with pytest.raises(IntegrityError):
        ledger.move(incident, Move(to="diagnosed", reason="", rule="", spends=spends), START + 1)
    assert ledger.incident(incident.id) == incident
    assert ledger.head() == head
    assert ledger.verify() is None


def test_the_end_keeps_lesson_and_spending(ledger: Ledger, incident: Incident) -> None:
    lesson = Lesson(cause="concept_change", action="retrain", outcome="failed", text="t", numbers={"x": 0.5})
    move = Move(to="failed", reason="r", rule="r", lesson=lesson, spends=(Spend(kind="training_minutes", amount=30.0),))
    ledger.move(incident, move, START + 5)
    assert [(one.text, one.numbers, one.incident) for one in ledger.lessons(MODEL)] == [("t", {"x": 0.5}, incident.id)]
    assert ledger.spent(MODEL, "training_minutes", START) == 30.0
    assert ledger.spent(MODEL, "training_minutes", START + 6) == 0.0
    assert ledger.incidents(MODEL, only_open=True) == []


def test_a_step_is_leased_reserved_and_finished_once(ledger: Ledger) -> None:
    step = ledger.lease(MODEL, "s", "k", kind="skill", skill="do_it", owner="a", until_wall_ms=0, now_ms=1)
    step = ledger.reserve(step, {"n": 1}, 1)
    done = ledger.finish(step, {"r": 2}, 2)
    assert (done.state, done.result, done.attempt) == ("done", {"r": 2}, 1)
    for act in (lambda: ledger.finish(step, {}, 3), lambda: ledger.fail(step, "x", "", 3)):
        with pytest.raises(LedgerError):
            act()
    with pytest.raises(LedgerError, match="over"):
        ledger.lease(MODEL, "s", "k", kind="skill", skill="do_it", owner="a", until_wall_ms=0, now_ms=1)


def test_a_taken_over_step_is_lost_to_its_first_owner(ledger: Ledger) -> None:
    first = ledger.lease(MODEL, "s", "k", kind="skill", skill="do_it", owner="a", until_wall_ms=1 << 60, now_ms=1)
    second = ledger.lease(MODEL, "s", "k", kind="skill", skill="do_it", owner="b", until_wall_ms=1 << 60, now_ms=1)
    assert second.attempt == 2
    with pytest.raises(LedgerError, match="any more"):
        ledger.finish(first, {}, 1)


def test_freezing_is_lifted_by_unfreezing(ledger: Ledger) -> None:
    for number, kind in enumerate(("freeze", "unfreeze", "freeze")):
        command = Command(id=f"c{number}", kind=kind, model=MODEL, by=f"p{number}")  # type: ignore[arg-type]
        assert ledger.take_command(command, 1)
        assert not ledger.take_command(command, 1)
        ledger.settle_command(command, "applied", "", 1)
        assert ledger.frozen_by(MODEL) == (f"p{number}" if kind == "freeze" else None)


def test_an_altered_plan_is_not_believed(ledger: Ledger, tamper: Tamper) -> None:
    with pytest.raises(LedgerError, match="no plan"):
        ledger.plan("0" * 64)
    digest = through(ledger, opened(ledger, "e1", START_MS), until="planned").plan_digest or ""
    assert ledger.plan(digest).action == "retrain"
    tamper(f"UPDATE plan SET digest = '{'0' * 64}'")  # noqa: S608 - our own words
    with pytest.raises(LedgerError, match="was altered"):
        ledger.plan("0" * 64)


def test_moves_in_every_order_keep_the_chain_whole(ledger: Ledger, incident: Incident) -> None:
    current = incident
    for number, to in zip(itertools.count(1), ("open", "diagnosed", "open", "diagnosed", "no_action")):
        current = ledger.move(current, Move(to=to, reason="", rule=""), START + number)  # type: ignore[arg-type]
    assert current.is_over
    assert ledger.verify() is None


def test_who_acted_stands_in_the_audit_and_nobody_can_sign_as_the_daemon(ledger: Ledger) -> None:
    incident = through(ledger, opened(ledger, "e1", START_MS), until="awaiting_approval")
    word = Command(id="c1", kind="approve", model="parcels", by="driftwake")
    ledger.take_command(word, START_MS)
    ledger.give_approval(word, incident.plan_digest or "", 1 << 50, START_MS)
    ledger.move(incident, Move(to="running", reason="", rule="approval", approval="c1"), incident.moved_ms + 1)
    submitted = Command(id="c2", kind="challenge", model="parcels", by="ann")
    ledger.take_command(submitted, START_MS)
    ledger.open_for_command(submitted, "challenge", "c" * 64, "d" * 64, START_MS)
    acted = [(record.actor, record.kind, record.incident == incident.id) for record in ledger.trail()]
    assert acted == [
        ("driftwake", "event.received", False),
        ("driftwake", "incident.opened", True),
        ("driftwake", "incident.moved", True),
        ("planner:policy", "incident.moved", True),
        ("driftwake", "incident.moved", True),
        ("person:driftwake", "command.received", False),
        ("person:driftwake", "approval.given", True),
        ("person:driftwake", "incident.moved", True),
        ("person:ann", "command.received", False),
        ("person:ann", "incident.opened", False),
    ]
