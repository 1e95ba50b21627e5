"""Skills in forks of warm processes answer, fail and die as those of their own process do, and nothing outlives its caller."""

from __future__ import annotations

import asyncio
import gc
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

from daemon.errors import RunFailedError, RunLostError
from daemon.executing import child
from daemon.executing.child import Folder
from daemon.executing.config import ExecutingConfig
from daemon.replay.warm import WarmSkills
from streams.runtime.config import environment

KIT = Path(__file__).parents[2] / "kit"

# Asks for a skill that never answers, and says which processes are then there.
CALLER = """
import asyncio, sys
from pathlib import Path
import psutil
from tests.unit.replay.test_replay_warm import asked, config
from daemon.replay.warm import WarmSkills

async def main(folder):
    async with asyncio.TaskGroup() as group:
        task = group.create_task(WarmSkills(config(folder)).run("hang", asked(folder, "hang", "hang")))
        while not (folder / "hang" / "skill.log").exists() or "hanging" not in (folder / "hang" / "skill.log").read_text():
            await asyncio.sleep(0)
        print(*[one.pid for one in psutil.Process().children(recursive=True)], flush=True)
        await task

asyncio.run(main(Path(sys.argv[1])))
"""


def config(folder: Path, **changes: Any) -> ExecutingConfig:
    return ExecutingConfig(**({"work": folder, "skills_module": "tiny_skills", "python_path": (str(KIT),)} | changes))


def asked(folder: Path, name: str, told: Any) -> Folder:
    """A prepared folder for a skill that answers what is told."""
    lake = folder / f"lake-of-{name}"
    lake.mkdir(exist_ok=True)
    (lake / "script.json").write_text(json.dumps({name: told}))
    prepared = Folder(folder / name)
    prepared.prepare({"lake": str(lake)})
    return prepared


async def test_the_answer_is_that_of_a_process_of_its_own(tmp_path: Path) -> None:
    warm = WarmSkills(config(tmp_path))
    fresh = await child.run("look", asked(tmp_path, "look", "echo"), config(tmp_path))
    forked = await warm.run("look", asked(tmp_path, "look", "echo"))
    assert forked["options"] == fresh["options"]
    assert set(forked["environment"]) == set(fresh["environment"])
    for name in ("PYTHONHASHSEED", "OMP_NUM_THREADS", "PATH"):
        assert forked["environment"][name] == fresh["environment"][name]


async def test_a_process_serves_many_calls_and_calls_at_once_have_one_each(tmp_path: Path) -> None:
    warm, before = WarmSkills(config(tmp_path)), children()
    for number in range(3):
        assert await warm.run("count", asked(tmp_path, "count", {"number": number})) == {"number": number}
    assert len(children() - before) == 1
    both = [warm.run(name, asked(tmp_path, name, {"name": name})) for name in ("one", "two")]
    assert await asyncio.gather(*both) == [{"name": "one"}, {"name": "two"}]
    assert len(children() - before) == 2
    del warm, both
    gc.collect()
    assert not children() - before


@pytest.mark.parametrize(
    ("told", "error", "failure"),
    [("no_data", RunFailedError, "no_data"), ("gulp", RunFailedError, "crashed"), ("die", RunLostError, "out_of_memory")],
)
async def test_a_failure_has_its_class_and_the_next_call_works(tmp_path: Path, told: str, error: type, failure: str) -> None:
    warm = WarmSkills(config(tmp_path, memory_mb=512))
    with pytest.raises(error) as caught:
        await warm.run("fail", asked(tmp_path, "fail", told))
    assert caught.value.failure == failure
    assert await warm.run("work", asked(tmp_path, "work", {"rows": 1})) == {"rows": 1}


async def test_a_warm_process_that_dies_is_told_and_replaced(tmp_path: Path) -> None:
    warm = WarmSkills(config(tmp_path))
    with pytest.raises(RunLostError, match="to fork from died"):
        await warm.run("fail", asked(tmp_path, "fail", "orphan"))
    assert await warm.run("work", asked(tmp_path, "work", {"rows": 1})) == {"rows": 1}


async def test_a_module_that_can_t_be_imported_is_told(tmp_path: Path) -> None:
    with pytest.raises(RunLostError, match="look"):
        await WarmSkills(config(tmp_path, skills_module="no_such_module")).run("look", asked(tmp_path, "look", "echo"))


# Skills of a package that leave their process's id in a file when they are imported.
PACKAGE = """
import json, os, sys
from pathlib import Path

def main():
    import package.noting
    asked = dict(zip(sys.argv[2::2], sys.argv[3::2]))
    answer = {"ok": True, "result": {"pid": os.getpid()}}
    Path(asked["--output"]).write_text(json.dumps(answer))

if __name__ == "__main__":
    main()
"""
NOTING = """
import os
from pathlib import Path
with Path(__file__).with_name("imported").open("a") as file:
    print(os.getpid(), file=file)
"""


async def test_a_skill_s_module_is_imported_once_for_all_its_forks(tmp_path: Path) -> None:
    package = tmp_path / "package"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "__main__.py").write_text(PACKAGE)
    (package / "noting.py").write_text(NOTING)
    warm = WarmSkills(config(tmp_path, skills_module="package", python_path=(str(tmp_path),)))
    for number in ("first", "second"):
        folder = asked(tmp_path, number, {})
        assert await warm.run("noting", folder) == {"pid": int(folder.pid.read_text())}
    assert len((package / "imported").read_text().split()) == 1


async def test_what_takes_too_long_is_killed(tmp_path: Path) -> None:
    warm, before = WarmSkills(config(tmp_path, deadline="1s")), children()
    with pytest.raises(RunFailedError, match="deadline"):
        await warm.run("hang", asked(tmp_path, "hang", "hang"))
    assert not children() - before


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux kills the children of the killed")
def test_nothing_outlives_a_killed_caller(tmp_path: Path) -> None:
    command = [sys.executable, "-c", CALLER, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=KIT.parents[1], env=environment()) as caller:  # noqa: S603 - this test's own
        assert caller.stdout is not None
        left = [psutil.Process(int(pid)) for pid in caller.stdout.readline().split()]
        assert len(left) == 2
        caller.kill()
    assert not psutil.wait_procs(left, timeout=10)[1]


def children() -> set[psutil.Process]:
    return set(psutil.Process().children(recursive=True))
