"""What served is computed again from the lake: it is the same, or an event names the feature."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa
import pytest

from streams.archiving.config import ArchivingConfig
from streams.archiving.decoding import Decoder
from streams.archiving.parity import Parity
from streams.contracts.bundle import Golden, Manifest
from streams.contracts.errors import BundleRefused
from streams.contracts.records import Outcome, Prediction
from streams.contracts.schema import Column, ModelSchema
from streams.features.text import parse_window
from streams.lake.lake import Lake
from streams.transport.records import Record
from streams.windows.online import WindowState

MINUTE_MS, HOUR_MS = 60_000, 3_600_000
SKEW_MS = 10_000
SCHEMA = ModelSchema(columns=(Column(name="place", kind="category"), Column(name="size", kind="number")))
COUNT = parse_window("count(requests) by place over 30m where size > 0")
RISK = parse_window("mean(outcome.label) by place over 1h known 1m before")
MANIFEST = Manifest(
    model="toys",
    schema=SCHEMA,
    windows=(COUNT, RISK),
    skew_ms=SKEW_MS,
    golden=Golden(time_ms=[], columns=[], windows=[], scores=[]),
)
CONFIG = ArchivingConfig(parity_rows=40)


def served(wrong: dict[int, dict[str, float | None]] | None = None) -> tuple[list[Prediction], list[Outcome]]:
    """Two hours of requests, a label for each five minutes later, and what an online state gave to every one."""
    rng = np.random.default_rng(0)
    state = WindowState([COUNT, RISK], SCHEMA, SKEW_MS)
    rows, outcomes = [], []
    for number in range(720):
        time_ms = 10_000 * number
        columns = {"place": str(rng.choice(["a", "b", ""])), "size": float(rng.normal())}
        values = {
            name: found[0] for name, found in state.values([time_ms], {name: [one] for name, one in columns.items()}).items()
        }
        row = Prediction(
            id=str(number), partition=number % 2, offset=number, time_ms=time_ms, columns=columns,
            windows={**values, **(wrong or {}).get(number, {})}, score=0.5, digest="d", generation=1,
            flags=["far"] if number % 50 == 0 else [],
        )  # fmt: skip
        label = Outcome(
            prediction=row, label=float(number % 3 == 0), known_ms=time_ms + 5 * MINUTE_MS, label_partition=0, label_offset=0
        )
        rows.append(row)
        outcomes.append(label)
        if not row.flags:
            state.add_requests([time_ms], {name: [one] for name, one in columns.items()})
        known = outcomes[number - 30] if number >= 30 else None
        if known is not None and not known.prediction.flags:
            state.add_outcomes([known.known_ms], {name: [one] for name, one in known.prediction.columns.items()}, [known.label])
    return rows, outcomes


def archived(folder: Path, rows: list[Prediction], outcomes: list[Outcome]) -> Lake:
    lake = Lake(folder)
    for table, found in (("predictions", rows), ("outcomes", outcomes)):
        records = [Record(table, 0, place, None, msgspec.json.encode(one), (), 0) for place, one in enumerate(found)]
        lake.append("toys", table, Decoder(SCHEMA, table).decode(records).rows, {f"{table}/0": len(records)})
    return lake


def parity(lake: Lake, config: ArchivingConfig = CONFIG) -> Parity:
    return Parity("toys", SCHEMA, lake=lake, manifest={"d": MANIFEST}.__getitem__, config=config)


def test_what_served_is_what_the_lake_gives(tmp_path: Path):
    looked = parity(archived(tmp_path, *served()))
    for hour in (1, 2):
        checked = looked.look(hour * HOUR_MS)
        assert (checked.values, checked.different, checked.events) == (80, 0, ())


def test_a_feature_that_differs_is_named_until_it_is_well_again(tmp_path: Path):
    wrong: dict[int, dict[str, float | None]] = {number: {COUNT.name: 7_000.0} for number in range(360)}
    looked = parity(archived(tmp_path, *served(wrong)))
    checked = looked.look(HOUR_MS)
    (event,) = checked.events
    assert (event.kind, event.transition, event.model, event.digest) == ("serving", "confirmed", "toys", "d")
    assert (event.bucket_start_ms, event.bucket_end_ms, event.rows) == (0, HOUR_MS, 40)
    (evidence,) = event.evidence
    assert evidence.watched == COUNT.name
    assert COUNT.text in evidence.method
    assert (evidence.effect, evidence.before) == (1.0, {"served": 7_000.0})
    assert checked.different == 40
    (event,) = looked.look(2 * HOUR_MS).events
    assert (event.transition, event.evidence) == ("cleared", ())
    assert looked.look(2 * HOUR_MS).events == ()


def test_a_value_that_was_missing_and_shouldn_t_be_is_seen(tmp_path: Path):
    wrong: dict[int, dict[str, float | None]] = {number: {RISK.name: None} for number in range(720)}
    (event,) = parity(archived(tmp_path, *served(wrong))).look(2 * HOUR_MS).events
    (evidence,) = event.evidence
    assert (evidence.watched, evidence.before) == (RISK.name, {})
    assert 0 < evidence.after["computed"] < 1


def test_the_same_span_gives_the_same_event(tmp_path: Path):
    lake = archived(tmp_path, *served({number: {COUNT.name: -1.0} for number in range(720)}))
    assert parity(lake).look(HOUR_MS) == parity(lake).look(HOUR_MS)


def test_it_looks_once_a_span(tmp_path: Path):
    looked = parity(archived(tmp_path, *served()))
    assert looked.is_due(HOUR_MS)
    looked.look(HOUR_MS)
    assert not looked.is_due(2 * HOUR_MS - 1)
    assert looked.is_due(2 * HOUR_MS)
    assert not parity(Lake(tmp_path), CONFIG.model_copy(update={"parity_rows": 0})).is_due(HOUR_MS)


def test_bundles_without_windows_are_nothing_to_look_at(tmp_path: Path):
    lake, plain = archived(tmp_path, *served()), msgspec.structs.replace(MANIFEST, windows=())
    looked = Parity("toys", SCHEMA, lake=lake, manifest={"d": plain}.__getitem__, config=CONFIG)
    assert looked.look(HOUR_MS) == (0, 0, ())


def test_what_was_imported_was_served_by_nobody_and_labels_may_be_yet_to_come(tmp_path: Path):
    rows, _ = served()
    lake = Lake(tmp_path)
    past = {"id": ["old"], "time_ms": [HOUR_MS - 1], "place": ["a"], "size": [1.0], "label": [None], "known_ms": [None]}
    types = {"label": pa.float64(), "known_ms": pa.int64()}
    table = pa.table({name: pa.array(values, types.get(name)) for name, values in past.items()})
    lake.import_history("toys", SCHEMA, table.slice(0, 0), "nothing")
    records = [Record("p", 0, place, None, msgspec.json.encode(one), (), 0) for place, one in enumerate(rows[:20])]
    lake.append("toys", "predictions", Decoder(SCHEMA, "predictions").decode(records).rows, {"p/0": 20})
    lake.import_history("toys", SCHEMA, table, "old")
    checked = parity(lake).look(HOUR_MS)
    assert (checked.values, checked.different) == (40, 0)


def test_a_bundle_that_is_gone_is_said(tmp_path: Path):
    def gone(digest: str) -> Manifest:
        raise BundleRefused(f"no bundle {digest}")

    lake = archived(tmp_path, *served())
    with pytest.raises(BundleRefused, match="no bundle d"):
        Parity("toys", SCHEMA, lake=lake, manifest=gone, config=CONFIG).look(HOUR_MS)
