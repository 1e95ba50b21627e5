import json
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from daemon.api.commands import Asked
from daemon.commands import asking
from daemon.commands.configuring import load_config
from daemon.commands.errors import BadInputError
from daemon.commands.reaching import FromLedger
from daemon.goals.objective import Objective
from daemon.ledger.ledger import open_ledger
from daemon.ledger.records import Goal
from streams.contracts.records import Command
from tests.kit.command_line import Run

SENTENCE = "keep recall at least 80 % for southern parcels"
GOALS = """\
    goals: {{cohorts: {{southern: {{depot: [lyon, nice]}}}}, values: {{depot: [lyon, nice, lille]}}}}
"""


@pytest.fixture
def spoken(config: Path) -> Path:
    """A config in which people have words for cohorts."""
    config.write_text(config.read_text() + GOALS.format())
    return config


@pytest.fixture
def keep(spoken: Path) -> Callable[[str], Goal]:
    """Put a proposed goal into the ledger."""

    def keep(by: str) -> Goal:
        settings = load_config(spoken).settings
        wanted = asking.compiled(settings, asking.Wish(sentence=SENTENCE))
        assert isinstance(wanted, Objective)
        sent = asking.proposal(wanted, SENTENCE)
        command = Command(id=f"c-{by}", kind=sent.kind, model=sent.model, by=by, arguments=sent.arguments)
        (spoken.parent / "data").mkdir(exist_ok=True)
        with open_ledger(spoken.parent / "data" / "ledger.sqlite") as ledger:
            ledger.take_command(command, 1)
            return ledger.propose_goal(command, sent.arguments["objective"], SENTENCE, 1)

    return keep


def test_what_is_asked_is_read_back_and_proposed(run: Run, spoken: Path, outbox: list[Asked]):
    answer = run("ask", SENTENCE, "--config", str(spoken))
    assert answer.code == 0, answer.err
    assert 'recall is to be at least 0.8 (80 %). Only requests count where depot is "lyon" or "nice".' in answer.out
    (command,) = outbox
    assert (command.kind, command.model) == ("propose_goal", "parcels")
    assert "driftwake audit show --subject cmd-1" in answer.out
    assert command.arguments["sentence"] == SENTENCE
    assert f"Digest {command.arguments['digest']}" in answer.out
    shown = answer.out.partition("As YAML\n")[2].partition("\n\n")[0]
    assert yaml.safe_load(shown) == command.arguments["objective"]


def test_what_was_left_aside_is_shown_to_who_asks_and_to_who_approves(run: Run, spoken: Path, outbox: list[Asked]):
    said, shown = f"Risk team here. {SENTENCE}", "left aside: 'Risk team here'"
    answer = run("ask", said, "--config", str(spoken))
    assert answer.code == 0, answer.err
    assert shown in answer.out
    assert run("ask", SENTENCE, "--config", str(spoken)).code == 0
    with_aside, without = (one.arguments for one in outbox)
    assert with_aside["sentence"] == f"{said} ({shown})"
    assert (with_aside["digest"], without["sentence"]) == (without["digest"], SENTENCE)
    told = json.loads(run("ask", said, "--json", "--dry-run", "--config", str(spoken)).out)
    assert told["in_words"].endswith(shown)


def test_what_was_left_aside_is_bounded_and_so_is_the_sentence_that_it_stands_behind(run: Run, spoken: Path, outbox: list[Asked]):
    said = f"As {'x' * 400} manager, {SENTENCE}"
    answer = run("ask", said, "--config", str(spoken))
    assert answer.code == 0, answer.err
    kept = outbox[0].arguments["sentence"]
    assert len(kept) == 500
    assert kept.endswith("x)")
    assert kept.count("left aside: 'As xxx") == 1


def test_what_was_left_aside_rewrites_no_terminal(run: Run, spoken: Path, outbox: list[Asked]):
    said = f"As \u202e\x1b[2J manager, {SENTENCE}"
    assert run("ask", said, "--config", str(spoken)).code == 2
    assert outbox == []


def test_a_dry_run_proposes_nothing(run: Run, spoken: Path, outbox: list[Asked]):
    assert run("ask", SENTENCE, "--dry-run", "--config", str(spoken)).code == 0
    assert outbox == []


def test_what_is_not_understood_says_which_words_and_shows_a_form(run: Run, spoken: Path, outbox: list[Asked]):
    answer = run("ask", "keep recall at least 80 % for tall parcels", "--config", str(spoken))
    assert (answer.code, answer.out, outbox) == (2, "", [])
    assert "unknown_words: 'for tall parcels' means nothing here" in answer.err
    form = answer.err.partition("--yaml-file\n")[2]
    assert yaml.safe_load(form) == {
        "model": "parcels", "aim": "hold", "metric": "recall", "direction": "higher", "floor": 0.8,
    }  # fmt: skip


def test_json_says_the_same(run: Run, spoken: Path, outbox: list[Asked]):
    answer = run("ask", SENTENCE, "--json", "--config", str(spoken))
    told = json.loads(answer.out)
    assert (answer.code, told["understood"], told["digest"]) == (0, True, outbox[0].arguments["digest"])
    answer = run("ask", "recall", "--json", "--config", str(spoken))
    told = json.loads(answer.out)
    assert (answer.code, told["understood"], [one["code"] for one in told["findings"]]) == (2, False, ["no_aim"])


def test_a_filled_in_form_does_as_well(run: Run, spoken: Path, tmp_path: Path, outbox: list[Asked]):
    form = tmp_path / "goal.yaml"
    form.write_text("model: parcels\naim: hold\nmetric: recall\ndirection: higher\nfloor: 0.8\ncohort: {depot: [nice, lyon]}\n")
    assert run("ask", "--yaml-file", str(form), "--config", str(spoken)).code == 0
    assert run("ask", SENTENCE, "--config", str(spoken)).code == 0
    assert outbox[0].arguments["digest"] == outbox[1].arguments["digest"]
    assert outbox[0].arguments["sentence"] == ""
    for text, part in (("model: parcels\naim: hold\n", "no_metric"), ("aim: [\n", "isn't YAML"), ("model: x\n", "no model 'x'")):
        form.write_text(text)
        answer = run("ask", "--yaml-file", str(form), "--config", str(spoken))
        assert answer.code == 2
        assert part in answer.err


def test_words_or_a_form_not_both_and_not_neither(run: Run, spoken: Path):
    for arguments in ([], [SENTENCE, "--yaml-file", "x.yaml"]):
        assert run("ask", *arguments, "--config", str(spoken)).code == 2


def test_of_several_models_one_is_named(run: Run, spoken: Path):
    spoken.write_text(spoken.read_text() + "  - {name: other, schema: {columns: [{name: a, kind: number}]}}\n")
    assert "--model: name one of parcels, other" in run("ask", SENTENCE, "--dry-run", "--config", str(spoken)).err
    assert run("ask", SENTENCE, "--model", "parcels", "--dry-run", "--config", str(spoken)).code == 0
    answer = run("ask", "recall of the other model at least 0.8", "-m", "parcels", "--dry-run", "--config", str(spoken))
    assert "other_model" in answer.err


def test_a_hostile_sentence_shows_no_control_character(run: Run, spoken: Path):
    answer = run("ask", "keep \x1b[2Jrecall", "--config", str(spoken))
    assert answer.code == 2
    assert "\x1b" not in answer.err + answer.out


def test_without_a_daemon_the_goal_is_shown_and_not_proposed(run: Run, spoken: Path):
    answer = run("ask", SENTENCE, "--config", str(spoken))
    assert answer.code == 1
    assert "recall is to be at least 0.8" in answer.out
    assert "no daemon runs with" in answer.err
    assert "start `driftwake up` first" in answer.err


def test_goals_are_listed_and_read_back(run: Run, spoken: Path, keep: Callable[[str], Goal]):
    goal = keep("ann")
    listed = run("goals", "--config", str(spoken))
    assert listed.code == 0, listed.err
    for part in (goal.digest[:12], "parcels", "proposed", "ann", SENTENCE):
        assert part in listed.out
    (told,) = json.loads(run("goals", "--json", "--config", str(spoken)).out)
    assert told["digest"] == goal.digest
    shown = run("goals", "show", goal.digest[:8], "--config", str(spoken))
    assert shown.code == 0, shown.err
    for part in (goal.id, f"said: {SENTENCE}", "proposed by ann", "recall is to be at least 0.8", "once it is approved"):
        assert part in shown.out
    assert json.loads(run("goals", "show", goal.digest, "--json", "--config", str(spoken)).out)["id"] == goal.id


def test_a_goal_is_approved_or_retired_by_its_whole_digest(
    run: Run, spoken: Path, outbox: list[Asked], keep: Callable[[str], Goal]
):
    goal = keep("ann")
    for word, kind in (("approve", "approve_goal"), ("retire", "retire_goal")):
        assert run("goals", word, goal.digest[:12], "--config", str(spoken)).code == 0
        command = outbox.pop()
        assert (command.kind, command.model, command.arguments) == (kind, "parcels", {"digest": goal.digest})


@pytest.mark.parametrize("digest", ["", "nothing"])
def test_no_goal_of_that_digest_is_bad_input(spoken: Path, keep: Callable[[str], Goal], digest: str):
    keep("ann")
    with pytest.raises(BadInputError, match="names 0 goals"):
        asking.about(FromLedger(load_config(spoken).settings).goals(None), digest, "approve_goal", "proposed")
