"""Skills read what strangers wrote, so their answers and errors are suspect: what they say decides nothing that it shouldn't."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
import pytest_asyncio

from skills import __main__ as command
from skills._kit.errors import SkillError
from skills._kit.skill import Need, Spec, carry_out, encode_answer
from tests.kit.attacked import CONTROL, SECRETS, VARIABLES, Attack, Played, leaks, play, prompts_of
from tests.kit.control import START, event, script
from tests.kit.poisons import POISONS, UNWRITABLE, is_marked
from tests.kit.turned import OBEDIENT

ALL = POISONS | {"nul": UNWRITABLE["nul"]}


@pytest.fixture(autouse=True)
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)


def found_of(said: str) -> dict[str, Any]:
    """A diagnosis in which every text that comes from data is a stranger's."""
    told: dict[str, Any] = script("")["diagnose_drift"]
    return told | {
        "causes": [{"cause": "concept_change", "probability": 0.8, "evidence": {"loss_z": 5.0, said: 1.0}}],
        "moved": [
            {"feature": said, "statistic": 0.5, "effect": 0.2},
            {"feature": f"depot={said}", "statistic": 0.4, "effect": 0.1},
        ],
        "slices": [
            {"slice": f"depot={said}", "rows": 900, "loss": 0.7, "excess": 0.2},
            {"slice": f"email={said}", "rows": 900, "loss": 0.7, "excess": 0.2},
            {"slice": f"weight=1..{said}", "rows": 900, "loss": 0.7, "excess": 0.2},
            {"slice": said, "rows": 900, "loss": 0.7, "excess": 0.2},
        ],
        "expected": {"rise": 0.03, "rows": 300, "columns": [{"feature": said, "loss": 0.02, "low": 0.01, "high": 0.03}]},
        said: said,
    }


def attack(said: str) -> Attack:
    return Attack([event(START)], answers={"diagnose_drift": found_of(said)})


@pytest_asyncio.fixture(scope="module")
async def clean(tmp_path_factory: pytest.TempPathFactory) -> Played:
    return await play(tmp_path_factory.mktemp("clean"), attack("harmless text"), OBEDIENT)


@pytest.mark.parametrize("name", ALL)
async def test_names_in_a_diagnosis_reach_no_model_and_change_nothing(tmp_path: Path, clean: Played, name: str) -> None:
    found = await play(tmp_path, attack(ALL[name]), OBEDIENT)
    assert [plan.action for plan in found.plans] == ["retrain"]
    assert found.what_happened == clean.what_happened
    assert prompts_of(found) == prompts_of(clean)
    for outlet in ("prompts", "logs", "metrics", "deployments"):
        assert not is_marked(found.outlets[outlet]), outlet
    for outlet in ("explain", "report", "terminal"):
        assert CONTROL.search(found.outlets[outlet]) is None, outlet
    assert "<script" not in found.outlets["report"]


async def test_a_skill_sees_no_secret_and_so_can_tell_none(tmp_path: Path) -> None:
    found = await play(tmp_path, Attack([event(START)], answers={"diagnose_drift": "echo"}), OBEDIENT)
    assert "PYTHONHASHSEED" in found.outlets["explain"], "it told all of its environment"
    assert leaks(found, SECRETS) == []


@pytest.mark.parametrize("name", ALL)
async def test_an_error_s_text_is_for_people_and_only_its_kind_decides(tmp_path: Path, name: str) -> None:
    error = {"error": {"kind": ALL[name], "message": ALL[name]}}
    found = await play(tmp_path, Attack([event(START)], answers={"train_xgboost": error}), OBEDIENT)
    (incident,) = found.incidents
    assert incident.state == "failed"
    ((*_, rule),) = found.what_happened[0]
    assert rule == "run_failed: failed", "a kind that there isn't"
    assert len(incident.reason) <= 2_100
    for outlet in ("logs", "explain", "report", "terminal"):
        assert CONTROL.search(found.outlets[outlet]) is None, outlet
    assert "<script" not in found.outlets["report"]
    assert not any(is_marked(found.outlets[outlet]) for outlet in ("prompts", "metrics", "deployments"))


@pytest.mark.parametrize("skill", ["diagnose_drift", "train_xgboost"])
async def test_an_answer_that_is_no_unicode_is_no_answer(tmp_path: Path, skill: str) -> None:
    found = await play(tmp_path, Attack([event(START)], answers={skill: {"text": UNWRITABLE["surrogate"]}}), OBEDIENT)
    assert found.what_happened[0][0][-1] == "run_failed: bad_answer"
    assert not any(is_marked(text) for text in found.outlets.values())


class Asked(msgspec.Struct):
    value: str


def crashing() -> SimpleNamespace:
    """A skill that stumbles over a value as libraries do: they repeat it."""

    def run(request: Asked, work: Path) -> float:
        return float(request.value)

    return SimpleNamespace(SPEC=Spec(summary="s", input=Asked, output=Asked, need=Need(seconds=1, memory_mb=1)), run=run)


@pytest.mark.parametrize("name", POISONS)
def test_a_crash_names_its_place_and_not_the_value(tmp_path: Path, name: str) -> None:
    with pytest.raises(SkillError) as raised:
        carry_out(crashing(), msgspec.json.encode(Asked(POISONS[name])), tmp_path)
    assert raised.value.kind == "crashed"
    assert not is_marked(encode_answer(None, raised.value).decode())
    assert str(raised.value).startswith("ValueError in run, test_attacks_skills.py:")
    assert is_marked(str(raised.value.__cause__)), "for who looks beside the data"


def test_a_crash_is_told_in_full_where_the_data_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Standard error goes to a file in the step's folder."""
    monkeypatch.setattr(command, "find", lambda name: crashing())
    (tmp_path / "input.json").write_bytes(msgspec.json.encode(Asked(POISONS["injection"])))
    places = [f"--{name}={tmp_path / name}.json" for name in ("input", "output")]
    assert command.main(["crash_here", *places, f"--work={tmp_path / 'work'}"]) == 1
    answer = json.loads((tmp_path / "output.json").read_text())
    assert answer["error"]["kind"] == "crashed"
    assert not is_marked(json.dumps(answer))
    assert is_marked(capsys.readouterr().err)
