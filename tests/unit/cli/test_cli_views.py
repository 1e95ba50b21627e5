import contextlib
import json
import sqlite3
from pathlib import Path

import pytest

from daemon.ledger.ledger import open_ledger
from tests.kit.command_line import Place, Run
from tests.kit.incidents import START_MS, opened


def test_explain_tells_the_whole_story(run: Run, place: Place):
    answer = run("explain", place.incident, "--config", str(place.config))
    assert answer.code == 0
    for part in (
        "loss_drift on parcels, opened 2023-11-14T22:13:20Z", "loss_adwin", "0.0004", "0.31 nats", "concept_change",
        "0.83", "loss_z 4.5, quality_drop -", "scores alone is 0.031 above the reference's", "of 300 rows", "0.02 to 0.034",
        "weight", "→ retrain", "1.5", f"Plan {place.plan}", "because lost 2.1 points of quality", "train_model", "done",
        "Verdict, sealed: pass", "Verdict, shadow: pass", "0.0421", "0.0302 … 0.0533",
        "dddddddddddd", "retraining won 4.2 points",
        "judged → shadowing: shadow first [shadow_first]",
    ):  # fmt: skip
        assert part in answer.out, part


def test_explain_takes_a_part_of_the_id_and_gives_json(run: Run, place: Place):
    answer = run("explain", place.incident[-8:], "--config", str(place.config), "--json")
    story = json.loads(answer.out)
    assert story["incident"]["id"] == place.incident
    assert story["plan_digest"] == place.plan
    assert [one["action"] for one in story["alternatives"]] == ["retrain", "no_action", "rollback"]
    assert story["deployments"][0]["payload"]["generation"] == 7
    assert story["lesson"]["numbers"] == {"gain": 0.042}


def test_an_unknown_or_ambiguous_incident_is_bad_input(run: Run, place: Place):
    with open_ledger(place.folder / "ledger.sqlite") as ledger:
        opened(ledger, "e2", START_MS + 900_000_000)
    assert run("explain", "nothing", "--config", str(place.config))[0::2] == (
        2, "no incident 'nothing'; `driftwake incidents` lists 2\n",
    )  # fmt: skip
    assert "2 incidents have 'inc-' in their id" in run("explain", "inc-", "--config", str(place.config)).err


def test_incidents_are_listed(run: Run, place: Place):
    assert place.incident in run("incidents", "--config", str(place.config)).out
    (one,) = json.loads(run("incidents", "--config", str(place.config), "--json").out)
    assert (one["state"], one["model"]) == ("closed", "parcels")
    assert json.loads(run("incidents", "--config", str(place.config), "--open", "--json").out) == []


def test_an_unknown_model_is_bad_input(run: Run, place: Place):
    answer = run("incidents", "--model", "parcel", "--config", str(place.config))
    assert answer == (2, "", "no model 'parcel'; there are: parcels\n")


def test_status_says_how_models_stand(run: Run, place: Place):
    found = json.loads(run("status", "--config", str(place.config), "--json").out)
    assert found["models"] == [
        {
            "model": "parcels", "autonomy": "act", "digest": "d" * 64, "generation": 7, "frozen_by": None, "open_incidents": 0,
            "state": "quiet", "incidents": 1, "promotions": 1, "newest_ms": START_MS + 9 * 3_600_000,
        }
    ]  # fmt: skip
    assert found["audit_head"] in run("status", "--config", str(place.config)).out


def test_the_audit_is_whole_until_somebody_touches_it(run: Run, place: Place):
    head = json.loads(run("status", "--config", str(place.config), "--json").out)["audit_head"]
    assert run("audit", "verify", "--config", str(place.config), "--anchor", head).code == 0
    with contextlib.closing(sqlite3.connect(place.folder / "ledger.sqlite")) as database:
        for change in ("update", "delete"):
            database.execute(f"DROP TRIGGER audit_no_{change}")
        database.execute("UPDATE audit SET data = replace(data, 'shadow first', 'shadow later') WHERE data LIKE '%shadow first%'")
        database.commit()
    answer = run("audit", "verify", "--config", str(place.config))
    assert answer.code == 1
    assert "altered" in answer.out


def test_an_anchor_of_another_form_is_bad_input(run: Run, place: Place):
    answer = run("audit", "verify", "--config", str(place.config), "--anchor", "7")
    assert answer.code == 2
    assert "NUMBER:HASH" in answer.err


def test_the_audit_is_shown(run: Run, place: Place):
    found = json.loads(
        run("audit", "show", "--config", str(place.config), "--subject", place.incident, "--limit", "3", "--json").out
    )
    assert [record["kind"] for record in found] == ["incident.opened", "incident.moved", "incident.moved"]
    assert "incident.opened" in run("audit", "show", "--config", str(place.config)).out


def test_text_from_outside_neither_colours_nor_moves_the_terminal(run: Run, place: Place):
    with open_ledger(place.folder / "ledger.sqlite") as ledger:
        ledger.note("thing.seen", "parcels", "[bold]x\x1b[2J", START_MS, text="y")
    answer = run("audit", "show", "--config", str(place.config))
    assert "[bold]x [2J" in answer.out
    assert "\x1b" not in answer.out


@pytest.mark.parametrize("command", [["status"], ["incidents"], ["explain", "x"], ["audit", "verify"], ["audit", "show"]])
def test_without_a_ledger_it_says_what_to_do(run: Run, config: Path, command: list[str]):
    answer = run(*command, "--config", str(config))
    assert answer.code == 1
    assert "has the daemon run with this data folder?" in answer.err
    assert not (config.parent / "data").exists()
