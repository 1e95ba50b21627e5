"""Trainings of several policies: side by side, each told apart, in the same order whichever is ready first."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from daemon.errors import RunFailedError
from tests.bench.closed_loop.cast import AT_ONCE, TRAINING_MS, Cast
from tests.bench.closed_loop.policies.base import DAY_MS, Moment, Retrain
from tests.unit.bench_loop.policy_world import COUNTS, NO_LABELS, NO_REQUESTS, day

WANTED = Retrain(day(0), day(20), why="because")


class Asks:
    """A policy that asks for one thing at each moment."""

    who = "asks"

    def __init__(self, name: str, wanted: Retrain) -> None:
        self.name = name
        self.wanted = wanted

    def decide(self, moment: Moment) -> Retrain | None:
        return self.wanted


class Skills:
    """Skills that train `together` at a time, the first of them ready last; `most` ran at once."""

    def __init__(self, folder: Path, *, is_better: bool = True, together: int = 1, failure: str = "") -> None:
        self.failure = failure
        self.folder = folder
        self.better = is_better
        self.trained: list[tuple[str, list[int]]] = []
        self.compared: list[tuple[str, str, str]] = []
        self.running = self.most = 0
        self.meeting = asyncio.Barrier(together)

    async def dataset(self, name: str, *_: Any) -> dict[str, Any]:
        table = pa.table({"time_ms": [day(at) for at in (5, 15, 25)]})
        (self.folder / name).mkdir()
        paths = {part: str(self.folder / name / f"{part}.parquet") for part in ("train", "sealed")}
        for path in paths.values():
            pq.write_table(table, path)
        return paths

    async def train(self, name: str, table: str, _windows: Any) -> str:
        if self.failure:
            raise RunFailedError(self.failure, "labels become known too late")
        self.trained.append((name, pq.read_table(table)["time_ms"].to_pylist()))
        self.running += 1
        self.most = max(self.most, self.running)
        place = await self.meeting.wait()
        for _ in range(20 * (self.meeting.parties - place)):
            await asyncio.sleep(0)
        self.running -= 1
        return f"made for {name}"

    async def is_better(self, name: str, champion: str, challenger: str, _sealed: str) -> bool:
        self.compared.append((name, champion, challenger))
        return self.better


async def decided(folder: Path, policies: list[Asks], **skills: Any) -> tuple[Cast, Skills, list[tuple[str, str]]]:
    made, seated = Skills(folder, **skills), []

    async def archived(_until_ms: int) -> None:
        pass

    async def put(slot: str, digest: str) -> None:
        seated.append((slot, digest))

    stage: Any = SimpleNamespace(lockstep=SimpleNamespace(archived=archived), seats=SimpleNamespace(put=put))
    by_hand: Any = made
    cast = Cast(policies, by_hand=by_hand, stage=stage, windows=(COUNTS,), flush_ms=DAY_MS)
    await cast.take_seats("first")
    await cast.decide(day(30), NO_REQUESTS, {one.name: NO_LABELS for one in policies})
    return cast, made, seated


async def test_trainings_run_two_at_once_and_keep_their_order(tmp_path: Path) -> None:
    policies = [Asks(name, WANTED._replace(since_ms=day(number))) for number, name in enumerate("abcd")]
    cast, skills, _ = await decided(tmp_path, policies, together=AT_ONCE)
    assert skills.most == AT_ONCE
    assert [(one.policy, one.digest) for one in cast.trained] == [(name, f"made for {name}-0") for name in "abcd"]
    assert {one.ready_ms for one in cast.trained} == {day(30) + TRAINING_MS}


async def test_the_same_wish_at_the_same_time_is_trained_once_under_the_first_name(tmp_path: Path) -> None:
    cast, skills, _ = await decided(tmp_path, [Asks("a", WANTED), Asks("b", WANTED)])
    assert skills.trained == [("a-0", [day(5), day(15)])]
    assert [one.digest for one in cast.trained] == ["made for a-0"] * 2


@pytest.mark.parametrize("is_better", [True, False])
async def test_a_gate_compares_with_what_is_in_the_slot(tmp_path: Path, is_better: bool) -> None:  # noqa: FBT001 - a parameter
    cast, skills, seated = await decided(tmp_path, [Asks("a", WANTED._replace(gate=True))], is_better=is_better)
    assert skills.compared == [("a-0", "first", "made for a-0")]
    assert [one.is_accepted for one in cast.trained] == [is_better]
    await cast.swap_in(day(31))
    assert seated == [("a", "first")] + [("a", "made for a-0")] * is_better


async def test_rows_that_wont_do_for_a_model_leave_the_slot_as_it_is(tmp_path: Path) -> None:
    cast, _, seated = await decided(tmp_path, [Asks("a", WANTED)], failure="no_data")
    assert [(one.digest, one.is_accepted) for one in cast.trained] == [("", False)]
    assert cast.trained[0].why.endswith("labels become known too late")
    await cast.swap_in(day(31))
    assert seated == [("a", "first")]


async def test_a_skill_that_crashes_ends_the_replay(tmp_path: Path) -> None:
    with pytest.raises(ExceptionGroup) as caught:
        await decided(tmp_path, [Asks("a", WANTED)], failure="crashed")
    assert caught.group_contains(RunFailedError)


async def test_rows_that_the_lake_lacks_are_waited_for(tmp_path: Path) -> None:
    cast, _, _ = await decided(tmp_path, [Asks("a", WANTED._replace(until_ms=day(31)))])
    assert cast.trained == []
