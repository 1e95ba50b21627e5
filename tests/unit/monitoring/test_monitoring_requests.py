"""How many requests came is known of every bucket, also where too few are fit to say anything else."""

from __future__ import annotations

import math

import msgspec
import pytest

from streams.contracts.bundle import Normal, Usual
from streams.contracts.summaries import InputSummary
from streams.detectors.base import BucketView, Requests
from streams.detectors.checks import DAY_MS, World
from streams.monitoring.buckets import Bucket
from streams.monitoring.config import MonitoredModel, MonitoringConfig
from streams.monitoring.merging import merge_inputs
from streams.monitoring.watching import Reference, Verdict, Watcher

MODEL = MonitoredModel("m", "binary", "s", "state", "driftwake.events", 1, DAY_MS)


def summary_of(
    world: World, day: int, *, rows: int = 600, suspect: int = 0, digest: str = "d", partition: int = 0
) -> InputSummary:
    found = world.view(day, rows=rows - suspect).inputs
    assert found is not None
    return msgspec.structs.replace(found, rows=rows, suspect=suspect, digest=digest, partition=partition)


def bucket_of(day: int, *parts: InputSummary) -> Bucket:
    inputs: dict[str, list[InputSummary]] = {}
    for part in parts:
        inputs.setdefault(part.digest, []).append(part)
    return Bucket(day * DAY_MS, (day + 1) * DAY_MS, inputs, {})


def watcher_of(world: World, *detectors: str, normal: Normal | None = None) -> Watcher:
    profile = msgspec.structs.replace(world.profile, normal=normal)
    return Watcher(MODEL, MonitoringConfig(detectors=detectors), lambda _: Reference(world.manifest, profile))


def usually(rows: int) -> Normal:
    usual = Usual(level=math.log(rows), unrest=0.01, rows=rows * 100.0, buckets=100)
    return Normal(
        bucket_ms=DAY_MS, since_ms=0, until_ms=100 * DAY_MS, buckets=100, confirm_after=2, clear_after=3, level=1.0, rate=0.1,
        excess=0.43, signals={"inputs_volume": {"requests: rows": usual}},
    )  # fmt: skip


def confirmed(verdict: Verdict) -> list[str]:
    return [event.detector for event in verdict.events if event.transition == "confirmed"]


def test_a_bucket_of_suspect_requests_alone_is_said_with_its_rows() -> None:
    world = World(3)
    watcher = watcher_of(world, "inputs_quality", "inputs_suspect")
    for day in range(4):
        assert not watcher.look(bucket_of(day, summary_of(world, day))).events
    verdict = watcher.look(bucket_of(4, summary_of(world, 4, rows=600, suspect=590)))
    assert confirmed(verdict) == ["inputs_suspect"]
    (event,) = verdict.events
    assert (event.kind, event.rows) == ("data_quality", 600)
    assert event.evidence[0].effect == pytest.approx(590 / 600, abs=0.01)
    assert verdict.inconclusive == {("inputs_quality", "data_quality"): "too_few_rows"}


def test_volume_counts_all_bundles_and_says_so_of_buckets_that_are_too_thin_for_all_else() -> None:
    world = World(3)
    watcher = watcher_of(world, "inputs_volume", normal=usually(600))
    for day in range(6):
        verdict = watcher.look(bucket_of(day, summary_of(world, day)))
        assert not verdict.events
        assert verdict.tests == ({"inputs_volume": 1} if day else {}), "monitoring may have begun within the first"
    swapped = [summary_of(world, 6, rows=310, digest="d"), summary_of(world, 6, rows=290, digest="e")]
    assert not watcher.look(bucket_of(6, *swapped)).events
    verdict = watcher.look(bucket_of(7, summary_of(world, 7, rows=12, partition=0), summary_of(world, 7, rows=8, partition=1)))
    assert confirmed(verdict) == ["inputs_volume"]
    evidence = verdict.events[0].evidence[0]
    assert evidence.effect == pytest.approx(math.log2(20 / 600), abs=0.1)
    assert evidence.before["rows"] == pytest.approx(600)
    assert evidence.after["rows"] == 20


def test_what_must_be_learnt_and_was_not_gives_no_verdict_and_says_why() -> None:
    world = World(3)
    watcher = watcher_of(world, "inputs_volume", "inputs_duplicates", "inputs_quality")
    for day in range(5):
        verdict = watcher.look(bucket_of(day, summary_of(world, day, rows=600 if day < 3 else 6_000)))
        wanting = [("inputs_volume", "data_quality"), ("inputs_duplicates", "data_quality")]
        assert verdict.inconclusive == dict.fromkeys(wanting, "not_learnt")
        assert list(verdict.tests) == ["inputs_quality"]


def test_contents_of_partitions_add_up_and_one_that_has_none_leaves_them_unknown() -> None:
    world = World(3)
    first, second = (summary_of(world, 0, rows=300, partition=partition) for partition in range(2))
    first.contents, second.contents = [(1, 2), (5, 1)], [(1, 1), (3, 4)]
    assert merge_inputs([first, second], 10).contents == [(1, 3), (3, 4), (5, 1)]
    second.contents = []
    assert merge_inputs([first, second], 10).contents == [], "of an older version"
    second.suspect = second.rows
    assert merge_inputs([first, second], 10).contents == [(1, 2), (5, 1)], "it had no fit rows"


@pytest.mark.parametrize("name", ["waits", "arrivals"])
def test_counts_of_partitions_add_up_and_one_that_has_none_leaves_them_unknown(name: str) -> None:
    world = World(3)
    parts = [summary_of(world, 0, rows=300, partition=partition) for partition in range(2)]
    first, second = (getattr(part, name) for part in parts)
    assert sum(first) == sum(second) == 300

    def merged(rows: int, counts: list[int]) -> list[int]:
        other = msgspec.structs.replace(parts[1], rows=rows, **{name: counts})
        found: list[int] = getattr(merge_inputs([other, parts[0]], 10), name)
        return found

    assert merged(300, second) == [one + other for one, other in zip(first, second, strict=True)]
    assert merged(300, [0] * len(first)) == first, "none of its rows says when it was received"
    assert merged(300, []) == [], "of an older version, or before anybody asked"
    assert merged(0, []) == first
    assert getattr(merge_inputs([msgspec.structs.replace(part, rows=0) for part in parts], 10), name) == []


def test_a_bucket_of_outcomes_alone_knows_of_no_requests() -> None:
    world = World(3)
    view = world.view(0)
    assert view.losses is not None
    assert view.requests == Requests(600, 0, 0)
    watcher = watcher_of(world, "inputs_suspect")
    watcher.look(bucket_of(0, summary_of(world, 0)))
    verdict = watcher.look(Bucket(DAY_MS, 2 * DAY_MS, {}, {"d": [view.losses]}))
    assert verdict.inconclusive == {("inputs_suspect", "data_quality"): "too_few_rows"}


def test_rejected_records_of_all_partitions_and_bundles_are_said_where_too_few_requests_are_left() -> None:
    world = World(3)
    watcher = watcher_of(world, "inputs_quality", "requests_rejected")
    for day in range(4):
        assert not watcher.look(bucket_of(day, summary_of(world, day))).events
    parts = [
        msgspec.structs.replace(summary_of(world, 4, rows=rows, digest=digest, partition=partition), rejected=rejected)
        for rows, digest, partition, rejected in ((9, "d", 0, 100), (7, "d", 1, 30), (4, "e", 0, 20))
    ]
    assert merge_inputs(parts[:2], 10).rejected == 130
    verdict = watcher.look(bucket_of(4, *parts))
    assert confirmed(verdict) == ["requests_rejected"]
    (event,) = verdict.events
    assert (event.kind, event.rows) == ("serving", 20)
    assert event.evidence[0].effect == pytest.approx(150 / 170, abs=0.01)
    assert event.evidence[0].after == {"share": pytest.approx(150 / 170), "rows": 170.0}
    assert verdict.inconclusive == {("inputs_quality", "data_quality"): "too_few_rows"}


def silently(world: World, day: int) -> BucketView:
    """A day with too few requests for anything but how many came."""
    view = world.view(day)
    return view._replace(inputs=None, losses=None, requests=Requests(20, 1))


def test_a_bucket_of_a_log_is_looked_at_as_it_is() -> None:
    """A log's buckets are merged already; what came of those that are too thin is known all the same."""
    world = World(3)
    watcher = watcher_of(world, "inputs_volume", normal=usually(600))
    for day in range(3):
        assert not watcher.look_at(world.view(day)).events
    assert confirmed(watcher.look_at(silently(world, 3))) == ["inputs_volume"]
    other = Watcher(MODEL, MonitoringConfig(), lambda _: None)
    assert not other.look_at(world.view(0)).tests, "of a bundle that can't be had nothing is said"


def test_how_long_labels_take_comes_with_what_was_learnt() -> None:
    """Labels come within the day: each day says of the one before how many have none."""
    world = World(3)
    usual = Usual(level=2 * (math.asin(math.sqrt(0.1)) - math.pi / 4), unrest=0.001, rows=60_000.0, buckets=100)
    normal = msgspec.structs.replace(usually(600), signals={"labels_coverage": {"labels: missing": usual}}, label_delay_ms=DAY_MS)
    watcher = watcher_of(world, "labels_coverage", normal=normal)
    verdicts = [watcher.look_at(world.view(day, is_broken=day >= 9)) for day in range(12)]
    assert [verdict.tests for verdict in verdicts[:3]] == [{}, {"labels_coverage": 1}, {"labels_coverage": 1}]
    days = [day for day, verdict in enumerate(verdicts) if confirmed(verdict)]
    assert days == [10], "the cohort of the day before it is the first that lacks labels"
    (event,) = verdicts[10].events
    assert (event.kind, event.evidence[0].watched) == ("data_quality", "labels")
    assert event.evidence[0].effect == pytest.approx(0.4 - 0.1, abs=0.08)
    assert event.evidence[0].before["labelled"] == pytest.approx(0.9)
    assert event.evidence[0].after["labelled"] == pytest.approx(0.6, abs=0.06)
    unlearnt = watcher_of(world, "labels_coverage", normal=msgspec.structs.replace(normal, label_delay_ms=0))
    assert [unlearnt.look_at(world.view(day)).tests for day in range(3)] == [{}] * 3
