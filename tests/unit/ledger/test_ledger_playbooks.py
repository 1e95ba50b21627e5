"""Playbooks in the ledger, on either database: their changes, the audit of them, and what suspends them."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import pytest
from sqlalchemy.exc import IntegrityError

from daemon.errors import LedgerError
from daemon.ledger.canonical import plain
from daemon.ledger.ledger import Ledger, open_ledger
from daemon.ledger.records import Incident, Move, Playbook, Recipe, Spend, State
from streams.contracts.records import Command
from tests.kit.control import MODEL, START, event
from tests.kit.ledgers import Tamper

RECIPE = Recipe(
    model=MODEL, cause="concept_change", action="retrain", rows="as_configured", settings={"seed": 0, "parameters": {"eta": 0.5}}
)
LATER = START + 9


@pytest.fixture
def ledger(place: str) -> Iterator[Ledger]:
    with open_ledger(place) as writer:
        yield writer
        assert writer.verify() is None


def order(ledger: Ledger, kind: str, name: str = "c", by: str = "ann") -> Command:
    command = Command(id=name, kind=kind, model=MODEL, by=by)  # type: ignore[arg-type]
    assert ledger.take_command(command, START)
    return command


def proposed(ledger: Ledger) -> Playbook:
    return ledger.propose_playbook(RECIPE, ("i1", "i2"), "went well twice", START)


def approved(ledger: Ledger, name: str = "c") -> Playbook:
    ledger.approve_playbook(order(ledger, "approve_playbook", name), ledger.playbooks(MODEL)[0], 1 << 50, START + 1)
    return ledger.playbooks(MODEL)[0]


def running(ledger: Ledger, name: str = "e", recipe: Recipe | None = RECIPE, *, ran: bool = True) -> Incident:
    """An incident with a plan of a recipe that was let run, or waits."""
    told = event(START, name=name)
    ledger.take_event(told)
    incident = ledger.open_for_event(told, "performance", "champion", "rule", START)
    details = {} if recipe is None else {"recipe": recipe}
    incident = ledger.move(incident, Move(to="diagnosed", reason="", rule="", details=details), START)
    return msgspec.structs.replace(incident, details=incident.details | ({"started_ms": START} if ran else {}))


def end(ledger: Ledger, incident: Incident, to: State = "failed") -> Incident:
    started = {name: value for name, value in incident.details.items() if name == "started_ms"}
    return ledger.move(incident, Move(to=to, reason="", rule="", details=started), LATER)


def test_a_playbook_is_kept_as_it_was_proposed(ledger: Ledger) -> None:
    playbook = proposed(ledger)
    assert ledger.playbooks(MODEL) == ledger.playbooks() == [playbook]
    assert (playbook.digest, playbook.recipe, playbook.state) == (RECIPE.digest, RECIPE, "proposed")
    assert (playbook.supported_by, playbook.changed_ms, playbook.is_in_force(0)) == (("i1", "i2"), START, False)
    assert ledger.playbooks("another") == []
    (record,) = ledger.trail(RECIPE.digest)
    assert (record.kind, record.actor, record.data["recipe"]) == ("playbook.proposed", "driftwake", plain(RECIPE))
    with pytest.raises(LedgerError, match="proposed already"):
        proposed(ledger)


def test_an_approval_counts_until_it_expires_and_says_whose_it_is(ledger: Ledger) -> None:
    proposed(ledger)
    playbook = approved(ledger)
    assert (playbook.state, playbook.approved_by) == ("approved", "ann")
    assert (playbook.is_in_force((1 << 50) - 1), playbook.is_in_force(1 << 50)) == (True, False)
    (said,) = ledger.trail(only=None, after=ledger.head().number - 1)
    assert (said.kind, said.actor, said.data["expires_wall_ms"]) == ("playbook.approved", "person:ann", 1 << 50)
    assert [order.state for order in ledger.commands(MODEL)] == ["applied"]


def test_who_knows_an_older_state_changes_nothing(ledger: Ledger) -> None:
    stale = proposed(ledger)
    approved(ledger)
    command = order(ledger, "retire_playbook", "late")
    head = ledger.head()
    for act in (
        lambda: ledger.approve_playbook(command, stale, 1, LATER),
        lambda: ledger.retire_playbook(command, stale, "r", LATER),
    ):
        with pytest.raises(LedgerError, match="somebody else changed it"):
            act()
    assert ledger.head() == head


def test_a_retired_playbook_can_be_proposed_again(ledger: Ledger) -> None:
    proposed(ledger)
    ledger.retire_playbook(order(ledger, "retire_playbook"), approved(ledger, "a"), "we do it otherwise", LATER)
    (playbook,) = ledger.playbooks()
    assert (playbook.state, playbook.reason) == ("retired", "retired by ann: we do it otherwise")
    assert not playbook.is_in_force(0)
    again = ledger.propose_playbook(RECIPE, ("i3",), "r", LATER + 1)
    assert (again.state, again.approved_by, again.expires_wall_ms) == ("proposed", "", None), "it must be approved again"
    assert [record.kind.partition(".")[2] for record in ledger.trail(RECIPE.digest)] == [
        "proposed", "approved", "retired", "proposed",
    ]  # fmt: skip


@pytest.mark.parametrize("to", ["refused", "failed"])
def test_what_breaks_suspends_in_the_same_transaction(ledger: Ledger, to: State) -> None:
    proposed(ledger)
    approved(ledger)
    before = ledger.head().number
    incident = end(ledger, running(ledger), to)
    (playbook,) = ledger.playbooks()
    assert (playbook.state, playbook.changed_ms, playbook.is_in_force(0)) == ("suspended", LATER, False)
    assert playbook.reason == f"{incident.id} ended as {to}"
    *_, moved, suspended = ledger.trail(after=before)
    assert (moved.kind, moved.subject) == ("incident.moved", incident.id)
    assert (suspended.kind, suspended.subject, suspended.incident) == ("playbook.suspended", RECIPE.digest, incident.id)
    assert (suspended.actor, suspended.data["was"]) == ("driftwake", "approved")
    assert proposed(ledger).state == "proposed", "it can be earned again"


def test_a_proposal_that_was_broken_meanwhile_waits_for_nobody(ledger: Ledger) -> None:
    proposed(ledger)
    end(ledger, running(ledger))
    assert [one.state for one in ledger.playbooks()] == ["suspended"]


@pytest.mark.parametrize(
    "recipe",
    [
        None, msgspec.structs.replace(RECIPE, cause="harmful_shift"),
        msgspec.structs.replace(RECIPE, action="search_features_and_retrain"),
    ],
)  # fmt: skip
def test_what_is_of_another_cause_or_action_suspends_nothing(ledger: Ledger, recipe: Recipe | None) -> None:
    proposed(ledger)
    end(ledger, running(ledger, recipe=recipe))
    assert [one.state for one in ledger.playbooks()] == ["proposed"]


def test_other_settings_of_the_same_act_suspend_it_too(ledger: Ledger) -> None:
    proposed(ledger)
    end(ledger, running(ledger, recipe=msgspec.structs.replace(RECIPE, settings={"seed": 7})))
    assert [one.state for one in ledger.playbooks()] == ["suspended"]


def test_what_never_ran_or_ended_otherwise_suspends_nothing(ledger: Ledger) -> None:
    proposed(ledger)
    end(ledger, running(ledger, "a", ran=False), "refused")
    end(ledger, running(ledger, "b"), "no_action")
    assert [one.state for one in ledger.playbooks()] == ["proposed"]


def test_a_move_that_fails_half_way_suspends_nothing(ledger: Ledger) -> None:
    proposed(ledger)
    spends = (Spend(kind="promotion", amount=1.0), Spend(kind="promotion", amount=1.0))
    with pytest.raises(IntegrityError):
        ledger.move(running(ledger), Move(to="failed", reason="", rule="", details={"started_ms": 1}, spends=spends), LATER)
    assert [one.state for one in ledger.playbooks()] == ["proposed"]


def test_an_altered_recipe_is_noticed(ledger: Ledger, tamper: Tamper) -> None:
    proposed(ledger)
    tamper(f"UPDATE playbook SET digest = '{'0' * 64}'")  # noqa: S608 - our own words
    with pytest.raises(LedgerError, match="altered"):
        ledger.playbooks()


def test_names_that_no_database_holds_are_kept_as_far_as_they_can_be(ledger: Ledger) -> None:
    proposed(ledger)
    command = order(ledger, "approve_playbook", by="a\0b")
    ledger.approve_playbook(command, ledger.playbooks()[0], 1, LATER)
    assert ledger.playbooks()[0].approved_by == "a\ufffdb"


def test_ended_incidents_are_counted(ledger: Ledger) -> None:
    running(ledger, "a")
    assert ledger.ended(MODEL) == 0
    end(ledger, running(ledger, "b"))
    assert (ledger.ended(MODEL), ledger.ended("another")) == (1, 0)
