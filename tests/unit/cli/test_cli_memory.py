import json
from collections.abc import Callable
from pathlib import Path

import pytest

from daemon.api.commands import Asked
from daemon.ledger.ledger import open_ledger
from daemon.ledger.records import Playbook, Recipe
from streams.contracts.records import Command
from tests.kit.command_line import Place, Run
from tests.kit.incidents import START_MS

RECIPE = Recipe(
    model="parcels", cause="concept_change", action="retrain", rows="as_configured",
    settings={"train_ms": 7_776_000_000, "seed": 0},
)  # fmt: skip
Keep = Callable[[Recipe], Playbook]


@pytest.fixture
def keep(place: Place) -> Keep:
    """Propose a playbook."""

    def keep(recipe: Recipe) -> Playbook:
        with open_ledger(place.folder / "ledger.sqlite") as ledger:
            return ledger.propose_playbook(recipe, (place.incident,), "went well 1 times in a row", START_MS)

    return keep


def test_lessons_say_what_helps_how_sure_and_by_which_incidents(run: Run, place: Place) -> None:
    (claim,) = json.loads(run("lessons", "--config", str(place.config), "--json").out)
    assert claim == {
        "model": "parcels", "cause": "loss_drift", "action": "retrain", "says": "helps", "confidence": pytest.approx(2 / 3),
        "supported_by": [place.incident], "contradicted_by": [], "demoted_by": [],
        "expires_ms": START_MS + 9 * 3_600_000 + 90 * 86_400_000,
    }  # fmt: skip
    shown = run("lessons", "--model", "parcels", "--config", str(place.config))
    assert shown.code == 0, shown.err
    for part in ("loss_drift", "retrain", "helps", "0.6667", "2024-02-13"):
        assert part in shown.out, part


def test_a_lesson_is_forgotten_when_the_policy_says_so(run: Run, place: Place) -> None:
    place.config.write_text(place.config.read_text() + "    policy: {memory: 0}\n")
    assert json.loads(run("lessons", "--config", str(place.config), "--json").out) == []


def test_playbooks_are_listed_and_shown(run: Run, place: Place, keep: Keep) -> None:
    assert json.loads(run("playbooks", "--config", str(place.config), "--json").out) == []
    playbook = keep(RECIPE)
    listed = run("playbooks", "--config", str(place.config))
    assert listed.code == 0, listed.err
    for part in (playbook.digest[:12], "parcels", "concept_change", "retrain", "proposed", "went well 1 times in a row"):
        assert part in listed.out, part
    (told,) = json.loads(run("playbooks", "--model", "parcels", "--config", str(place.config), "--json").out)
    assert (told["digest"], told["supported_by"]) == (playbook.digest, [place.incident])
    shown = run("playbooks", "show", playbook.digest[:8], "--config", str(place.config))
    assert shown.code == 0, shown.err
    for part in (playbook.digest, "retrain against concept_change on parcels", "7776000000", place.incident):
        assert part in shown.out, part
    assert json.loads(run("playbooks", "show", playbook.digest, "--config", str(place.config), "--json").out) == told


def test_an_approval_is_shown_until_it_has_expired(run: Run, place: Place, keep: Keep) -> None:
    playbook = keep(RECIPE)
    for name, expires_wall_ms, state in (("c1", 1 << 47, "approved"), ("c2", 1, "expired")):
        with open_ledger(place.folder / "ledger.sqlite") as ledger:
            command = Command(id=name, kind="approve_playbook", model="parcels", by="ann")
            ledger.take_command(command, START_MS)
            ledger.approve_playbook(command, ledger.playbooks()[0], expires_wall_ms, START_MS)
        listed = run("playbooks", "--config", str(place.config)).out.splitlines()[1].split()
        assert (listed[0], listed[4]) == (playbook.digest[:12], state)
        assert "the approval of ann ends at" in run("playbooks", "show", playbook.digest, "--config", str(place.config)).out


def test_a_playbook_is_approved_and_retired_by_its_whole_digest(run: Run, place: Place, keep: Keep, outbox: list[Asked]) -> None:
    playbook = keep(RECIPE)
    said = run("playbooks", "approve", playbook.digest[:8], "--config", str(place.config))
    assert said.code == 0, said.err
    assert "approve_playbook for parcels is on its way" in said.out
    said = run("playbooks", "retire", playbook.digest[:8], "--reason", "we do it otherwise", "--config", str(place.config))
    assert said.code == 0, said.err
    assert [(one.kind, one.model, one.arguments) for one in outbox] == [
        ("approve_playbook", "parcels", {"digest": playbook.digest}),
        ("retire_playbook", "parcels", {"digest": playbook.digest, "reason": "we do it otherwise"}),
    ]


@pytest.mark.parametrize("command", [["show"], ["approve"], ["retire", "--reason", "r"]])
@pytest.mark.parametrize("digest", ["", "nothing"])
def test_what_names_no_playbook_is_bad_input(
    run: Run, keep: Keep, outbox: list[Asked], command: list[str], digest: str, *, place: Place
) -> None:
    playbook = keep(RECIPE)
    answer = run("playbooks", *command, digest, "--config", str(place.config))
    assert answer.code == 2
    assert f"names 0 playbooks; there are: {playbook.digest[:12]} (proposed)" in answer.err
    assert outbox == []


def test_who_retires_a_playbook_says_why(run: Run, place: Place, keep: Keep, outbox: list[Asked]) -> None:
    assert run("playbooks", "retire", keep(RECIPE).digest, "--config", str(place.config)).code == 2
    assert outbox == []


def test_another_model_is_bad_input(run: Run, place: Place) -> None:
    for command in ("lessons", "playbooks"):
        assert run(command, "--model", "parcel", "--config", str(place.config)).code == 2


def test_without_a_ledger_it_says_what_to_do(run: Run, config: Path) -> None:
    for command in ("lessons", "playbooks"):
        answer = run(command, "--config", str(config))
        assert (answer.code, answer.out) == (1, "")
        assert "has the daemon run with this data folder?" in answer.err
