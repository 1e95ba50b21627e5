"""What a skill says of how far it is is told while it runs, each line once, and all of it whatever becomes of the run."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from daemon.errors import RunFailedError
from daemon.replay import following
from daemon.replay.following import followed


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "EVERY_SECONDS", 0.001)


async def test_lines_are_told_while_the_run_goes_on_each_once(tmp_path: Path) -> None:
    file, told, told_first = tmp_path / "progress.txt", list[str](), asyncio.Event()

    def tell(line: str) -> None:
        told.append(line)
        told_first.set()

    async def run() -> dict[str, Any]:
        file.write_bytes(b"one\ntw")
        await asyncio.wait_for(told_first.wait(), 10)
        assert told == ["one"], "half a line is none"
        with file.open("ab") as more:
            more.write("o\nthrée\nnever ends".encode())
        return {"answer": 42}

    assert await followed(run(), file, tell) == {"answer": 42}
    assert told == ["one", "two", "thrée"]


async def test_a_run_that_says_nothing_is_waited_for_all_the_same(tmp_path: Path) -> None:
    async def run() -> dict[str, Any]:
        await asyncio.sleep(0.01)
        return {}

    assert await followed(run(), tmp_path / "none.txt", lambda _: pytest.fail("there is nothing to tell")) == {}


async def test_what_a_run_fails_of_comes_alone_after_its_last_words(tmp_path: Path) -> None:
    told: list[str] = []

    async def run() -> dict[str, Any]:
        (tmp_path / "progress.txt").write_bytes(b"last\n")
        raise RunFailedError("no_data", "too short")

    with pytest.raises(RunFailedError, match="too short"):
        await followed(run(), tmp_path / "progress.txt", told.append)
    assert told == ["last"]
