"""Partitions that go to another worker and come back, on a real broker: windows see each answer once, whoever gave it."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Container
from pathlib import Path
from typing import Any

import pytest

from streams.contracts.features import Window
from streams.serving.stage import ServingStage
from streams.transport.membership import Worker
from streams.transport.processor import Delivery
from tests.kit.bundles import START_MS
from tests.kit.serving import SKEW_MS, Bench, Watcher, deploy, number_of, running, served, stage_of

COUNT = Window(aggregate="count", source="requests", by=("owner",), range_ms=30 * 86_400_000)
OUTCOMES = Window(aggregate="count", source="outcomes", by=("owner",), range_ms=30 * 86_400_000)
ROWS, STEP_MS = 40, 600
"""A step's rows are 24 s; with a skew of a minute they see those of steps before alone."""


@pytest.mark.parametrize("delivery", ["exactly_once", "at_least_once"])
async def test_windows_see_what_another_worker_answered_in_between(bench: Bench, tmp_path: Path, delivery: Delivery) -> None:
    await deploy(bench.publisher, bench.model, 1, bench.bundle(0, windows=(COUNT,)))
    described = served(bench.model, replay=False)._replace(delivery=delivery)
    step, shared = 0, set[int]()

    def stage(name: str) -> ServingStage:
        return stage_of(
            bench.bootstrap,
            bench.model,
            bench.registry,
            replay=False,
            snapshot=tmp_path / name,
            worker=Worker(name),
            described=described,
        )

    def shared_by(*names: str) -> Callable[[Watcher], bool]:
        return lambda watcher: {report.epoch for report in watcher.reports.values()} == {*names}

    def has_read_all(one: ServingStage) -> Callable[[Watcher], bool]:
        feed = one._board.feed
        return lambda w: (
            feed is not None and len(feed) == sum(not p.flags and p.columns["owner"] is not None for p in w.predictions)
        )

    async def answer(steps: int) -> None:
        nonlocal step
        for _ in range(steps):
            numbers, step = range(step * ROWS, (step + 1) * ROWS), step + 1
            await bench.send(*(bench.request(number, START_MS + number * STEP_MS) for number in numbers))
            await bench.watcher.until(lambda w, rows=step * ROWS: len(w.answered()) == rows)

    async with running(stage("one")) as one:
        await answer(2)
        # New windows, whose past comes from elsewhere while rows are answered.
        further = bench.bundle(1, windows=(COUNT, OUTCOMES))
        await deploy(bench.publisher, bench.model, 2, further)
        while not all(further in report.ready for report in bench.watcher.reports.values()):
            await answer(1)
        async with running(stage("two")):
            await bench.watcher.until(shared_by("one", "two"))
            shared |= {*range(step, step + 5)}
            await answer(5)
        await bench.watcher.until(shared_by("one"))
        await bench.watcher.until(has_read_all(one))
        await answer(5)
        async with running(stage("three")):
            await bench.watcher.until(shared_by("one", "three"))
            shared |= {*range(step, step + 3)}
            await answer(3)
    async with running(stage("one")):
        await answer(4)
    assert_counted(bench.watcher, shared)


def assert_counted(watcher: Watcher, shared: Container[int]) -> None:
    """Every answer of a worker that was alone has counted what was answered a skew before it, once.

    Of two workers, one reads what the other answered some tenths of a second later, here minutes of event time.
    """
    answered = {number_of(prediction): prediction for prediction in watcher.predictions}
    assert len(answered) == len(watcher.predictions)
    counted, facts = 0, defaultdict[Any, list[int]](list)
    for prediction in sorted(watcher.predictions, key=lambda one: one.time_ms):
        if not prediction.flags:
            facts[prediction.columns["owner"]].append(prediction.time_ms)
    for number, prediction in answered.items():
        if number // ROWS in shared:
            continue
        owner, until = prediction.columns["owner"], prediction.time_ms - SKEW_MS
        seen = bisect_left(facts[owner], until)
        assert prediction.windows[COUNT.name] == (None if owner is None else seen), number
        counted += seen
    assert counted > 10_000
