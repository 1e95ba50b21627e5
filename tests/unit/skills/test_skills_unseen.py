"""What is usual of a comparison with the reference, learnt from rows that aren't in it."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from skills._kit.profiles import REFERENCE_ROWS, profile_of, reference_of, with_scores
from skills._kit.usual import Later, Rows, Watch, normal_of, views_of
from streams.contracts.bundle import Golden, Manifest
from streams.contracts.schema import Column, ModelSchema
from streams.detectors import inputs_mmd
from streams.detectors.base import Floors, Setup

DAY_MS = 86_400_000
DAYS, PER_DAY = 20, 450
SCHEMA = ModelSchema(columns=tuple(Column(name=name, kind="number") for name in "ab"))
MANIFEST = Manifest(model="m", schema=SCHEMA, golden=Golden(columns=[], windows=[], time_ms=[], scores=[]))
WATCH = Watch(bucket_ms=DAY_MS, detectors=("inputs_mmd",), confirm_after=2, clear_after=3, alarm_rate=0.01, min_rows=30)


@pytest.fixture(scope="module")
def rows() -> Rows:
    """Twenty days of rows that have nothing to do with each other, in order of time."""
    generator, number = np.random.default_rng(0), DAYS * PER_DAY
    time_ms = np.arange(number) * (DAY_MS // PER_DAY)
    table = pa.table({"a": generator.normal(size=number), "b": generator.normal(size=number), "time_ms": time_ms})
    labels = (generator.random(number) < 0.5).astype(np.float64)
    scores = np.full(number, 0.5)
    return Rows(table.append_column("label", pa.array(labels)), Later(time_ms, time_ms, labels, scores))


def test_what_is_usual_is_learnt_from_samples_without_rows_of_the_reference(rows: Rows) -> None:
    reference = reference_of(SCHEMA, rows.table, (), np.random.default_rng(2))
    profile = profile_of(SCHEMA, rows.table, (), rows.later, np.random.default_rng(1))
    detector = inputs_mmd.open_detector(Setup(MANIFEST, profile, Floors(), DAY_MS, lambda: reference.rows))
    levels = []
    for but in (reference.places, None):
        views = views_of(WATCH, MANIFEST, profile, rows, reads_sample=True, but=but)
        levels.append(np.mean([detector.read(view).level[0] for view in views]))
    normal = normal_of(WATCH, MANIFEST, profile, rows, 0, reference=reference)
    assert normal is not None
    (usual,) = normal.signals["inputs_mmd"].values()
    assert usual.level == pytest.approx(levels[0], abs=0.05)
    assert levels[1] < levels[0] - 0.2, "a sample is more like a reference that has a third of it"


def test_a_sample_has_no_row_of_the_reference_and_each_other_one(rows: Rows) -> None:
    reference = reference_of(SCHEMA, rows.table, (), np.random.default_rng(2))
    profile = profile_of(SCHEMA, rows.table, (), rows.later, np.random.default_rng(1))
    everything = set(rows.table.column("a").to_pylist())
    for places, left in ((reference.places, everything - set(reference.rows.column("a").to_pylist())), (None, everything)):
        views = views_of(WATCH, MANIFEST, profile, rows, reads_sample=True, but=places)
        found = [[values["a"] for _, values in view.inputs.sample] for view in views if view.inputs is not None]
        assert {value for one in found for value in one} == left
        assert [view.inputs.rows for view in views if view.inputs is not None] == [PER_DAY] * DAYS, "all of them count"


def test_the_reference_has_at_most_a_third_of_the_rows_in_order_of_time_and_not_too_many(rows: Rows) -> None:
    reference = reference_of(SCHEMA, rows.table, (), np.random.default_rng(2))
    assert reference.rows.num_rows == len(set(reference.places.tolist())) == 3_000
    assert reference.rows.column_names == ["a", "b", "label"]
    assert reference.rows.column("a").to_pylist() == rows.table.column("a").take(pa.array(np.sort(reference.places))).to_pylist()
    many = pa.concat_tables([rows.table] * 2)
    assert reference_of(SCHEMA, many, (), np.random.default_rng(2)).rows.num_rows == REFERENCE_ROWS
    assert reference_of(SCHEMA, rows.table.slice(0, 2), (), np.random.default_rng(2)).rows.num_rows == 1


def test_scores_of_unseen_rows_travel_with_the_reference(rows: Rows) -> None:
    reference = reference_of(SCHEMA, rows.table, (), np.random.default_rng(2))
    number = rows.table.num_rows
    last = rows.later.kept(np.arange(number) >= number - 1_500)
    numbered = Rows(rows.table, last._replace(scores=np.arange(number - 1_500, number) / number))
    found = with_scores(reference, numbered).rows
    assert found.column_names == [*reference.rows.column_names, "dw:score"]
    scores = found.column("dw:score").to_pylist()
    assert [score if score is None else round(score * number) for score in scores] == [
        place if place >= number - 1_500 else None for place in reference.places.tolist()
    ]
    assert sum(score is not None for score in scores) > 400
