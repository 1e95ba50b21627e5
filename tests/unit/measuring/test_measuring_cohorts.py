"""Of which buckets' requests the outcomes are is counted where a detector asks, and adds up over partitions."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from streams.contracts.records import ShadowScore, TaskState
from streams.contracts.summaries import LossSummary
from streams.detectors.checks import World
from streams.model import ModelSettings
from streams.monitoring.config import COVERAGE
from streams.monitoring.merging import merge_losses
from streams.runtime.plugins import kinds_of
from streams.statistics.cohorts import FINE
from tests.kit.measured import DAY, DIGESTS, START, give, log_of, outcome, prediction, task_of


def test_outcomes_are_counted_by_the_bucket_of_their_request_for_who_serves() -> None:
    task = task_of()
    shadows = [ShadowScore("next", DIGESTS[1], 1.0)]
    days = (0, 0, 1, 2)
    rows = [prediction(place, day * DAY + 5, shadows=shadows) for place, day in enumerate(days)]
    give(task, log_of("preds", [3 * DAY]))
    known = [outcome(row, 1.0, 2 * DAY + 9) for row in rows]
    known += [outcome(rows[0], 0.0, 2 * DAY + 9, revision=1), outcome(prediction(9, 7, flags=["range"]), 1.0, 2 * DAY + 9)]
    summaries, _ = give(task, log_of("outs", [*known, 3 * DAY]))
    found = {one.slot: one for one in summaries if isinstance(one, LossSummary)}
    assert found["champion"].rows == 4, "a correction and a suspect row count nowhere"
    assert found["champion"].cohorts == [(START, 2), (START + DAY, 1), (START + 2 * DAY, 1)]
    assert found["next"].cohorts == [], "shadows aren't watched"


def test_a_restart_counts_them_once() -> None:
    row, records = prediction(0, 5), log_of("outs", [outcome(prediction(0, 5), 1.0, 50), outcome(prediction(1, 6), 1.0, 60)])
    task, again = task_of(), task_of()
    give(task, log_of("preds", [row, DAY]))
    result = asyncio.run(task.process(records[:1], rebuilding=False))
    starts = again.restore(TaskState(positions={}, rebuild_from=result.rebuild_from, details=result.details))
    assert starts["outs/0"] == 0
    asyncio.run(again.process(records[:1], rebuilding=True))
    asyncio.run(again.process(records[1:], rebuilding=False))
    (summary,) = [one for one in give(again, log_of("outs", [0, 0, DAY])[2:])[0] if isinstance(one, LossSummary)]
    assert summary.cohorts == [(START, 2)]


def test_labels_that_take_for_ever_make_few_cohorts_which_are_the_same_however_many_partitions() -> None:
    """Requests of 12,000 days, all of whose labels become known on the last."""
    ages = [*range(0, 12_000, 3), *range(FINE), 19_000]
    rows = [prediction(place, -age * DAY + 5) for place, age in enumerate(ages)]
    known = [outcome(row, float(place % 2), 9) for place, row in enumerate(rows)]
    found = []
    for parts in ([known], [known[::2], known[1::2]], [known[2::3], known[::3], known[1::3]]):
        summaries = []
        for number, part in enumerate(parts):
            task = task_of(number, partitions=len(parts))
            give(task, log_of("preds", [DAY], number))
            summaries += [one for one in give(task, log_of("outs", [*part, DAY], number))[0] if isinstance(one, LossSummary)]
        found.append(merge_losses(summaries).cohorts)
    assert found[0] == found[1] == found[2]
    assert len(found[0]) < 4 * FINE < len(ages)
    assert sum(count for _, count in found[0]) == len(ages)
    recent = [(begin, count) for begin, count in found[0] if begin > START - FINE * DAY]
    assert recent == [(START - age * DAY, 1 + (age % 3 == 0)) for age in reversed(range(FINE))], "each day is a cohort of its own"


def test_labels_of_requests_that_lie_ahead_are_one_cohort() -> None:
    task = task_of()
    give(task, log_of("preds", [DAY]))
    rows = [prediction(place, place * DAY) for place in range(7)]
    ((summary,), _) = give(task, log_of("outs", [*(outcome(row, 1.0, 9) for row in rows), DAY]))
    assert isinstance(summary, LossSummary)
    assert summary.cohorts == [(START, 1), (START + DAY, 6)]


def test_cohorts_of_partitions_add_up_and_one_that_has_none_leaves_them_unknown() -> None:
    losses = World(3).view(0).losses
    assert losses is not None
    one, other, empty = (
        msgspec.structs.replace(losses, partition=number, rows=rows, cohorts=cohorts)
        for number, (rows, cohorts) in enumerate([(5, [(0, 2), (9, 3)]), (4, [(4, 1), (9, 3)]), (0, [])])
    )
    assert merge_losses([other, empty, one]).cohorts == [(0, 2), (4, 1), (9, 6)]
    unknown = msgspec.structs.replace(other, cohorts=[])
    assert merge_losses([one, unknown]).cohorts == [], "of an older version, or before anybody asked"


@pytest.mark.parametrize("detectors", [["loss_mean"], ["loss_mean", COVERAGE]])
def test_nobody_counts_what_no_detector_asks_for(detectors: list[str]) -> None:
    assert COVERAGE in kinds_of("streams.detectors")
    settings = {"name": "m", "schema": {"columns": [{"name": "size", "kind": "number"}]}, "monitoring": {"detectors": detectors}}
    measured = ModelSettings.model_validate(settings).measured()
    assert measured.counts_cohorts == (COVERAGE in detectors)
    task = task_of(counts_cohorts=measured.counts_cohorts)
    give(task, log_of("preds", [DAY]))
    ((summary,), _) = give(task, log_of("outs", [outcome(prediction(0, 5), 1.0, 50), DAY]))
    assert isinstance(summary, LossSummary)
    assert summary.cohorts == ([(START, 1)] if measured.counts_cohorts else [])
