"""`driftwake audit`: verify, show, export, with and without the database, with and without a key."""

import json
import sqlite3
from pathlib import Path

import pytest

from daemon.ledger.audit import Key
from daemon.ledger.ledger import open_ledger
from tests.kit.command_line import Place, Run
from tests.kit.incidents import START_MS
from tests.kit.ledgers import tamper

KEY = "0123456789abcdef" * 4


def head_of(run: Run, place: Place) -> str:
    return str(json.loads(run("status", "--config", str(place.config), "--json").out)["audit_head"])


def test_an_export_says_its_head_and_verifies_without_the_database(run: Run, place: Place, tmp_path: Path):
    file = tmp_path / "audit.jsonl"
    answer = run("audit", "export", str(file), "--config", str(place.config))
    head = head_of(run, place)
    assert answer.code == 0
    assert answer.out == f"{head.partition(':')[0]} records; head {head}\n"
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("audit")] == ["audit.jsonl"]
    (place.folder / "ledger.sqlite").unlink()
    verified = run("audit", "verify", "--file", str(file), "--anchor", head, "--config", str(place.config))
    assert (verified.code, verified.out) == (0, f"whole: {head.partition(':')[0]} records, head {head}\n")
    lines = file.read_text().splitlines(keepends=True)
    assert json.loads(lines[0])["kind"] == "event.received"
    file.write_text("".join(lines[:-1]))
    assert run("audit", "verify", "--file", str(file), "--config", str(place.config)).code == 0
    cut = run("audit", "verify", "--file", str(file), "--anchor", head, "--config", str(place.config))
    assert cut.code == 1
    assert f"record {len(lines)} is missing" in cut.out


def test_a_file_verifies_where_there_is_no_config(run: Run, place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    file = tmp_path / "audit.jsonl"
    run("audit", "export", str(file), "--config", str(place.config))
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert run("audit", "verify", "--file", str(file)).code == 0
    assert run("audit", "verify", "--file", "nothing.jsonl")[0::2] == (2, "--file nothing.jsonl: No such file or directory\n")
    assert run("audit", "verify", "--file", str(file), "--config", "nothing.yaml").code == 2


def test_records_are_shown_by_what_they_are_about(run: Run, place: Place):
    def shown(*options: str) -> list[dict[str, object]]:
        found: list[dict[str, object]] = json.loads(run("audit", "show", "--config", str(place.config), "--json", *options).out)
        return found

    (planned,) = shown("--actor", "planner:policy")
    assert planned["incident"] == place.incident
    assert [one["kind"] for one in shown("--action", "event.received")] == ["event.received"]
    assert len(shown("--incident", place.incident)) == len(shown()) - 1
    assert shown("--model", "nobody") == []
    assert len(shown("--until", "2023-11-14T22:13:21")) == 2
    assert shown("--since", "2023-11-15") == [one for one in shown() if int(str(one["time_ms"])) >= 1_700_006_400_000]
    assert "planner:policy" in run("audit", "show", "--config", str(place.config)).out
    answer = run("audit", "show", "--config", str(place.config), "--since", "yesterday")
    assert answer.code == 2
    assert "--since takes a day or time" in answer.err


def test_a_key_from_a_file_or_the_environment_checks_the_seals(
    run: Run, place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    with open_ledger(place.folder / "ledger.sqlite", key=Key(bytes.fromhex(KEY))) as ledger:
        ledger.note("noted", "parcels", "s", START_MS)
    verify = ("audit", "verify", "--config", str(place.config))
    assert "1 of 1 seals weren't checked" in run(*verify).out
    (tmp_path / "key").write_text(f"{KEY}\n")
    for name, value in (("AUDIT_KEY_FILE", str(tmp_path / "key")), ("AUDIT_KEY", f"'{KEY}'")):
        with monkeypatch.context() as patched:
            patched.setenv(f"DRIFTWAKE__LEDGER__{name}", value)
            assert "1 of them are sealed, and the seals are the key's" in run(*verify).out
            assert KEY not in run("config", "explain", str(place.config)).out
    tamper(str(place.folder / "ledger.sqlite"), "UPDATE audit SET seal = hash WHERE seal != ''")
    monkeypatch.setenv("DRIFTWAKE__LEDGER__AUDIT_KEY_FILE", str(tmp_path / "key"))
    forged = run(*verify)
    assert forged.code == 1
    assert "forged" in forged.out


@pytest.mark.parametrize("text", ["", "short", KEY.upper()])
def test_a_key_that_is_none_is_a_finding_and_not_shown(
    run: Run, place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
):
    (tmp_path / "key").write_text(text)
    for name, value in (("AUDIT_KEY_FILE", str(tmp_path / "key")), ("AUDIT_KEY", f"'{text}'"), ("AUDIT_KEY_FILE", "none")):
        with monkeypatch.context() as patched:
            patched.setenv(f"DRIFTWAKE__LEDGER__{name}", value)
            answer = run("audit", "verify", "--config", str(place.config))
            assert answer.code == 2
            assert f"ledger.{name.lower()}" in answer.err
            assert not text or text not in answer.err


def test_a_tampered_database_is_found_and_exits_with_1(run: Run, place: Place):
    tamper(str(place.folder / "ledger.sqlite"), "UPDATE audit SET actor = 'person:ann' WHERE number = 4")
    answer = run("audit", "verify", "--config", str(place.config))
    assert (answer.code, answer.out) == (1, "record 4 is altered: its content doesn't match its hash\n")


def test_looking_changes_nothing(run: Run, place: Place, tmp_path: Path):
    def contents() -> list[tuple[object, ...]]:
        with sqlite3.connect(place.folder / "ledger.sqlite") as database:
            found = database.execute("SELECT * FROM audit ORDER BY number").fetchall()
        database.close()
        return found

    before = contents()
    for command in (("verify",), ("show",), ("export", str(tmp_path / "x.jsonl"))):
        assert run("audit", *command, "--config", str(place.config)).code == 0
    assert contents() == before
