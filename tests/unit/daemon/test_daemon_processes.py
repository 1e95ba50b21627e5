"""Child processes end when they are told to, also before they have begun, and old deaths are forgiven."""

import asyncio
from pathlib import Path

import pytest

from daemon import processes
from daemon.processes import ManagedProcess, ProcessFailedError

# Reads its standard input, which never ends while we live.
WAITING = "code"
DYING = "this_module_is_not_there"


async def test_who_is_stopped_before_it_began_does_not_begin(tmp_path: Path):
    process = ManagedProcess("child", WAITING, [], tmp_path / "out")
    await process.stop()
    async with asyncio.timeout(5):
        await process.run()
    assert process.pid is None


async def test_who_is_stopped_while_it_starts_ends(tmp_path: Path):
    process = ManagedProcess("child", WAITING, [], tmp_path / "out")
    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        group.create_task(process.run())
        await asyncio.sleep(0)
        await process.stop()
    assert process.pid is None


async def test_who_dies_too_often_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(processes, "FIRST_PAUSE_SECONDS", 0.001)
    monkeypatch.setattr(processes, "MOST_RESTARTS", 2)
    with pytest.raises(ProcessFailedError, match="died 2 times"):
        await ManagedProcess("child", DYING, [], tmp_path / "out").run()


async def test_who_ran_long_enough_is_forgiven(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(processes, "FIRST_PAUSE_SECONDS", 0.001)
    monkeypatch.setattr(processes, "MOST_RESTARTS", 2)
    monkeypatch.setattr(processes, "STEADY_SECONDS", 0.0)
    process = ManagedProcess("child", DYING, [], tmp_path / "out")
    async with asyncio.TaskGroup() as group:
        running = group.create_task(process.run())
        while (tmp_path / "out").read_text().count(DYING) < 3 if (tmp_path / "out").exists() else True:
            assert not running.done()
            await asyncio.sleep(0.02)
        await process.stop()
