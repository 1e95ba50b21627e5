"""The pure parts of serving: progress, suspicion, the feed, scoring and encoding."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa
import pytest
import structlog.testing

from streams.contracts.bundle import NumberProfile, Profile
from streams.contracts.errors import ContractError
from streams.contracts.features import Window
from streams.contracts.records import MARKER_HEADER, Deployment, GenerationMarker, Outcome, Prediction, ShadowScore, Slot
from streams.contracts.schema import Column, ModelSchema
from streams.dialects import native
from streams.dialects.base import Limits
from streams.lake.lake import Lake
from streams.runtime.watermark import NEVER, watermark_record
from streams.serving.encoding import Served, encode, marker_output, window_rows
from streams.serving.feed import Facts, Feed, FeedTopics, Heard, Rows
from streams.serving.history import lake_history, no_history
from streams.serving.progress import Progress
from streams.serving.remembering import SnapshotFile
from streams.serving.rows import as_columns
from streams.serving.suspicion import ALL_MISSING, FAR_OUTSIDE, Suspicion
from streams.transport.records import Record
from streams.windows import keys
from tests.kit.bundles import SCHEMA, START_MS, rows_of

NUMBER = NumberProfile(edges=[0.0], shares=[0.5, 0.5], missing=0, low=0.0, high=10.0, sample=[])
PROFILE = Profile(rows=9, numbers={"weight": NUMBER}, score=NUMBER, label_mean=0, loss_mean=0, loss_std=0)
COUNT = Window(aggregate="count", source="requests", by=("owner",), range_ms=100_000)
MEAN = Window(aggregate="mean", source="outcomes", column="label", by=("owner",), range_ms=100_000)
TOPICS = FeedTopics("p", "o", 2)


def progress() -> Progress:
    return Progress([0, 1], lateness_ms=10, idle_after_ms=5_000, every_ms=1_000)


def test_a_watermark_is_the_newest_time_less_lateness_once_a_second() -> None:
    steps = progress()
    assert steps.due(0, 0.0) is None
    steps.observe(0, 500, 0.0)
    assert steps.due(0, 0.0) == 490
    steps.observe(0, 900, 0.5)
    assert steps.due(0, 0.5) is None
    assert steps.due(0, 1.0) == 890
    steps.observe(0, 100, 3.0)
    assert steps.due(0, 3.0) is None, "a watermark never goes back and isn't repeated"


def test_an_idle_partition_follows_the_active_ones_and_time_stands_still_when_all_idle() -> None:
    steps = progress()
    steps.observe(0, 500, 0.0)
    steps.observe(1, 9_000, 4.0)
    assert steps.due(0, 4.5) == 490, "still active: it holds its own time"
    assert steps.due(0, 6.0) == 8_990
    assert steps.due(1, 60.0) == 8_990
    assert steps.due(0, 60.0) is None


def test_progress_goes_on_from_what_was_said_before_a_restart() -> None:
    steps = progress()
    steps.resume(0, 800)
    steps.observe(0, 600, 0.0)
    assert steps.due(0, 0.0) is None
    steps.observe(0, 900, 2.0)
    assert steps.due(0, 2.0) == 890


def test_suspect_is_far_outside_or_without_any_value() -> None:
    suspicion = Suspicion(SCHEMA, PROFILE, 10.0)
    columns = {"weight": [5.0, 110.0, 110.1, -100.1, None, None], "distance": [1.0] * 5 + [None], "colour": ["x"] * 5 + [None]}
    expected = {2: [FAR_OUTSIDE], 3: [FAR_OUTSIDE], 5: [ALL_MISSING]}
    assert suspicion.flags(columns, 6) == expected
    arrays = {name: np.array(columns[name], np.float64) for name in ("weight", "distance")}
    assert suspicion.flags(columns | arrays, 6) == expected


def prediction(offset: int, time_ms: int, owner: str | None = "a", flags: list[str] | None = None) -> Prediction:
    columns = {"weight": 1.0, "distance": None, "colour": "red", "owner": owner, "note": None}
    place = {"id": str(offset), "partition": 0, "offset": offset, "time_ms": time_ms}
    return Prediction(**place, columns=columns, score=0.5, digest="d", generation=1, flags=flags or [])


def predicted(offset: int, time_ms: int, partition: int = 0, **changes) -> Record:  # noqa: ANN003
    return Record("p", partition, offset, None, msgspec.json.encode(prediction(offset, time_ms, **changes)), (), 0)


def labelled(offset: int, known_ms: int, label: float, **changes) -> Record:  # noqa: ANN003
    outcome = Outcome(
        prediction=prediction(offset, 0, **changes), label=label, known_ms=known_ms, label_partition=0, label_offset=offset
    )
    return Record("o", 0, offset, None, msgspec.json.encode(outcome), (("content-type", b"x"),), 0)


def watermark(topic: str, partition: int, writer: int, time_ms: int) -> Record:
    key, value, headers = watermark_record(str(writer), time_ms)
    return Record(topic, partition, 99, key, value, tuple(headers), 0)


def feed(*specs: Window, **changes) -> Feed:  # noqa: ANN003
    return Feed(specs or (COUNT, MEAN), skew_ms=10, schema=SCHEMA, topics=TOPICS, **changes)


def test_facts_come_from_predictions_and_outcomes_without_flags() -> None:
    fed = feed()
    marker = marker_output(
        "p", Deployment(model="m", generation=1, active=(Slot(name="champion", digest="d"),), effective_ms=0, reason=""), 0, 0
    )
    fed.fold(
        [
            predicted(0, 100),
            predicted(1, 200, partition=1),
            predicted(2, 300, flags=[FAR_OUTSIDE]),
            predicted(3, 300, owner="b"),
            Record("p", 0, 4, marker.key, marker.value, tuple(marker.headers), 0),
            Record("p", 0, 5, None, b"junk", (), 0),
            labelled(0, 400, 1.0),
            labelled(1, 410, 0.0),
            labelled(2, 420, 1.0, flags=[FAR_OUTSIDE]),
        ]
    )
    columns = {"owner": ["a", "b", None, "c"]}
    assert fed.values([1_000] * 4, columns) == {COUNT.name: [2.0, 1.0, None, 0.0], MEAN.name: [0.5, None, None, None]}
    assert fed.values([209, 211], {"owner": ["a", "a"]})[COUNT.name] == [1.0, 2.0]
    assert len(fed) == 5


def test_the_feed_reaches_as_far_as_its_slowest_writer() -> None:
    fed = feed()
    everyone = [watermark(topic, partition, partition, 1_000) for topic in "po" for partition in (0, 1)]
    fed.fold(everyone[:-1])
    assert fed.watermark_ms == NEVER
    assert not fed.covers(100)
    fed.fold(everyone[-1:])
    assert fed.watermark_ms == 1_000
    assert fed.covers(1_010)
    assert not fed.covers(1_011)
    fed.fold([watermark("p", 0, 7, 9_000)])
    assert fed.watermark_ms == 1_000, "a writer that isn't expected says nothing"


def own(fed: Feed, offsets: list[int], times: list[int], flagged: tuple[int, ...] = (), partition: int = 0) -> None:
    fed.fold_own(partition, offsets, Rows(times, {"owner": ["a"] * len(times)}), flagged)


def count(fed: Feed) -> float | None:
    return fed.values([10_000], {"owner": ["a"]})[COUNT.name][0]


def test_own_requests_are_facts_at_once_and_not_again_from_the_log() -> None:
    fed = feed(COUNT)
    own(fed, [4, 5, 6], [100, 110, 120], flagged=(1,))
    assert count(fed) == 2.0
    fed.fold([predicted(3, 90), predicted(4, 100), predicted(5, 110, flags=[FAR_OUTSIDE]), predicted(6, 120)])
    assert count(fed) == 3.0, "only the one that was answered before is new"
    fed.fold([predicted(7, 130)])
    assert count(fed) == 4.0


def test_a_batch_that_is_read_again_is_folded_once() -> None:
    fed = feed(COUNT)
    own(fed, [4, 5], [100, 110])
    fed.begin_again(0)
    own(fed, [4, 5, 8], [100, 110, 120])
    assert count(fed) == 3.0
    fed.fold([predicted(offset, 100) for offset in (4, 5, 8)])
    assert count(fed) == 3.0


def test_what_another_process_answered_in_between_comes_by_the_log() -> None:
    fed = feed(COUNT)
    own(fed, [4, 5], [100, 110])
    fed.begin_again(0)
    own(fed, [9], [200])
    assert count(fed) == 3.0
    fed.fold([predicted(offset, 150) for offset in (4, 5, 6, 7, 9, 10)])
    assert count(fed) == 6.0


def test_own_watermarks_count_once_the_log_has_caught_up() -> None:
    fed = feed(COUNT)
    own(fed, [4], [100])
    fed.hear_own(Heard(0, 1_000))
    fed.fold([watermark("p", 1, 1, 5_000)])
    assert not fed.covers(500), "what was answered before the first own row may still be on its way"
    fed.fold([predicted(4, 100)])
    assert fed.covers(1_010)
    assert not fed.covers(1_011)
    assert fed.covers(2_010, Heard(0, 2_000)), "rows before it will be folded before anything is read"
    assert not fed.covers(5_011, Heard(0, 9_000)), "the other partition isn't ours"
    assert fed.watermark_ms == NEVER, "the log itself hasn't come that far"
    fed.begin_again(0)
    own(fed, [9], [1_500])
    assert not fed.covers(1_010), "between 4 and 9 another process may have answered"


def restarted(fed: Feed, path: Path, *specs: Window) -> Feed:
    """A feed of another process, which goes on from what this one has written."""
    file, kept = SnapshotFile(path, SCHEMA, 10), fed.kept()
    assert kept is not None
    assert file.write(kept) == path.stat().st_size
    remembered = file.read(specs)
    assert remembered is not None
    return feed(*specs, skip=remembered.positions, reached_ms=remembered.reached_ms, remembered=remembered)


def test_a_feed_goes_on_from_its_snapshot(tmp_path: Path) -> None:
    fed = feed(COUNT, MEAN)
    fed.fold([predicted(0, 100), predicted(3, 200), labelled(0, 400, 1.0)])
    fed.fold([watermark(topic, partition, partition, 1_000) for topic in "po" for partition in (0, 1)])
    later = restarted(fed, tmp_path / "state", COUNT, MEAN)
    assert later.kept().positions == {"p/0": 100, "p/1": 100, "o/0": 100, "o/1": 100}
    assert later.watermark_ms == 1_000
    assert later.values([5_000], {"owner": ["a"]}) == {COUNT.name: [2.0], MEAN.name: [1.0]}
    later.fold([predicted(3, 200), predicted(100, 300), labelled(100, 500, 0.0)])
    assert later.values([5_000], {"owner": ["a"]}) == {COUNT.name: [3.0], MEAN.name: [0.5]}


def test_own_requests_in_a_snapshot_are_not_folded_again(tmp_path: Path) -> None:
    fed = feed(COUNT)
    own(fed, [4, 5], [100, 110])
    later = restarted(fed, tmp_path / "state", COUNT)
    own(later, [5, 6], [110, 120])
    assert count(later) == 3.0, "5 was answered, but not committed, before the restart"
    later.fold([predicted(offset, 100) for offset in (4, 5, 6)])
    assert count(later) == 3.0
    again = restarted(later, tmp_path / "state", COUNT)
    own(again, [9], [200])
    again.fold([predicted(offset, 150) for offset in (7, 8, 9)])
    assert count(again) == 6.0, "7 and 8 were answered by another process in between"


def test_numbers_may_be_keys_of_a_snapshot_whatever_they_came_in(tmp_path: Path) -> None:
    by_weight = msgspec.structs.replace(COUNT, by=("weight",))
    fed = feed(by_weight)
    fed.fold_own(0, [4, 5, 6], Rows([100, 110, 120], {"weight": np.array([1.5, 2.0, 1.5])}), (1,))
    later = restarted(fed, tmp_path / "host.example.worker-1", by_weight)
    assert later.values([500], {"weight": [1.5]})[by_weight.name] == [2.0]
    assert [path.name for path in tmp_path.iterdir()] == ["host.example.worker-1"]


def test_a_feed_whose_fold_failed_is_never_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    fed = feed(COUNT)
    monkeypatch.setattr(keys, "MOST_KEYS", 1)
    with pytest.raises(ContractError, match="keys alive"):
        fed.fold([predicted(0, 100, owner="a"), predicted(1, 100, owner="b")])
    assert fed.kept() is None


def test_a_time_beyond_all_times_is_no_fact() -> None:
    fed = feed(COUNT)
    fed.fold([predicted(0, 10**26), predicted(1, 100)])
    assert count(fed) == 1.0


def test_a_snapshot_of_something_else_is_of_no_use(tmp_path: Path) -> None:
    file = SnapshotFile(tmp_path / "state", SCHEMA, 10)
    assert file.read([COUNT]) is None
    kept = feed(COUNT).kept()
    assert kept is not None
    file.write(kept)
    with structlog.testing.capture_logs() as logs:
        assert file.read([MEAN]) is None
        (tmp_path / "state").write_bytes(b"junk")
        assert file.read([COUNT]) is None
    assert [entry["event"] for entry in logs] == ["SnapshotUnusable", "SnapshotUnusable"]


def test_outcomes_are_waited_for_only_as_far_as_windows_read_them() -> None:
    late = Window(aggregate="count", source="outcomes", by=("owner",), range_ms=1_000, delay_ms=500)
    fed = feed(late)
    assert not fed.covers(600)
    fed.fold([watermark("o", partition, partition, 1_000) for partition in (0, 1)])
    assert fed.covers(1_510)
    assert not fed.covers(1_511)


def test_what_came_from_the_lake_is_not_folded_again() -> None:
    fed = feed(COUNT, skip={"p/0": 2}, reached_ms=500)
    fed.take(Facts("requests", [100, 200], {"owner": ["a", "a"]}))
    fed.fold([predicted(0, 100), predicted(1, 200), predicted(2, 300), predicted(0, 310, partition=1)])
    assert fed.values([1_000], {"owner": ["a"]})[COUNT.name] == [4.0]
    assert fed.watermark_ms == 500


async def test_history_is_the_lakes_rows_without_suspects(tmp_path: Path) -> None:
    schema = ModelSchema(columns=(Column(name="size", kind="number"), Column(name="owner", kind="category", role="key")))
    lake = Lake(tmp_path)
    size = Window(aggregate="sum", source="requests", column="size", by=("owner",), range_ms=1_000)
    for nothing in (await lake_history(lake, "toys", SCHEMA)([size, MEAN], None), await no_history([], None)):
        assert (list(nothing.parts), nothing.rows, nothing.positions) == ([], 0, {})
    lake.import_history(
        "toys",
        schema,
        pa.table(
            {
                "id": ["1", "2", "3"],
                "time_ms": [100, 200, 300],
                "size": [1.0, None, 3.0],
                "owner": ["a", "b", "a"],
                "label": [1.0, None, 0.0],
                "known_ms": [150, None, 350],
            }
        ),
        "old",
    )
    past = await lake_history(lake, "toys", SCHEMA)([size, MEAN], 150)
    by_source = {facts.source: facts for facts in past.parts}
    assert past.rows == 4
    assert list(by_source["requests"].time_ms) == [200, 300]
    assert list(by_source["requests"].columns["owner"]) == ["b", "a"]
    np.testing.assert_array_equal(by_source["requests"].columns["size"], [np.nan, 3.0])
    assert list(by_source["outcomes"].time_ms) == [150, 350]
    assert list(by_source["outcomes"].label) == [1.0, 0.0]
    assert past.positions == {}


def test_what_is_encoded_is_a_prediction() -> None:
    row = native.open_dialect(SCHEMA, Limits(), {}).decode(
        native.example("r", START_MS, {k: v[0] for k, v in rows_of(1).items()})
    )
    windows = window_rows({"w_a": [1.0], "w_b": [None]}, 1)[0]
    value = encode(
        Served(row.id, 1, 7, row.time_ms, row.features, windows, 0.25, "d", 3, "champion", ["f"], [ShadowScore("s", "e", 0.5)])
    )
    expected = Prediction(
        id="r", partition=1, offset=7, time_ms=START_MS, columns={k: v[0] for k, v in rows_of(1).items()},
        windows={"w_a": 1.0, "w_b": None}, score=0.25, digest="d", generation=3, flags=["f"],
        shadows=[ShadowScore("s", "e", 0.5)],
    )  # fmt: skip
    assert msgspec.json.decode(value, type=Prediction) == expected
    unsaid = {"rejected_before", "received_ms"}
    assert set(msgspec.json.decode(value)) == set(Prediction.__struct_fields__) - unsaid, "of nothing nothing is said"
    value = encode(Served(row.id, 1, 7, row.time_ms, row.features, {}, 0.25, "d", 3, "champion", [], [], 5, 99))
    assert msgspec.json.decode(value, type=Prediction) == msgspec.structs.replace(
        expected, windows={}, flags=[], shadows=[], rejected_before=5, received_ms=99
    )
    assert set(msgspec.json.decode(value)) == set(Prediction.__struct_fields__), "empty ones too, for who reads them plainly"


def test_a_marker_says_from_which_offset_a_generation_serves() -> None:
    record = Deployment(model="toys", generation=4, active=(Slot(name="champion", digest="d"),), effective_ms=9, reason="")
    output = marker_output("p", record, 1, 55)
    assert (output.topic, output.partition, output.key) == ("p", 1, b"dw:marker:1")
    assert [name for name, _ in output.headers] == [MARKER_HEADER]
    assert msgspec.json.decode(output.value, type=GenerationMarker) == GenerationMarker(
        model="toys", generation=4, digest="d", partition=1, first_offset=55, effective_ms=9
    )


def test_no_rows_give_empty_columns() -> None:
    assert {name: len(values) for name, values in as_columns(SCHEMA, []).items()} == {column.name: 0 for column in SCHEMA.columns}
    with pytest.raises(ValueError, match="zip"):
        window_rows({"a": [1.0], "b": [1.0, 2.0]}, 1)
