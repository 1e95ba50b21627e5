"""A log that is whole says how many requests are usual, and how many of them are alike; the rows of a training don't."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
import pyarrow as pa

from skills._kit.usual import Later, Rows, Watch, label_delay_ms, normal_of, views_of
from streams.contracts.bundle import Normal, Usual
from streams.contracts.summaries import ANSWERED, RECEIVED
from streams.detectors.base import Requests
from streams.detectors.checks import DAY_MS, World
from streams.statistics.arrivals import count_arrivals
from streams.statistics.cohorts import FINE, cohorts_of
from streams.statistics.waits import BINS, count_waits

WATCH = Watch(bucket_ms=DAY_MS, detectors=(), confirm_after=2, clear_after=3, alarm_rate=0.01, min_rows=3)


def test_requests_and_contents_are_counted_of_a_whole_log_alone() -> None:
    days = [0, 0, 0, 0, 1, 3, 3, 4, 4]
    table = pa.table(
        {
            "time_ms": pa.array([day * DAY_MS + place for place, day in enumerate(days)], pa.int64()),
            "size": [1.0, 1.0, None, 2.0, 1e6, 5.0, 5.0, 1.0, 2.0],
            "weight": [1.0, 1.0, None, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0],
            "colour": ["red", "red", None, "red", "red", "blue", "blue", "red", "red"],
        }
    )
    empty = np.empty(0)
    rows = Rows(table, Later(empty.astype(np.int64), empty.astype(np.int64), empty, empty))
    world = World(0)
    whole = views_of(WATCH, world.manifest, world.profile, rows, reads_sample=False, is_whole=True)
    # One row of the first day has nothing at all, and that of the second is a million.
    known = [Requests(4, 1), Requests(1, 1), None, Requests(2, 0), None]
    assert [view.requests for view in whole] == known, "none of a day without any, and the log may end within the last"
    assert [view.inputs is None for view in whole] == [False, True, True, True, True], "too few to say anything else"
    assert whole[0].inputs is not None
    assert sorted(count for _, count in whole[0].inputs.contents) == [1, 1, 2]
    for view in views_of(WATCH, world.manifest, world.profile, rows, reads_sample=False):
        assert view.requests is None
        assert view.inputs is None or view.inputs.contents == []


def test_what_only_a_whole_log_tells_is_handed_on_to_the_next_bundle() -> None:
    world = World(0)
    number = 30 * 40
    time_ms = np.arange(number, dtype=np.int64) * (DAY_MS // 40)
    drawn = world.reference.take(pa.array(np.arange(number)))
    labels = drawn.column("label").to_numpy()
    rows = Rows(drawn.append_column("time_ms", pa.array(time_ms)), Later(time_ms, time_ms, labels, np.full(number, 0.5)))
    watch = msgspec.structs.replace(WATCH, detectors=("inputs_volume", "loss_mean"))

    def learnt(before: Normal | None) -> dict[str, dict[str, Usual]]:
        normal = normal_of(watch, world.manifest, world.profile, rows, 0, before=before)
        assert normal is not None
        return normal.signals

    own = learnt(None)
    (loss,) = own["loss_mean"]
    assert (own["inputs_volume"]["requests: rows"].buckets, own["loss_mean"][loss].buckets) == (0, 30)
    earlier = {name: {signal: Usual(level=7.0, rows=9.0, buckets=99) for signal in found} for name, found in own.items()}
    before = Normal(
        bucket_ms=DAY_MS, since_ms=0, until_ms=1, buckets=99, confirm_after=2, clear_after=3, level=0.0, rate=1.0, excess=1.0,
        signals=earlier,
    )  # fmt: skip
    found = learnt(before)
    assert found["inputs_volume"] == earlier["inputs_volume"]
    assert found["loss_mean"] == own["loss_mean"], "it was learnt anew"
    assert learnt(msgspec.structs.replace(before, bucket_ms=DAY_MS // 2)) == own, "other buckets hold other numbers"
    assert learnt(msgspec.structs.replace(before, signals={})) == own


def test_when_requests_came_and_how_long_answers_took_is_counted_of_a_whole_log_that_has_the_times() -> None:
    world, rows = World(0), 9
    time_ms = np.arange(rows) // 3 * DAY_MS
    table = pa.table(
        {
            "time_ms": time_ms,
            "size": np.full(rows, 10.0),
            "weight": np.zeros(rows),
            "colour": ["red"] * rows,
            RECEIVED: pa.array([5, 5, None, *[DAY_MS + 5_000] * 3, None, None, None], pa.float64()),
            ANSWERED: pa.array([5, 45, 45, DAY_MS + 5_100, None, DAY_MS + 4_999, 45, 45, 45], pa.float64()),
        }
    )
    empty = np.empty(0)
    later = Later(empty.astype(np.int64), empty.astype(np.int64), empty, empty)

    def counted(some: pa.Table, *, is_whole: bool) -> tuple[list[list[int]], list[list[int]]]:
        found = views_of(WATCH, world.manifest, world.profile, Rows(some, later), reads_sample=False, is_whole=is_whole)
        inputs = [view.inputs for view in found if view.inputs is not None]
        return [one.arrivals for one in inputs], [one.waits for one in inputs]

    arrivals = [count_arrivals(np.array(behind, np.int64)).tolist() for behind in ([5, 5], [5_000] * 3, [])]
    waits = [count_waits(np.array(waits, np.int64)).tolist() for waits in ([0, 40], [100, -1], [])]
    assert counted(table, is_whole=True) == (arrivals, waits)
    assert waits[2] == [0] * BINS
    nothing = [[]] * 3
    assert counted(table.drop_columns([ANSWERED]), is_whole=True) == (arrivals, nothing)
    assert counted(table.drop_columns([RECEIVED]), is_whole=True) == (nothing, nothing)
    assert counted(table, is_whole=False) == (nothing, nothing)


def test_how_long_labels_took_is_summed_up_once_the_slow_ones_have_had_the_time_to_come() -> None:
    """Each day fifty requests, half of whose labels take half a day and half two and a half; one label never comes."""
    days, world = 12, World(0)
    time_ms = np.repeat(np.arange(days) * DAY_MS, 50)
    delay_ms = np.tile(np.repeat([DAY_MS // 2, 5 * DAY_MS // 2], 25), days)
    known_ms = time_ms + delay_ms
    known_ms[::50] = -1
    table = pa.table(
        {
            "time_ms": time_ms,
            "size": np.full(len(time_ms), 10.0),
            "weight": np.zeros(len(time_ms)),
            "colour": ["red"] * len(time_ms),
        }
    )
    later = Later(time_ms, known_ms, np.zeros(len(time_ms)), np.full(len(time_ms), 0.5))
    views = views_of(WATCH, world.manifest, world.profile, Rows(table, later), reads_sample=False)
    found = [(view.losses.rows, view.losses.delay_ms) for view in views if view.losses is not None]
    half_days = 24 + 25 * 5
    assert found == [(24, 0), (24, 0), (49, 0), *[(49, half_days * DAY_MS // 2)] * 9]
    none = later._replace(known_ms=np.full(len(time_ms), -1))
    for view in views_of(WATCH, world.manifest, world.profile, Rows(table, none), reads_sample=False):
        assert view.losses is None


def labelled_days(days: int, rows: int, delay_days: Sequence[float]) -> Rows:
    """Each day as many requests, whose labels take so many days in turn; a delay below 0: it never comes."""
    time_ms = np.repeat(np.arange(days, dtype=np.int64) * DAY_MS, rows)
    delay = np.resize(np.array(delay_days), len(time_ms))
    known_ms = np.where(delay < 0, -1, time_ms + (delay * DAY_MS).astype(np.int64))
    table = pa.table(
        {
            "time_ms": time_ms,
            "size": np.full(len(time_ms), 10.0),
            "weight": np.zeros(len(time_ms)),
            "colour": ["red"] * len(time_ms),
        }
    )
    return Rows(table, Later(time_ms, known_ms, np.zeros(len(time_ms)), np.full(len(time_ms), 0.5)))


def test_outcomes_are_counted_by_the_bucket_of_their_request_of_a_whole_log_alone() -> None:
    rows, world = labelled_days(4, 10, [0.5, 0.5, 1.5, -1, 9]), World(0)
    whole = views_of(WATCH, world.manifest, world.profile, rows, reads_sample=False, is_whole=True)
    found = [view.losses.cohorts if view.losses is not None else None for view in whole]
    assert found == [
        [(0, 4)],
        [(0, 2), (DAY_MS, 4)],
        [(DAY_MS, 2), (2 * DAY_MS, 4)],
        [(2 * DAY_MS, 2), (3 * DAY_MS, 4)],
    ]
    for view in views_of(WATCH, world.manifest, world.profile, rows, reads_sample=False):
        assert view.losses is None or view.losses.cohorts == []


def test_outcomes_of_long_ago_are_counted_in_the_same_cohorts_as_those_of_a_stream() -> None:
    days, world = 4 * FINE, World(0)
    rows = labelled_days(days, 1, [days - 0.5 - number for number in range(days)])
    (*_, last) = views_of(WATCH, world.manifest, world.profile, rows, reads_sample=False, is_whole=True)
    assert last.losses is not None
    begins = cohorts_of(rows.later.time_ms, last.start_ms, DAY_MS)
    assert last.losses.cohorts == [(begin, int((begins == begin).sum())) for begin in np.unique(begins).tolist()]
    assert len(last.losses.cohorts) == 2 * FINE


def test_when_nearly_all_labels_have_come_goes_by_the_earlier_half_of_the_rows() -> None:
    slow = labelled_days(100, 10, [1.0] * 9 + [30.0]).later
    assert label_delay_ms(slow) == 30 * DAY_MS
    assert label_delay_ms(labelled_days(100, 10, [1.0] * 99 + [30.0]).later) == DAY_MS
    recent = slow._replace(known_ms=np.where(slow.time_ms < 50 * DAY_MS, slow.time_ms + DAY_MS, slow.known_ms))
    assert label_delay_ms(recent) == DAY_MS, "slow labels of the later half may not have come yet"
    assert label_delay_ms(labelled_days(100, 10, [0.0]).later) == 1, "0 stands for what nobody measured"
    assert label_delay_ms(labelled_days(9, 10, [1.0]).later) == 0, "of fewer than a hundred labels nobody says"
    assert label_delay_ms(labelled_days(100, 10, [-1.0]).later) == 0
    empty = np.empty(0, np.int64)
    assert label_delay_ms(Later(empty, empty, empty.astype(np.float64), empty.astype(np.float64))) == 0


def test_how_many_labels_come_is_handed_on_with_the_time_that_was_waited() -> None:
    rows, world = labelled_days(40, 40, [0.5, 0.5, 0.5, -1]), World(0)
    rows = rows._replace(later=rows.later._replace(labels=np.resize([0.0, 1.0, 1.0], len(rows.later.labels))))
    watch = msgspec.structs.replace(WATCH, detectors=("labels_coverage", "loss_mean"))
    first = normal_of(watch, world.manifest, world.profile, rows, 0)
    assert first is not None
    assert (first.signals["labels_coverage"]["labels: missing"].buckets, first.label_delay_ms) == (0, 0)
    usual = Usual(level=0.6, rows=9.0, buckets=99)
    before = msgspec.structs.replace(first, signals={"labels_coverage": {"labels: missing": usual}}, label_delay_ms=7)
    after = normal_of(watch, world.manifest, world.profile, rows, 0, before=before)
    assert after is not None
    assert (after.signals["labels_coverage"], after.label_delay_ms) == ({"labels: missing": usual}, 7)
