"""`driftwake replay-incident`: the same question again, to the same planner or another, and nothing touched."""

import hashlib
import json
import shutil
from pathlib import Path

import pytest

from daemon.ledger.ledger import open_ledger
from tests.kit.command_line import Place, Run
from tests.kit.control import DAY, MODEL, START, Control, event

CONFIG = """\
data_dir: {folder}
models:
  - name: {model}
    schema: {{columns: [{{name: a, kind: number}}]}}
    policy: {{costs: {{retrain: {cost}, search_features_and_retrain: {cost}}}}}
"""


@pytest.fixture
async def decided(tmp_path: Path) -> Path:
    """A data folder with an incident that a planner has decided on, and nothing else any more."""
    control = Control(tmp_path / "data")
    await control.world.publish(control.first_deployment())
    with open_ledger(control.folder / "ledger.sqlite") as ledger:
        loop = control.loop(ledger)
        loop.on_event(event(START))
        for day in range(3):
            await loop.on_watermark(START + day * DAY)
        assert ledger.incidents()[0].state == "shadowing"
    for name in ("lake", "registry", "work"):
        shutil.rmtree(control.folder / name)
    return control.folder


def config_of(folder: Path, cost: float) -> str:
    file = folder.parent / f"cost-{cost}.yaml"
    file.write_text(CONFIG.format(folder=folder, model=MODEL, cost=cost))
    return str(file)


def digests(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.rglob("*") if path.is_file()}


def test_the_same_planner_decides_the_same_and_nothing_is_touched(run: Run, decided: Path):
    config = config_of(decided, 0.4)
    before = digests(decided)
    answer = run("replay-incident", "inc-", "--config", config, "--planner", "policy")
    assert answer.code == 0
    assert "policy now: search_features_and_retrain" in answer.out
    assert "→ → search_features_and_retrain" in answer.out
    assert "build_dataset, propose_windows, train_xgboost, compare_models" in answer.out
    assert answer.out.endswith("the same\n")
    assert digests(decided) == before


def test_other_settings_decide_otherwise_and_the_difference_is_shown(run: Run, decided: Path):
    config = config_of(decided, 99.0)
    answer = run("replay-incident", "inc-", "--config", config)
    assert answer.code == 0
    assert "differs: search_features_and_retrain was recorded, ask_person comes out now" in answer.out
    told = json.loads(run("replay-incident", "inc-", "--config", config, "--json").out)
    assert (told["recorded"]["action"], told["replayed"]["action"], told["is_same"]) == (
        "search_features_and_retrain", "ask_person", False,
    )  # fmt: skip
    assert told["recorded"]["utilities"]["retrain"] > 0 > told["replayed"]["utilities"]["retrain"]
    assert (told["recorded"]["planner"], told["decided_ms"]) == ("policy", START)
    assert len(told["plan_digest"]) == 64


def test_what_can_t_be_decided_again_says_why(run: Run, place: Place):
    config = str(place.config)
    old = run("replay-incident", place.incident, "--config", config)
    assert old.code == 2
    assert "wasn't recorded by the driftwake of that time" in old.err
    assert run("replay-incident", "nothing", "--config", config).code == 2


def test_an_unknown_planner_is_bad_input(run: Run, decided: Path):
    answer = run("replay-incident", "inc-", "--config", config_of(decided, 0.4), "--planner", "polity")
    assert answer.code == 2
    assert "did you mean 'policy'?" in answer.err


def test_an_incident_that_no_planner_was_asked_about_says_so(run: Run, tmp_path: Path):
    folder = tmp_path / "data"
    folder.mkdir()
    with open_ledger(folder / "ledger.sqlite") as ledger:
        ledger.take_event(event(START))
        ledger.open_for_event(event(START), "performance", "champion", "rule", START)
    answer = run("replay-incident", "inc-", "--config", config_of(folder, 0.4))
    assert answer.code == 2
    assert "is open: no planner was asked" in answer.err
