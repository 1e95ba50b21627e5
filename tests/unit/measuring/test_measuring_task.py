"""Summaries are the same numbers whatever the order, the split, the restarts and the number of partitions."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.contracts.records import MARKER_HEADER, Outcome, Prediction, ShadowScore, TaskState
from streams.contracts.schema import ModelSchema
from streams.contracts.summaries import FIXED, SAMPLED_SCORE, SCORE_BINS, InputSummary, LossSummary, Summary
from streams.measuring.config import MeasuredModel, MeasuringConfig
from streams.measuring.losses import LossAccumulator
from streams.measuring.task import MeasuringTask
from streams.monitoring.merging import merge_inputs, merge_losses
from streams.runtime.telemetry import Telemetry
from streams.runtime.watermark import read_watermark
from streams.transport.records import Record, position_key
from tests.kit.measured import (
    DAY,
    DIGESTS,
    SCHEMA,
    START,
    Profiles,
    give,
    log_of,
    outcome,
    prediction,
    task_of,
)


def test_a_bucket_is_said_when_both_watermarks_have_passed_it():
    task = task_of()
    rows = [prediction(0, 5), prediction(1, DAY - 1), prediction(2, DAY)]
    assert give(task, log_of("preds", [*rows, 2 * DAY])) == ([], [])
    summaries, watermarks = give(task, log_of("outs", [outcome(rows[0], 1.0, 50), DAY]))
    assert [(type(one), one.rows, one.bucket_start_ms - START) for one in summaries] == [
        (InputSummary, 2, 0),
        (LossSummary, 1, 0),
    ]
    assert watermarks == [DAY]
    summaries, watermarks = give(task, log_of("outs", [2 * DAY]))
    assert [(type(one), one.rows, one.bucket_start_ms - START) for one in summaries] == [(InputSummary, 1, DAY)]
    assert watermarks == [2 * DAY]


def test_counts_lie_on_the_references_bins():
    task = task_of()
    sizes = [None, -1.0, 0.0, 2.0, 4.9, 5.0, 10.0, 11.0]
    colours = ["red", "blue", "green", None, "", "red", "red", "red"]
    rows = [prediction(i, i, size=size, colour=colour) for i, (size, colour) in enumerate(zip(sizes, colours, strict=True))]
    give(task, log_of("outs", [DAY]))
    ((summary,), _) = give(task, log_of("preds", [*rows, prediction(8, 9, flags=["range"]), DAY]))
    assert isinstance(summary, InputSummary)
    assert (summary.rows, summary.suspect, summary.late) == (9, 1, 0)
    size = summary.numbers["size"]
    assert (size.bins, size.missing, size.low, size.high) == ([2, 2, 3], 1, 1, 1)
    assert summary.numbers["w_1"].missing == 5
    colour = summary.categories["colour"]
    assert (colour.counts, colour.missing, colour.unseen) == ({"red": 4, "blue": 1}, 2, 1)
    assert summary.score.bins == [8, 0]


def test_the_sample_has_scores_and_windows_and_nothing_tagged_or_undeclared_as_a_feature():
    task = task_of()
    give(task, log_of("outs", [DAY]))
    ((summary,), _) = give(task, log_of("preds", [prediction(0, 1, score=0.75), DAY]))
    assert isinstance(summary, InputSummary)
    ((_, row),) = summary.sample
    assert row == {"size": 3.0, "colour": "red", "w_1": 4.0, SAMPLED_SCORE: 0.75}


def test_losses_are_kept_per_slot_and_bundle():
    task = task_of()
    shadows = [ShadowScore("next", DIGESTS[1], 1.0)]
    first, second = prediction(0, 0, score=0.5, shadows=shadows), prediction(1, 0, score=0.0, shadows=shadows)
    give(task, log_of("preds", [DAY]))
    known = [
        outcome(first, 1.0, 1_000),
        outcome(second, 0.0, 3_000),
        outcome(second, 1.0, 4_000, revision=1),
        outcome(prediction(2, 0, flags=["range"]), 1.0, 5_000),
        DAY,
    ]
    summaries, _ = give(task, log_of("outs", known))
    champion, shadow = summaries
    assert isinstance(champion, LossSummary)
    assert isinstance(shadow, LossSummary)
    assert (champion.slot, champion.digest, champion.rows, champion.delay_ms) == ("champion", DIGESTS[0], 2, 4_000)
    assert champion.loss == pytest.approx(np.log(2) * FIXED, abs=2)
    assert champion.brier == FIXED // 4
    assert (champion.positives[SCORE_BINS // 2], champion.negatives[0], sum(champion.positives + champion.negatives)) == (1, 1, 2)
    assert (shadow.slot, shadow.digest, shadow.positives[-1], shadow.negatives[-1]) == ("next", DIGESTS[1], 1, 1)
    assert shadow.brier == FIXED


def test_losses_of_slices_are_kept_for_who_serves():
    task = task_of()
    shadows = [ShadowScore("next", DIGESTS[1], 1.0)]
    rows = [
        prediction(0, 0, size=3.0, score=0.5, shadows=shadows),
        prediction(1, 0, size=None, score=0.25),
        prediction(2, 0, size=9.0, colour="blue", score=0.5),
        prediction(3, 0, size=9.0, score=0.5, flags=["range"]),
    ]
    give(task, log_of("preds", [DAY]))
    champion, shadow = give(task, log_of("outs", [*[outcome(row, 1.0, 50) for row in rows], DAY]))[0]
    assert isinstance(champion, LossSummary)
    assert isinstance(shadow, LossSummary)
    half, three = np.log(2), np.log(4)
    found = {name: (one.rows, one.loss / FIXED, one.loss_squares / FIXED) for name, one in champion.slices.items()}
    assert found["red"] == pytest.approx((2, half + three, half**2 + three**2), abs=1e-5)
    assert found["sized"] == pytest.approx((2, 2 * half, 2 * half**2), abs=1e-5)
    assert found["large_red"] == (0, 0, 0)
    assert shadow.slices == {}


def test_late_rows_are_counted_in_the_next_summary_of_their_sort_and_survive_a_restart():
    task = task_of()
    rows = [prediction(0, 5), DAY]
    give(task, log_of("outs", [DAY]))
    assert len(give(task, log_of("preds", rows))[0]) == 1
    late = log_of("preds", [*rows, prediction(2, 6), prediction(3, DAY + 1)])[2:]
    result = asyncio.run(task.process(late, rebuilding=False))
    again = task_of()
    starts = again.restore(TaskState(positions={}, rebuild_from=result.rebuild_from, details=result.details))
    assert starts == {"preds/0": 3}
    asyncio.run(again.process(late[1:], rebuilding=True))
    outs = log_of("outs", [DAY, outcome(prediction(0, 5), 1.0, 7), outcome(prediction(0, 5), 1.0, DAY + 7), 2 * DAY])[1:]
    give(again, outs)
    inputs, losses = give(again, log_of("preds", [0, 0, 0, 0, 2 * DAY])[4:])[0]
    assert isinstance(inputs, InputSummary)
    assert isinstance(losses, LossSummary)
    assert (inputs.rows, inputs.late, losses.rows, losses.late) == (1, 1, 1, 1)


def rejecting(row: Prediction, records: int) -> Prediction:
    return msgspec.structs.replace(row, rejected_before=records)


def test_rejected_records_count_once_with_the_row_behind_them_also_where_that_is_suspect_or_late():
    task = task_of()
    rows = [rejecting(prediction(0, 5), 2), rejecting(prediction(1, 6, flags=["range"]), 1), prediction(2, 7), DAY]
    give(task, log_of("outs", [DAY]))
    ((first,), _) = give(task, log_of("preds", rows))
    assert isinstance(first, InputSummary)
    assert (first.rows, first.suspect, first.rejected) == (3, 1, 3)
    further = log_of("preds", [*rows, rejecting(prediction(4, 8), 4), rejecting(prediction(5, DAY + 1), 8)])[4:]
    result = asyncio.run(task.process(further, rebuilding=False))
    again = task_of()
    again.restore(TaskState(positions={}, rebuild_from=result.rebuild_from, details=result.details))
    asyncio.run(again.process(further[1:], rebuilding=True))
    # An outcome holds its prediction, whose rejected records were counted with that.
    give(again, log_of("outs", [DAY, outcome(rejecting(prediction(0, 5), 2), 1.0, 7), 2 * DAY])[1:])
    ((second,), _) = give(again, log_of("preds", [0, 0, 0, 0, 0, 0, 2 * DAY])[6:])
    assert isinstance(second, InputSummary)
    assert (second.rows, second.late, second.rejected) == (1, 1, 12)
    give(again, log_of("outs", [3 * DAY]))
    ((third,), _) = give(again, log_of("preds", [prediction(7, 2 * DAY + 1), 3 * DAY]))
    assert isinstance(third, InputSummary)
    assert (third.late, third.rejected) == (0, 0)


def test_an_unreadable_bundle_is_counted_without_distributions():
    task = task_of()
    give(task, log_of("outs", [DAY]))
    ((summary,), _) = give(task, log_of("preds", [prediction(0, 1, digest="c" * 64), DAY]))
    assert isinstance(summary, InputSummary)
    assert (summary.rows, summary.numbers, summary.score.bins) == (1, {}, [1])


def test_what_is_no_prediction_counts_nowhere():
    task = task_of()
    marker = Record("preds", 0, 0, b"dw:marker:0", b"{}", ((MARKER_HEADER, b"1"),), 0)
    broken = Record("preds", 0, 1, b"k", b"\xff", (), 0)
    empty = Record("outs", 0, 0, b"k", None, (), 0)
    less_than_none = log_of("preds", [rejecting(prediction(0, 1), -1)])
    assert give(task, [marker, broken, empty, *less_than_none, *log_of("preds", [DAY]), *log_of("outs", [DAY])]) == ([], [DAY])


def test_a_score_that_is_no_number_is_missing_and_has_no_loss():
    task = task_of()
    row = prediction(
        0, 1, score=float("nan"), shadows=[ShadowScore("next", DIGESTS[1], 0.5), ShadowScore("b", "b", float("nan"))]
    )
    give(task, log_of("preds", [row, DAY]))
    inputs, losses = give(task, log_of("outs", [outcome(row, 1.0, 5), DAY]))[0]
    assert isinstance(inputs, InputSummary)
    assert isinstance(losses, LossSummary)
    assert (inputs.rows, inputs.score.missing, sum(inputs.score.bins), inputs.sample[0][1][SAMPLED_SCORE]) == (1, 1, 0, None)
    assert (losses.slot, losses.rows) == ("next", 1)


def test_one_broken_record_takes_no_other_with_it():
    task = task_of()
    broken = Record("preds", 0, 1, b"k", b'{"id":', (), 0)
    records = log_of("preds", [prediction(0, 1), prediction(1, 2), prediction(2, 3), DAY])
    records[1] = broken
    give(task, log_of("outs", [DAY]))
    ((summary,), _) = give(task, records)
    assert summary.rows == 2


def test_a_column_that_the_model_got_later_is_missing_in_older_records():
    task = task_of()
    record = log_of("preds", [prediction(0, 1)])[0]
    older = msgspec.json.decode(record.value or b"")
    for later in ("route", "flags", "shadows", "windows", "rejected_before", "received_ms"):
        del older[later]
    del older["columns"]["size"]
    give(task, log_of("outs", [DAY]))
    old = Record("preds", 0, 0, b"k", msgspec.json.encode(older), (), 0)
    ((summary,), _) = give(task, [old, *log_of("preds", [0, DAY])[1:]])
    assert isinstance(summary, InputSummary)
    assert (summary.rows, summary.numbers["size"].missing, summary.numbers["w_1"].missing) == (1, 1, 1)
    assert summary.categories["colour"].counts == {"red": 1, "blue": 0}


def test_a_stalled_watermark_can_not_grow_memory():
    task = task_of(most_open=3)
    summaries, _ = give(task, log_of("preds", [prediction(day, day * DAY) for day in range(10)]))
    assert [one.bucket_start_ms - START for one in summaries] == [day * DAY for day in range(7)]


def test_huge_squared_errors_do_not_overflow():
    model = MeasuredModel("m", ModelSchema(columns=SCHEMA.columns, task="regression"), "preds", "outs", "sums", "state", 1, DAY)
    task = MeasuringTask(0, model=model, config=MeasuringConfig(), profiles=Profiles(), telemetry=Telemetry(["m"]))
    give(task, log_of("preds", [DAY]))
    known = [outcome(prediction(i, 0, score=0.0), 1e6, 10) for i in range(20)]
    ((summary,), _) = give(task, log_of("outs", [*known, DAY]))
    assert isinstance(summary, LossSummary)
    assert (summary.loss, summary.positives) == (20 * 10**12 * FIXED, [])
    assert summary.loss_squares == pytest.approx(20 * 10**24 * FIXED)
    assert summary.loss_squares > 1 << 64
    assert (summary.labels, summary.label_squares, summary.scores) == (20 * 10**6 * FIXED, 20 * 10**12 * FIXED, 0)


def test_labels_and_scores_are_summed_up_with_their_signs():
    losses = LossAccumulator("regression")
    for labels, scores in (([-3.0, 0.25], [1.5, -0.5]), ([-4e15, 3e15], [0.0, 0.0])):
        losses.add(np.array(scores), np.array(labels), np.zeros(2, np.int64), [None, None])
    summary = losses.summary("m", "champion", "d", 0, (0, DAY), late=0)
    assert summary.labels == -(10**15) * FIXED - 2_750_000
    assert summary.scores == FIXED
    assert summary.label_squares == pytest.approx(2e24 * FIXED), "of one row at most so much counts"


rows_strategy = st.lists(
    st.tuples(
        st.integers(0, 5 * DAY - 1), st.sampled_from([None, -1.0, 1.0, 3.0, 7.0, 12.0]), st.sampled_from(["red", "green", None]),
        st.floats(0, 1, width=32), st.sampled_from(DIGESTS), st.booleans(),
    ),
    max_size=30,
)  # fmt: skip


@settings(max_examples=100, deadline=None)
@given(rows_strategy, st.integers(0, 2**32))
def test_any_split_order_and_restart_gives_the_same_summaries_once(rows: list[tuple], seed: int):
    rng = np.random.default_rng(seed)
    made = [
        prediction(i, time_ms, size=size, colour=colour, score=score, digest=digest, flags=["x"] if flag else [])
        for i, (time_ms, size, colour, score, digest, flag) in enumerate(sorted(rows, key=lambda row: row[0]))
    ]
    made = [rejecting(row, row.offset % 3) for row in made]
    known = [outcome(row, float(row.offset % 2), row.time_ms - START + DAY) for row in made]
    logs = {"preds": log_of("preds", with_watermarks(made)), "outs": log_of("outs", with_watermarks(known))}
    plain, _ = give(task_of(), logs["preds"] + logs["outs"])
    task, found, taken = task_of(), list[Summary](), {"preds": 0, "outs": 0}
    state = TaskState(positions={})
    while any(taken[topic] < len(logs[topic]) for topic in logs):
        batch: list[Record] = []
        for topic in rng.permutation(["preds", "outs"]):
            count = int(rng.integers(0, 9))
            batch += logs[topic][taken[topic] : taken[topic] + count]
            taken[topic] = min(taken[topic] + count, len(logs[topic]))
        if batch:
            result = asyncio.run(task.process(batch, rebuilding=False))
            outputs = [output for output in result.outputs if read_watermark(output.key, output.headers) is None]
            found += [msgspec.json.decode(output.value or b"", type=Summary) for output in outputs]
            positions = {position_key(topic, 0): count for topic, count in taken.items()}
            state = TaskState(positions=positions, rebuild_from=result.rebuild_from, details=result.details)
            state = msgspec.json.decode(msgspec.json.encode(state), type=TaskState)
        if state.positions and rng.random() < 0.4:
            task = task_of()
            starts = task.restore(state)
            again = [
                record for topic in rng.permutation(["preds", "outs"])
                for record in logs[topic][starts.get(f"{topic}/0", taken[topic]) : taken[topic]]
            ]  # fmt: skip
            if again:
                asyncio.run(task.process(again, rebuilding=True))

    def shown(summaries: list[Summary]) -> Counter[bytes]:
        return Counter(msgspec.json.encode(summary, order="sorted") for summary in summaries)

    assert shown(found) == shown(plain)
    assert sum(summary.rows for summary in found if isinstance(summary, InputSummary)) == len(made)
    rejected = sum(summary.rejected for summary in found if isinstance(summary, InputSummary))
    assert rejected == sum(row.rejected_before for row in made)


def with_watermarks(items: Sequence[Prediction | Outcome]) -> list[Prediction | Outcome | int]:
    """A watermark before the first record of every bucket, and one at the end of everything."""
    found: list[Prediction | Outcome | int] = []
    bucket = 0
    for item in items:
        time_ms = (item.time_ms if isinstance(item, Prediction) else item.known_ms) - START
        if time_ms // DAY > bucket:
            bucket = time_ms // DAY
            found.append(bucket * DAY)
        found.append(item)
    return [*found, 10 * DAY]


@pytest.mark.parametrize("partitions", [1, 2, 4])
def test_merged_summaries_do_not_depend_on_the_partition_a_task_had(partitions: int):
    """The rows keep their source positions; which task measured them changes nothing in the sum."""
    rng = np.random.default_rng(5)
    rows = [
        rejecting(prediction(i, int(t), size=float(s), score=float(p), partition=i % 4), i % 5)
        for i, (t, s, p) in enumerate(zip(rng.integers(0, DAY, 400), rng.normal(3, 2, 400), rng.random(400), strict=True))
    ]
    inputs, losses = [], []
    for number in range(partitions):
        task = task_of(number, partitions=partitions)
        mine = [row for row in rows if row.offset % partitions == number]
        give(task, log_of("preds", [*mine, DAY], number))
        known = [outcome(row, float(row.offset % 2), DAY - 1) for row in mine]
        for summary in give(task, log_of("outs", [*known, DAY], number))[0]:
            (inputs if isinstance(summary, InputSummary) else losses).append(summary)
    merged, lost = merge_inputs(inputs, 20), merge_losses(losses)
    assert (merged.rows, lost.rows, len(merged.sample), merged.rejected) == (400, 400, 20, 800)
    ((whole, whole_losses), _) = one_task(rows)
    assert isinstance(whole, InputSummary)
    assert (merged.numbers, merged.categories, merged.score, merged.sample, merged.contents) == (
        whole.numbers, whole.categories, whole.score, whole.sample, whole.contents
    )  # fmt: skip
    assert (lost.loss, lost.loss_squares, lost.positives, lost.slices) == (
        whole_losses.loss, whole_losses.loss_squares, whole_losses.positives, whole_losses.slices
    )  # fmt: skip
    assert (lost.labels, lost.label_squares, lost.scores) == (
        whole_losses.labels,
        whole_losses.label_squares,
        whole_losses.scores,
    )
    assert lost.labels == lost.label_squares == sum(lost.positives) * FIXED
    assert lost.scores == sum(round(row.score * FIXED) for row in rows)
    assert 0 < lost.slices["large_red"].rows < lost.slices["sized"].rows < 400


def one_task(rows: Sequence[Prediction]) -> tuple[list[Summary], list[int]]:
    task = task_of()
    give(task, log_of("preds", [*rows, DAY]))
    return give(task, log_of("outs", [*[outcome(row, float(row.offset % 2), DAY - 1) for row in rows], DAY]))
