"""Commands, goals and bundles of strangers: what isn't allowed isn't done, and what they say stands in its own record alone."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from daemon.commands.screen import Screen
from daemon.goals.objective import Objective, written
from daemon.ledger.ledger import Ledger, open_ledger
from streams.contracts.bundle import MANIFEST_FILE
from streams.contracts.records import Command
from streams.contracts.slices import Condition
from tests.kit.attacked import CONTROL, SECRETS, VARIABLES, Attack, Played, leaks, play
from tests.kit.control import MODEL, START, bundle, event
from tests.kit.poisons import POISONS, UNWRITABLE, is_marked
from tests.kit.turned import OBEDIENT

ALL = POISONS | {"nul": UNWRITABLE["nul"]}
SAID = {"command.received", "command.rejected"}
"""Where a command's words stand: in its own record, and where it is said what is wrong with it."""

WANTED = Objective(
    model=MODEL, aim="hold", metric="recall", direction="higher", floor=0.8, cohort=(Condition(column="a", low=1.0),)
)


@pytest.fixture(autouse=True)
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)


def commands(by: str, *orders: tuple[str, dict[str, Any]]) -> list[Command]:
    """Commands with ids of their own."""
    return [
        Command(id=f"c{number}", kind=kind, model=MODEL, by=by, arguments=arguments)  # type: ignore[arg-type]
        for number, (kind, arguments) in enumerate(orders)
    ]


def hostile(text: str) -> list[Command]:
    """Every kind of command that needs something to be right, with nothing that is."""
    objective = {"model": MODEL, "aim": text, "cohort": {text: [text]}, text: text}
    return commands(
        text,
        ("challenge", {"digest": text, text: text}),
        ("challenge", {"digest": text, "force": text}),
        ("shadow", {"name": text, "digest": text}),
        ("shadow", {"name": "fine", "digest": text}),
        ("canary", {"digest": text, "weight": text}),
        ("canary", {"digest": text, "weight": 1e308}),
        ("approve", {"plan_digest": text}),
        ("refuse", {"plan_digest": text}),
        ("approve", {"plan_digest": [text] * 9}),
        ("propose_goal", {"objective": text, "digest": text, "sentence": text}),
        ("propose_goal", {"objective": objective, "digest": text, "sentence": text}),
        ("propose_goal", {"objective": written(WANTED) | {"cohort": {text: [text]}}, "digest": text, "sentence": text}),
        ("propose_plan", {"action": text, text: text}),
        ("approve_playbook", {"digest": text}),
        ("retire_playbook", {"digest": text}),
        ("approve_goal", {"digest": text}),
        ("retire_goal", {"digest": {text: text}}),
    )


def assert_nothing_was_done(found: Played) -> None:
    assert {order.state for order in found.orders} == {"rejected"}
    assert [one.reason for one in found.history] == ["first"]
    assert found.starts == ["diagnose_drift"]
    assert [one.state for one in found.incidents] == ["awaiting_approval"]
    assert not {"approval.given", "goal.proposed"} & {one.kind for one in found.records}


@pytest.mark.parametrize("name", ALL)
async def test_commands_without_sense_do_nothing_and_are_repeated_nowhere(tmp_path: Path, name: str) -> None:
    orders = hostile(ALL[name])
    found = await play(tmp_path, Attack([event(START)], orders), OBEDIENT, autonomy="propose")
    assert len(found.orders) == len(orders)
    assert_nothing_was_done(found)
    for outlet in ("prompts", "logs", "metrics", "deployments", "explain", "report", "terminal"):
        assert not is_marked(found.outlets[outlet]), outlet
    assert found.kinds_with(is_marked) <= SAID
    assert leaks(found, SECRETS) == []
    shown = io.StringIO()
    Screen(shown).table(("command", "by", "why"), [(one.command.id, one.command.by, one.reason) for one in found.orders])
    assert CONTROL.search(shown.getvalue()) is None


@pytest.mark.parametrize("name", [name for name, text in POISONS.items() if len(text) <= 128])
async def test_a_command_s_id_is_no_text_in_a_log(tmp_path: Path, name: str) -> None:
    order = Command(id=POISONS[name], kind="refuse", model=MODEL, by="ann", arguments={"plan_digest": "x"})
    found = await play(tmp_path, Attack([event(START)], [order]), OBEDIENT, autonomy="propose")
    assert_nothing_was_done(found)
    assert not is_marked(found.outlets["logs"])
    assert "CommandRefused" in found.outlets["logs"]


@pytest.mark.parametrize("by", ["policy", "claude", "driftwake"])
async def test_nobody_approves_in_the_name_of_a_planner_or_of_the_daemon(tmp_path: Path, by: str) -> None:
    """Who proposed is told by the plan; this model's plan is Claude's, so `policy` may be a person's name."""

    def approval(ledger: Ledger) -> Command:
        (incident,) = ledger.incidents()
        return commands(by, ("approve", {"plan_digest": incident.plan_digest}))[0]

    found = await play(tmp_path, Attack([event(START)], [approval]), OBEDIENT, autonomy="propose")
    (order,) = found.orders
    if by == "policy":
        assert order.state == "applied"
    else:
        assert (order.state, order.reason) == ("rejected", "who proposed or asked for a plan can't approve it")
        assert_nothing_was_done(found)


@pytest.mark.parametrize("name", ALL)
async def test_the_words_of_a_goal_are_kept_for_people_and_obeyed_by_nothing(tmp_path: Path, name: str) -> None:
    goal = {"objective": written(WANTED), "digest": WANTED.digest, "sentence": ALL[name]}
    orders = commands("ann", ("propose_goal", goal))
    clean = await play(tmp_path / "clean", Attack([event(START)]), OBEDIENT)
    found = await play(tmp_path / "play", Attack([event(START)], orders), OBEDIENT)
    assert found.what_happened == clean.what_happened
    assert [order.state for order in found.orders] == ["applied"]
    for outlet in ("prompts", "logs", "metrics", "deployments", "explain", "report", "terminal"):
        assert not is_marked(found.outlets[outlet]), outlet
    assert found.kinds_with(is_marked) <= {"command.received", "goal.proposed"}
    with open_ledger(tmp_path / "play" / "ledger.sqlite", read_only=True) as ledger:
        (kept,) = ledger.goals(MODEL)
    assert CONTROL.search(kept.sentence) is None
    assert len(kept.sentence) <= 2_000
    assert "hunter2" not in kept.sentence


@pytest.mark.parametrize("name", ALL)
async def test_what_a_bundle_says_of_itself_is_repeated_nowhere(tmp_path: Path, name: str) -> None:
    """A person submits a bundle whose manifest a stranger wrote: it is judged by its scores."""
    digest = bundle(tmp_path / "registry" / MODEL, ALL[name])
    found = await play(tmp_path, Attack(commands=commands("ann", ("challenge", {"digest": digest}))), OBEDIENT)
    (incident,) = found.incidents
    assert (incident.state, incident.details["action"]) == ("shadowing", "judge_submitted")
    assert found.outlets["prompts"] == "", "there is nothing to weigh, so nobody is asked"
    assert not [outlet for outlet, text in found.outlets.items() if is_marked(text)]


def forged(registry: Path, **changes: Any) -> str:
    """Put a bundle into a registry whose manifest isn't what its folder's name says."""
    digest = bundle(registry / MODEL, "honest")
    file = registry / MODEL / digest / MANIFEST_FILE
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))
    return digest


@pytest.mark.parametrize(
    "changes",
    [{"model": POISONS["injection"]}, {"lineage": {"incident": POISONS["html"]}}, {"schema": POISONS["sql"]}, {"golden": None}],
)
async def test_a_bundle_that_was_altered_is_refused_without_its_words(tmp_path: Path, changes: dict[str, Any]) -> None:
    digest = forged(tmp_path / "registry", **changes)
    found = await play(tmp_path, Attack(commands=commands("ann", ("challenge", {"digest": digest}))), OBEDIENT)
    assert [order.state for order in found.orders] == ["rejected"]
    assert (found.incidents, found.starts) == ([], [])
    assert not [outlet for outlet, text in found.outlets.items() if is_marked(text)]


UNREADABLE: Sequence[bytes] = (
    b"", b"null", b"\xff", b"{" * 100_000,
    json.dumps({"id": "c", "kind": POISONS["injection"], "model": MODEL, "by": "ann"}).encode(),
    json.dumps({"id": UNWRITABLE["surrogate"], "kind": "freeze", "model": MODEL, "by": "ann"}).encode(),
    json.dumps({"id": "x" * 129, "kind": "freeze", "model": MODEL, "by": "ann"}).encode(),
    json.dumps({"id": "c", "kind": "freeze", "model": MODEL, "by": "ann", "arguments": {"n": 2**60}}).encode(),
)  # fmt: skip


async def test_what_is_no_command_is_not_taken(tmp_path: Path) -> None:
    found = await play(tmp_path, Attack([event(START)], UNREADABLE), OBEDIENT, autonomy="propose")
    assert len(found.refused) == len(UNREADABLE)
    assert found.orders == []
    assert [one.state for one in found.incidents] == ["awaiting_approval"]
    assert not any(is_marked(text) for text in found.outlets.values())


def test_commands_are_compared_with_what_a_command_can_be() -> None:
    """Every kind that could do something without a person's word is among the hostile ones, or does what anybody may do."""
    kinds = set(msgspec.inspect.type_info(Command).fields[1].type.values)  # type: ignore[attr-defined]
    assert kinds - {one.kind for one in hostile("x")} == {"rollback", "freeze", "unfreeze"}
