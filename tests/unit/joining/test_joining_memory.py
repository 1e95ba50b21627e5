"""The join's fold: the same outcomes whatever the order, the split and the restarts."""

from __future__ import annotations

import asyncio
from collections import Counter

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.contracts.records import Label, Outcome, Prediction, TaskState
from streams.joining.match import Matching, Sides
from streams.joining.memory import Memory, Rules, Truth
from streams.joining.reading import OutcomeRecord
from streams.runtime.watermark import read_watermark, watermark_record
from streams.transport.records import Record, position_key

START = 1_700_000_000_000
HORIZON, LEAD = 100, 10
RULES = Rules(horizon_ms=HORIZON, lead_ms=LEAD)
SIDES = Sides("preds", "labels", "outcomes", 1, 1)


def prediction(name: str, time_ms: int) -> bytes:
    return msgspec.json.encode(
        Prediction(
            id=name, partition=0, offset=7, time_ms=START + time_ms, columns={"a": 1.5, "b": None}, score=0.5, digest="d" * 64,
            generation=1,
        )
    )  # fmt: skip


def label(name: str, value: float | None, time_ms: int) -> bytes:
    return msgspec.json.encode(Label(name, value, START + time_ms))


def topic_of(topic: str, values: list[tuple[int, bytes]]) -> list[Record]:
    """Records in offset order, with a watermark wherever event time moves and one at the end of everything."""
    records: list[Record] = []
    newest = 0
    for time_ms, value in values:
        if time_ms > newest:
            newest = time_ms
            key, mark, headers = watermark_record("0", START + newest)
            records.append(Record(topic, 0, len(records), key, mark, tuple(headers), 0))
        records.append(Record(topic, 0, len(records), b"k", value, (("dw_source", f"3/{len(records)}".encode()),), 0))
    key, mark, headers = watermark_record("0", START + 10_000)
    records.append(Record(topic, 0, len(records), key, mark, tuple(headers), 0))
    return records


class Runner:
    """What the transport does with a processor: micro-batches, state records and restarts."""

    def __init__(self) -> None:
        self.matching = Matching(0, model="m", task="regression", sides=SIDES, rules=RULES)
        self.state: TaskState | None = None
        self.logs: dict[str, list[Record]] = {"preds": [], "labels": []}
        self.outcomes: list[Outcome] = []
        self.watermarks: list[int] = []

    def give(self, records: list[Record]) -> None:
        result = asyncio.run(self.matching.process(records, rebuilding=False))
        positions = dict(self.state.positions) if self.state else {}
        for record in records:
            self.logs[record.topic].append(record)
            positions[position_key(record.topic, 0)] = record.offset + 1
        # Through JSON, as on the wire.
        state = TaskState(positions=positions, rebuild_from=result.rebuild_from, details=result.details)
        self.state = msgspec.json.decode(msgspec.json.encode(state), type=TaskState)
        for output in result.outputs:
            watermark = read_watermark(output.key, output.headers)
            if watermark is not None:
                self.watermarks.append(watermark[1])
            else:
                self.outcomes.append(msgspec.json.decode(output.value or b"", type=Outcome))

    def restart(self, order: list[str]) -> None:
        starts = self.matching.restore(self.state)
        if self.state is None:
            return
        for topic in order:
            place = position_key(topic, 0)
            position = self.state.positions.get(place, 0)
            again = self.logs[topic][starts.get(place, position) : position]
            if again:
                asyncio.run(self.matching.process(again, rebuilding=True))


ids = st.sampled_from(["a", "b", "c", "d"])
times = st.integers(0, HORIZON)
predictions = st.lists(st.tuples(ids, times), max_size=8)
labels = st.lists(st.tuples(ids, st.sampled_from([None, 0.0, 1.0, 2.0]), st.integers(0, 280)), max_size=12)


def in_time_order(items: list) -> list:
    """The promise of a watermark: no record behind it."""
    return sorted(items, key=lambda item: item[-1])


@settings(max_examples=300, deadline=None)
@given(predictions, labels, st.integers(0, 2**32))
def test_any_order_split_and_restart_gives_the_same_outcomes_once(
    predictions: list[tuple[str, int]], labels: list[tuple[str, float | None, int]], seed: int
):
    rng = np.random.default_rng(seed)
    logs = {
        "preds": topic_of("preds", [(t, prediction(name, t)) for name, t in in_time_order(predictions)]),
        "labels": topic_of("labels", [(t, label(name, value, t)) for name, value, t in in_time_order(labels)]),
    }
    plain = Runner()
    plain.give(logs["preds"] + logs["labels"])
    runner = Runner()
    taken = {"preds": 0, "labels": 0}
    while any(taken[topic] < len(logs[topic]) for topic in logs):
        batch: list[Record] = []
        for topic in rng.permutation(["preds", "labels"]):
            count = int(rng.integers(0, 7))
            batch += logs[topic][taken[topic] : taken[topic] + count]
            taken[topic] = min(taken[topic] + count, len(logs[topic]))
        if batch:
            runner.give(batch)
        if rng.random() < 0.5:
            runner.restart(list(rng.permutation(["preds", "labels"])))

    def shown(outcomes: list[Outcome]) -> Counter:
        return Counter(msgspec.json.encode(outcome) for outcome in outcomes)

    assert shown(runner.outcomes) == shown(plain.outcomes)
    assert max(shown(runner.outcomes).values(), default=1) == 1
    for one in (plain, runner):
        counts = one.matching.memory.counts
        assert counts["predictions"] == len(predictions)
        assert counts["labels"] == len(labels)
        assert sum(counts[key] for key in ("joined", "never", "unlabelled", "duplicate")) == len(predictions)
        assert sum(counts[key] for key in ("joined", "corrected", "repeated", "never", "late", "unknown")) == len(labels)
        assert one.matching.memory.remembered == one.matching.memory.early == 0
        assert one.watermarks == sorted(set(one.watermarks))
        assert one.watermarks[-1] == START + 10_000
    for key in ("joined", "corrected", "never", "duplicate", "unlabelled"):
        assert runner.matching.memory.counts[key] == plain.matching.memory.counts[key]


@settings(max_examples=200, deadline=None)
@given(predictions, labels, st.data())
def test_waiting_records_balance_at_any_moment(
    predictions: list[tuple[str, int]], labels: list[tuple[str, float | None, int]], data: st.DataObject
):
    runner = Runner()
    logs = [
        topic_of("preds", [(t, prediction(name, t)) for name, t in in_time_order(predictions)]),
        topic_of("labels", [(t, label(name, value, t)) for name, value, t in in_time_order(labels)]),
    ]
    for log in logs:
        cut = data.draw(st.integers(0, len(log)))
        if log[:cut]:
            runner.give(log[:cut])
    memory = runner.matching.memory
    waiting = sum(entry.revision < 0 and not entry.is_never for entry in memory._entries.values())
    assert memory.waiting == waiting
    counts = memory.counts
    ended = sum(counts[key] for key in ("joined", "corrected", "repeated", "never", "late", "unknown"))
    assert counts["labels"] == ended + memory.early


def add(memory: Memory, name: str, value: float | None, time_ms: int, offset: int = 0) -> list:
    return memory.add_label(name, Truth(value, time_ms, 0, offset, offset))


def test_each_rule_by_itself():
    memory = Memory(RULES)
    assert memory.add_prediction("a", 1_000, b"{}", 0) == []
    assert [match.revision for match in add(memory, "a", 1.0, 1_050)] == [0]
    assert add(memory, "a", 1.0, 1_060) == []
    assert add(memory, "a", 0.0, 1_050) == [], "no later time: not a correction"
    assert [match.revision for match in add(memory, "a", 0.0, 1_070)] == [1]
    assert add(memory, "a", 1.0, 1_000 + HORIZON + 1) == []
    assert add(memory, "a", None, 1_080) == []
    assert memory.add_prediction("a", 1_010, b"other", 1) == []
    expected = Counter(predictions=2, duplicate=1, labels=6, joined=1, corrected=1, repeated=3)
    assert memory.counts == expected
    memory.advance(1_000 + HORIZON + LEAD + 2)
    assert memory.counts == expected + Counter(late=1)


def test_a_label_may_come_first_and_keeps_its_corrections():
    memory = Memory(RULES)
    assert add(memory, "a", 1.0, 1_020, 0) == add(memory, "a", 0.0, 1_030, 1) == []
    matches = memory.add_prediction("a", 1_000, b"{}", 0)
    assert [(match.truth.value, match.revision) for match in matches] == [(1.0, 0), (0.0, 1)]


def test_a_null_label_drops_the_prediction_and_later_values_change_nothing():
    memory = Memory(RULES)
    memory.add_prediction("a", 1_000, b"{}", 0)
    assert add(memory, "a", None, 1_020) == add(memory, "a", 1.0, 1_030) == []
    assert (memory.counts["never"], memory.counts["repeated"], memory.waiting) == (1, 1, 0)


def test_the_watermark_forgets_what_can_no_longer_be_joined():
    memory = Memory(RULES)
    memory.add_prediction("a", 1_000, b"{}", 0)
    add(memory, "b", 1.0, 1_000)
    memory.advance(1_000 + LEAD)
    assert (memory.early, memory.remembered) == (1, 1)
    memory.advance(1_001 + LEAD)
    assert (memory.early, memory.counts["unknown"]) == (0, 1)
    memory.advance(1_000 + HORIZON + LEAD)
    assert memory.remembered == 1
    memory.advance(1_001 + HORIZON + LEAD)
    assert (memory.remembered, memory.counts["unlabelled"], memory.first_prediction(), memory.first_label()) == (0, 1, None, None)


@pytest.mark.parametrize("rules", [RULES._replace(most_waiting=3), RULES._replace(most_bytes=30)])
def test_predictions_beyond_a_cap_are_shed_oldest_first(rules: Rules):
    memory = Memory(rules)
    for number in range(10):
        memory.add_prediction(str(number), 1_000, b"x" * 10, number)
    assert (memory.remembered, memory.counts["shed"], memory.waiting, memory.first_prediction()) == (3, 7, 3, 7)


def test_early_labels_beyond_the_cap_are_shed_oldest_first():
    memory = Memory(RULES._replace(most_early=3))
    for number in range(10):
        add(memory, str(number), 1.0, 1_000, number)
    assert (memory.early, memory.counts["shed_labels"], memory.first_label()) == (3, 7, 7)


def test_one_id_holds_few_early_labels():
    memory = Memory(RULES)
    for number in range(100):
        add(memory, "a", float(number), 1_000 + number, number)
    assert (memory.early, memory.counts["shed_labels"]) == (64, 36)


def test_a_flapping_label_is_shed_after_its_revisions():
    memory = Memory(RULES._replace(most_revisions=2))
    memory.add_prediction("a", 1_000, b"{}", 0)
    made = [bool(add(memory, "a", float(number % 2), 1_010 + number)) for number in range(6)]
    assert made == [True, True, True, False, False, False]


def test_memory_stays_flat_whatever_is_repeated():
    memory = Memory(RULES._replace(most_waiting=100, most_early=100))
    for number in range(20_000):
        memory.add_prediction(str(number), 10**9 + number, b"{}", number)
        add(memory, "hot", float(number % 2), 10**9 + number, number)
        add(memory, f"l{number}", 1.0, 10**9 + number, number)
        memory.advance(number)
    sizes = [memory._predictions, memory._labels, memory._early_order, memory._expiring, memory._early_expiring]
    assert max(map(len, sizes)) < 4_000


def test_an_outcome_is_written_field_by_field_as_the_contract_reads_it():
    assert OutcomeRecord.__struct_fields__ == Outcome.__struct_fields__


def test_outcomes_say_where_the_label_lies_and_pass_the_prediction_through():
    runner = Runner()
    runner.give(topic_of("preds", [(5, prediction("a", 5))]) + topic_of("labels", [(9, label("a", 1.0, 9))]))
    (outcome,) = runner.outcomes
    assert (outcome.label_partition, outcome.label_offset) == (3, 1)
    assert msgspec.json.encode(outcome.prediction) == prediction("a", 5)
    assert outcome.known_ms == START + 9
