from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from daemon.errors import RunFailedError, RunLostError
from daemon.executing.child import Folder, end_orphan
from daemon.executing.config import ExecutingConfig
from daemon.executing.references import resolve
from daemon.executing.stage import Executing
from daemon.ledger.ledger import Ledger, open_ledger
from daemon.ledger.records import PlanStep
from streams.runtime.config import environment
from tests.kit.control import MODEL, Control

KIT = Path(__file__).parents[2] / "kit"


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with open_ledger(tmp_path / "ledger.sqlite") as opened:
        yield opened


def config(tmp_path: Path, **changes: Any) -> ExecutingConfig:
    plain = {"work": tmp_path / "work", "skills_module": "tiny_skills", "python_path": (str(KIT),)}
    return ExecutingConfig(**(plain | changes))


def step(tmp_path: Path, told: Any) -> PlanStep:
    control = Control(tmp_path, build_dataset=told)
    return PlanStep(key="data", skill="build_dataset", arguments=control.places.arguments(control.champion))


async def test_a_step_is_run_once_and_its_result_kept(tmp_path: Path, ledger: Ledger) -> None:
    wanted = step(tmp_path, {"rows": 3, "odd": [1.5, None]})
    executing = Executing(MODEL, ledger, config(tmp_path), "one")
    for _ in range(3):
        assert await executing.do("i", wanted, 1) == {"rows": 3, "odd": [1.5, None]}
    assert Control(tmp_path).starts() == ["build_dataset"]


async def test_a_skill_lives_in_its_own_group_with_a_clean_environment(tmp_path: Path, ledger: Ledger) -> None:
    executing = Executing(MODEL, ledger, config(tmp_path, threads=3, environment={"EXTRA": "1"}), "one")
    told = await executing.do("i", step(tmp_path, "echo"), 1)
    assert told["group"]
    assert (told["environment"]["OMP_NUM_THREADS"], told["environment"]["EXTRA"]) == ("3", "1")
    assert not set(told["environment"]) & (
        set(environment()) - {"PATH", "HOME", "LANG", "LC_CTYPE", "PYTHONHASHSEED", "PYTHONPATH", "TMPDIR", "OMP_NUM_THREADS"}
    )
    assert Path(told["options"]["--work"]).is_relative_to(tmp_path / "work")


@pytest.mark.parametrize(("told", "failure"), [("no_data", "no_data"), ("gulp", "crashed"), ("evil <b>", "failed")])
async def test_a_failure_has_a_class_and_stays(tmp_path: Path, ledger: Ledger, told: str, failure: str) -> None:
    executing = Executing(MODEL, ledger, config(tmp_path, memory_mb=256), "one")
    wanted = step(tmp_path, told)
    for _ in range(2):
        with pytest.raises(RunFailedError) as caught:
            await executing.do("i", wanted, 1)
        assert caught.value.failure == failure
    found = ledger.step("i", "data")
    assert found is not None
    assert found.state == "failed"
    assert len(Control(tmp_path, build_dataset=told).starts()) == (2 if told == "gulp" else 1)


async def test_a_process_that_dies_is_started_again_and_then_given_up(tmp_path: Path, ledger: Ledger) -> None:
    executing = Executing(MODEL, ledger, config(tmp_path), "one")
    with pytest.raises(RunLostError, match="out_of_memory"):
        await executing.do("i", step(tmp_path, "die"), 1)
    assert Control(tmp_path).starts() == ["build_dataset"] * 2


async def test_a_skill_over_its_deadline_is_killed_with_its_group(tmp_path: Path, ledger: Ledger) -> None:
    executing = Executing(MODEL, ledger, config(tmp_path, deadline="400ms"), "one")
    with pytest.raises(RunFailedError, match="deadline"):
        await executing.do("i", step(tmp_path, "hang"), 1)
    pid = int((tmp_path / "work" / "i.data" / "1" / "pid").read_text())
    assert not psutil.pid_exists(pid)


def abandon(ledger: Ledger, wanted: PlanStep, work: Path) -> Folder:
    """Leave a step as a daemon does that is killed right after it started the child."""
    taken = ledger.lease(MODEL, "i", wanted.key, kind="skill", skill=wanted.skill, owner="dead", until_wall_ms=1 << 60, now_ms=1)
    folder = Folder(work / "i.data" / "1")
    folder.prepare(wanted.arguments)
    ledger.reserve(taken, {}, 1)
    return folder


async def test_a_result_that_outlived_its_daemon_is_taken_over(tmp_path: Path, ledger: Ledger) -> None:
    wanted = step(tmp_path, {"rows": 1})
    folder = abandon(ledger, wanted, tmp_path / "work")
    folder.answer.write_text(json.dumps({"ok": True, "result": {"rows": 99}}))
    assert await Executing(MODEL, ledger, config(tmp_path), "two").do("i", wanted, 1) == {"rows": 99}
    assert Control(tmp_path).starts() == []


# Started by a process that ends at once, so that it is nobody's child any more.
BREED = "import subprocess, sys; print(subprocess.Popen(sys.argv[1:], start_new_session=True).pid, flush=True)"


async def test_a_running_orphan_is_killed_before_the_step_runs_again(tmp_path: Path, ledger: Ledger) -> None:
    wanted = step(tmp_path, "hang")
    folder = abandon(ledger, wanted, tmp_path / "work")
    skill = [sys.executable, "-m", "tiny_skills", "build_dataset", "--input", str(folder.question)]
    skill += ["--output", str(folder.answer), "--work", str(folder.work)]
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", BREED, *skill, env={"PYTHONPATH": str(KIT)}, stdout=asyncio.subprocess.PIPE, cwd=folder.work
    )  # fmt: skip
    assert parent.stdout is not None
    said = sorted([await parent.stdout.readline(), await parent.stdout.readline()])
    assert said[1] == b"hanging\n"
    orphan = psutil.Process(int(said[0]))
    folder.pid.write_text(str(orphan.pid))
    Control(tmp_path, build_dataset={"rows": 2})
    assert await Executing(MODEL, ledger, config(tmp_path), "two").do("i", wanted, 1) == {"rows": 2}
    await parent.communicate()  # the pipe ends with the orphan, its last holder
    assert not orphan.is_running() or orphan.status() == psutil.STATUS_ZOMBIE
    found = ledger.step("i", "data")
    assert found is not None
    assert found.attempt == 2


DAEMON = """
import asyncio, sys
from pathlib import Path
from daemon.executing.stage import Executing
from daemon.ledger.ledger import open_ledger
from tests.unit.executing.test_executing_children import config, step

folder = Path(sys.argv[1])
with open_ledger(folder / "ledger.sqlite") as ledger:
    asyncio.run(Executing("m", ledger, config(folder), "killed").do("i", step(folder, "orphan"), 1))
"""


async def test_a_child_dies_with_its_daemon_and_the_next_one_runs_the_step_again(tmp_path: Path) -> None:
    daemon = await asyncio.create_subprocess_exec(sys.executable, "-c", DAEMON, str(tmp_path), cwd=KIT.parents[1])
    assert await daemon.wait() == -9
    child = int((tmp_path / "work" / "i.data" / "1" / "pid").read_text())
    with contextlib.suppress(psutil.NoSuchProcess):
        psutil.Process(child).wait(20)
    with open_ledger(tmp_path / "ledger.sqlite") as ledger:
        wanted = step(tmp_path, {"rows": 4})
        assert await Executing(MODEL, ledger, config(tmp_path), "next").do("i", wanted, 1) == {"rows": 4}
        found = ledger.step("i", "data")
        assert found is not None
        assert (found.attempt, found.owner) == (2, "next")


async def test_a_stranger_with_a_reused_pid_is_left_alone(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    folder.pid.write_text(str(os.getpid()))
    assert not end_orphan(folder, "tiny_skills")


@pytest.mark.parametrize(
    "junk", ["", "{", '{"ok": true}', "[]", '{"ok": 1, "result": {}}', '{"ok": false, "error": {"kind": 3}}']
)
async def test_a_nonsense_answer_fails_the_step(tmp_path: Path, ledger: Ledger, junk: str) -> None:
    wanted = step(tmp_path, {"rows": 1})
    abandon(ledger, wanted, tmp_path / "work").answer.write_text(junk)
    with pytest.raises(RunFailedError, match="bad_answer"):
        await Executing(MODEL, ledger, config(tmp_path), "two").do("i", wanted, 1)


def test_references_reach_into_results() -> None:
    results = {"search": {"accepted": [{"window": {"a": 1}}, {"window": {"b": 2}}]}, "data": {"train": "t"}}
    wanted = {
        "train": {"from_step": "data", "field": "train"},
        "windows": {"concat": [[{"a": 1}], {"from_step": "search", "field": "accepted.*.window"}]},
        "plain": [1, {"x": None}],
    }
    assert resolve(wanted, results) == {"train": "t", "windows": [{"a": 1}, {"b": 2}], "plain": [1, {"x": None}]}
    assert resolve({"from_step": "search", "field": "accepted.*.window"}, {"search": {"accepted": []}}) == []


@pytest.mark.parametrize("reference", [{"from_step": "x", "field": "y"}, {"from_step": "data", "field": "y"}])
def test_a_reference_to_nothing_fails(reference: dict[str, str]) -> None:
    with pytest.raises(RunFailedError, match="missing_result"):
        resolve(reference, {"data": {}})
