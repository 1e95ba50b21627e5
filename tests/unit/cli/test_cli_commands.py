import json
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import typer

from daemon.cli import app, main
from daemon.commands import ordering
from daemon.commands.configuring import load_config
from daemon.commands.errors import BadInputError
from daemon.commands.looking import reading
from daemon.ledger.records import Incident
from streams.inference.store import BundleStore
from tests.kit.command_line import Place, Run

HELP_SECONDS = 0.5
HELP = """
import sys, time
at_first, waits = set(sys.modules), []
late = ("subprocess.Popen", "os.system", "os.fork", "os.posix_spawn", "socket.connect", "socket.getaddrinfo")
sys.addaudithook(lambda event, _: waits.append(event) if event in late else None)
time.sleep = lambda _: waits.append("time.sleep")
from daemon.cli import main
code = main(["--help"])
print(*sorted(set(sys.modules) - at_first), "|", *waits, file=sys.stderr)
raise SystemExit(code)
"""
# What typer and rich bring with them.
OF_SCREENS = {"annotated_doc", "attr", "markdown_it", "mdurl", "pygments", "rich", "shellingham", "typer"}
# What says which commands and options there are.
BEHIND_HELP = {
    "daemon", "daemon.access", "daemon.access.roles", "daemon.cli", "daemon.commands", "daemon.errors", "streams",
    "streams.contracts", "streams.contracts.errors",
    *(f"daemon.commands.{name}" for name in (
        "audits", "errors", "features", "goals", "memory", "options", "orders", "quarantine", "sending", "tokens", "views",
    )),
}  # fmt: skip


def commands(group: object, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    found = getattr(group, "commands", None)
    return [path] if found is None else [path, *(one for name, child in found.items() for one in commands(child, (*path, name)))]


def test_every_command_explains_itself(run: Run):
    paths = commands(typer.main.get_command(app))
    assert len(paths) > 15
    for path in paths:
        answer = run(*path, "--help")
        assert answer.code == 0
        assert "Usage: driftwake" in answer.out


def helped() -> tuple[set[str], list[str], float]:
    """Ask a process of its own for help: which modules that took, where it waited or started something, and its CPU seconds."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    told = subprocess.run([sys.executable, "-c", HELP], check=True, capture_output=True, text=True)  # noqa: S603 - our own module
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert "Usage: driftwake" in told.stdout
    modules, _, waits = told.stderr.partition("|")
    return set(modules.split()), waits.split(), after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def test_help_answers_at_once():
    """What makes it slow is told apart from a machine that is: libraries, commands' own modules, waiting, and its own work."""
    found = [helped() for _ in range(5)]
    modules, waits, _ = found[0]
    others = {name.partition(".")[0] for name in modules} - sys.stdlib_module_names
    assert others - {"daemon", "streams"} <= OF_SCREENS, "a library; import it where a command runs"
    own = {name for name in modules if name.partition(".")[0] in {"daemon", "streams", "skills", "tests"}}
    assert own <= BEHIND_HELP, "a module of a command's own; import it where the command runs"
    assert waits == []
    assert min(seconds for *_, seconds in found) < HELP_SECONDS, "of five, since caches are shared with whatever else runs"


def test_help_imports_no_heavy_library():
    code = "import sys, daemon.cli; print(sorted({name.partition('.')[0] for name in sys.modules}))"
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout  # noqa: S603
    assert "typer" in loaded
    for heavy in ("pydantic", "sqlalchemy", "pyarrow", "onnx", "numpy", "faust", "aiokafka"):
        assert f"'{heavy}'" not in loaded


@pytest.mark.parametrize("arguments", [["nonsense"], ["explain"], ["status", "--nonsense"], ["broker", "--port", "x"]])
def test_wrong_usage_is_bad_input(run: Run, arguments: list[str]):
    assert run(*arguments).code == 2


def test_a_config_without_findings(run: Run, config: Path):
    assert run("config", "lint", str(config)) == (0, f"{config}: nothing to find; models: parcels\n", "")


def test_every_finding_of_a_config_is_shown(run: Run, tmp_path: Path):
    file = tmp_path / "bad.yaml"
    file.write_text(
        "models:\n"
        "  - name: Parcels\n"
        "    schema: {columns: [{name: a, kind: number}, {name: b, kind: numbr}]}\n"
        "    skew: 60\n"
        "    planning: {autonomy: always}\n"
        "    dialect: natve\n"
        "brokr: {}\n"
    )
    for command in (["config", "lint", str(file)], ["up", "--config", str(file)], ["status", "--config", str(file)]):
        answer = run(*command)
        assert answer.code == 2
        assert answer.out == ""
        for part in (
            "6 findings", "models[0].name: ", "models[0].schema.columns[1].kind: must be 'number' or 'category', not 'numbr'",
            "models[0].skew: must be a duration", "models[0].planning.autonomy: must be 'observe', 'propose' or 'act'",
            "models[0].dialect: no kind 'natve'", "brokr: there is no such setting; did you mean 'broker'?", "(bad.yaml:3)",
        ):  # fmt: skip
            assert part in answer.err, part
    assert not (tmp_path / ".driftwake").exists()


def test_a_mapping_of_a_column_that_is_not_declared_is_a_finding(run: Run, tmp_path: Path):
    file = tmp_path / "mapped.yaml"
    text = "models:\n  - name: parcels\n    schema: {columns: [{name: a, kind: number}]}\n    dialect: mapped_json\n"
    file.write_text(text + "    dialect_options: {columns: {b: x.y}}\n")
    answer = run("config", "lint", str(file))
    assert answer.code == 2
    assert "columns b aren't in the schema" in answer.err
    file.write_text(text + "    dialect_options: {columns: {a: x.y}}\n")
    assert run("config", "lint", str(file)).code == 0


def test_explain_config_says_where_values_come_from(run: Run, config: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("DRIFTWAKE__MODELS__0__PARTITIONS", "4")
    found = {one["path"]: one for one in json.loads(run("config", "explain", str(config), "--json").out)}
    assert found["models[0].name"]["origin"] == "driftwake.yaml:3"
    assert (found["models[0].partitions"]["value"], found["models[0].partitions"]["origin"]) == (
        "4", "environment DRIFTWAKE__MODELS__0__PARTITIONS",
    )  # fmt: skip
    assert found["models[0].label_horizon"]["origin"] == "default"
    assert all(one["reason"] for one in found.values())
    assert "models[0].label_horizon" in run("config", "explain", str(config)).out


def test_the_schema_is_a_json_schema(run: Run):
    schema = json.loads(run("config", "schema").out)
    assert schema["additionalProperties"] is False
    assert schema["required"] == ["models"]
    assert "schema" in schema["$defs"]["GovernedModelSettings"]["properties"]


def test_an_order_without_a_daemon_says_what_to_do(run: Run, config: Path):
    answer = run("freeze", "parcels", "--config", str(config))
    assert answer.code == 1
    assert "no daemon runs with" in answer.err
    assert "start `driftwake up` first" in answer.err


def test_an_order_for_an_unknown_model_is_bad_input(run: Run, config: Path):
    for command in (["freeze", "x"], ["unfreeze", "x"], ["rollback", "x"], ["deploy", "x", "y"]):
        assert run(*command, "--config", str(config)).code == 2


def test_a_bundle_that_is_none_is_refused(run: Run, config: Path, tmp_path: Path):
    assert "manifest.json: no such file" in run("deploy", "parcels", str(tmp_path), "--config", str(config)).err
    assert "expected 64 hex digits" in run("deploy", "parcels", "nothing", "--config", str(config)).err


def test_a_bundle_is_a_shadow_or_forced_not_both(run: Run, config: Path):
    both = run("deploy", "parcels", "x", "--shadow", "mine", "--force", "hurry", "--config", str(config))
    assert both.code == 2
    assert "one of --shadow and --force" in both.err


@pytest.mark.parametrize("options", [["x"], ["x", "--weight", "0"], ["x", "--weight", "1.1"], ["--weight", "0.5"]])
def test_a_canary_is_a_bundle_with_a_weight_or_neither(run: Run, config: Path, options: list[str]):
    answer = run("canary", "parcels", *options, "--config", str(config))
    assert answer.code == 2
    assert "--weight above 0 and at most 1" in answer.err


def test_the_key_is_shown_and_stays(run: Run, config: Path):
    first, second = (run("key", "--config", str(config)) for _ in range(2))
    assert (first.code, first.out) == (0, second.out)
    assert len(first.out.strip()) == 44


def test_a_key_that_is_none_is_a_finding(run: Run, config: Path):
    config.write_text(config.read_text() + "\ntrust: {deployment_keys: [abc]}\n")
    answer = run("config", "lint", str(config))
    assert answer.code == 2
    assert "isn't an Ed25519 public key" in answer.err


def open_incidents(place: Place) -> list[Incident]:
    with reading(load_config(place.config).settings) as ledger:
        return ledger.incidents(only_open=True)


def test_approval_names_the_plan_that_waits(waiting: Place):
    known = open_incidents(waiting)
    for name in (waiting.plan, waiting.plan[:8], waiting.incident, waiting.incident[-8:]):
        asked = ordering.speak(known, name, refuse=False)
        assert (asked.kind, asked.model, asked.arguments) == ("approve", "parcels", {"plan_digest": waiting.plan})
    assert ordering.speak(known, waiting.plan, refuse=True).kind == "refuse"


@pytest.mark.parametrize("name", ["nothing", ""])
def test_approval_of_nothing_is_bad_input(waiting: Place, name: str):
    with pytest.raises(BadInputError):
        ordering.speak(open_incidents(waiting), name, refuse=False)


def test_approval_of_a_plan_that_does_not_wait_is_bad_input(place: Place):
    with pytest.raises(BadInputError, match="names 0 plans that wait for approval; waiting are: none"):
        ordering.speak(open_incidents(place), place.incident, refuse=False)


def test_an_unknown_skill_and_missing_arguments_are_bad_input(run: Run, tmp_path: Path):
    assert "no skill 'fly_high'" in run("skill", "fly_high", "--arguments", str(tmp_path / "x.json")).err
    assert run("skill", "fly_high").code == 2


def test_the_status_of_main_is_the_status_of_the_command(config: Path):
    assert main(["config", "lint", str(config)]) == 0


def test_a_model_is_adopted_from_a_log_of_its_answers(run: Run, config: Path, tmp_path: Path):
    rows, rng = 400, np.random.default_rng(0)
    weight = rng.normal(size=rows)
    score = 1 / (1 + np.exp(-weight))
    table = {
        "asked": pd.date_range("2026-01-01", periods=rows, freq="1h"),
        "known": pd.date_range("2026-01-03", periods=rows, freq="1h"),
        "late": (rng.random(rows) < score).astype(float), "answer": score, "weight": weight, "depot": ["a", "b"] * (rows // 2),
    }  # fmt: skip
    file = tmp_path / "log.parquet"
    pd.DataFrame(table).to_parquet(file)
    command = ["adopt", "parcels", "--data", str(file), "--config", str(config)]
    answer = run(*command)
    assert answer.code == 2
    assert "Name it as `score` in the model's `log` section" in answer.err
    config.write_text(config.read_text() + "    log: {time: asked, label: late, label_time: known, score: answer}\n")
    answer = run(*command)
    assert answer.code == 0, answer.err
    assert f"{rows} labelled rows" in answer.out
    digest = answer.out.split()[-1]
    assert BundleStore(tmp_path / "data/registry").verify("parcels", digest).is_stand_in
    assert json.loads(run(*command, "--json").out)["digest"] == digest
    assert run("adopt", "parcels", "--data", str(tmp_path / "none.parquet"), "--config", str(config)).code == 2
