"""What a model leans on: Shapley values against their definition, and the detector against formulas."""

from __future__ import annotations

import itertools
import math
import weakref
from collections.abc import Callable, Sequence

import msgspec
import numpy as np
import pyarrow as pa
import pytest

from streams.contracts.schema import Task
from streams.contracts.summaries import InputSummary
from streams.detectors import attributions_shapley
from streams.detectors._shapley import shapley_values
from streams.detectors._tested import FEWEST
from streams.detectors.attributions_shapley import AttributionsShapley
from streams.detectors.base import BucketView, Columns, Floats, Setup
from streams.detectors.checks import World, setup_of
from streams.monitoring.config import OURS

YEAR_MS = 365 * 86_400_000
# The mean and the deviation of the absolute value of a standard normal variable.
MEAN, WIDTH = math.sqrt(2 / math.pi), math.sqrt(1 - 2 / math.pi)


def columns_of(points: Floats) -> dict[str, Floats]:
    """Columns c0, c1 and so on."""
    return {f"c{place}": values for place, values in enumerate(points.T)}


def setup_for(graph: Callable[[Columns, Sequence[int]], Floats], reference: Floats, task: Task = "regression") -> Setup:
    """The setup of a bundle with the columns c0, c1 and so on."""
    world, columns = World(0, task), columns_of(reference)
    profile = msgspec.structs.replace(world.profile, numbers=dict.fromkeys(columns, world.profile.numbers["size"]), categories={})
    return setup_of(world)._replace(profile=profile, read_rows=lambda: pa.table(columns), open_graph=lambda: graph)


def bucket(points: Floats, number: int = 0) -> BucketView:
    view = World(0).view(number, rows=30)
    assert view.inputs is not None
    rows = [(row, {f"c{place}": value for place, value in enumerate(values)}) for row, values in enumerate(points.tolist())]
    return view._replace(inputs=msgspec.structs.replace(view.inputs, sample=rows))


def normals(rows: int, columns: int, seed: int) -> Floats:
    return np.random.default_rng(seed).normal(size=(rows, columns))


def mean_levels(detector: AttributionsShapley, points: Callable[[int], Floats], buckets: int = 20) -> Floats:
    """The mean levels over some buckets [m]."""
    return np.mean([detector.read(bucket(points(number), number)).level for number in range(buckets)], axis=0)


def by_definition(score: Callable[[Columns], Floats], row: Floats, other: Floats) -> Floats:
    """Shapley's sum over all orders of the columns."""
    orders = list(itertools.permutations(range(len(row))))
    added = np.zeros(len(row))
    for order in orders:
        here = other.copy()
        for place in order:
            before = score(columns_of(here[None]))[0]
            here[place] = row[place]
            added[place] += score(columns_of(here[None]))[0] - before
    return added / len(orders)


def test_of_a_sum_each_column_has_its_part() -> None:
    rows, other = normals(50, 4, 0), normals(1, 4, 1)
    weights = np.array([2.0, -1.0, 0.0, 0.5])
    found = shapley_values(
        lambda walked: np.stack(list(walked.values()), axis=1) @ weights,
        columns_of(rows), columns_of(other), 1, np.random.default_rng(2),
    )  # fmt: skip
    np.testing.assert_allclose(found, (rows - other) * weights, atol=1e-12)


def test_what_two_columns_do_together_is_halved_exactly_by_one_pair_of_walks() -> None:
    """Of two columns each comes first in one of the two orders, whatever the order is."""
    rows, origin = normals(40, 3, 0), np.zeros((1, 3))
    a, b, c = rows.T
    found = shapley_values(
        lambda walked: walked["c0"] * walked["c1"] - 3 * walked["c1"] * walked["c2"] + walked["c0"],
        columns_of(rows), columns_of(origin), 1, np.random.default_rng(1),
    )  # fmt: skip
    np.testing.assert_allclose(found, np.stack([a * b / 2 + a, a * b / 2 - 1.5 * b * c, -1.5 * b * c], axis=1), atol=1e-12)


def test_any_other_model_has_shapleys_values_on_average() -> None:
    def score(walked: Columns) -> Floats:
        return np.exp(walked["c0"]) * np.maximum(walked["c1"], walked["c2"]) + walked["c3"] * (walked["c0"] > 0)

    row, other = np.array([0.7, 1.2, 0.3, -1.0]), np.array([-0.5, 0.2, 0.1, 0.4])
    found = shapley_values(score, columns_of(row[None]), columns_of(other[None]), 4_000, np.random.default_rng(3))
    assert found[0] == pytest.approx(by_definition(score, row, other), abs=0.03)


def test_the_values_of_a_row_add_up_to_its_score_less_that_of_the_others() -> None:
    """All rows are explained by the same walks' ends: a row, and one of the others."""
    rows, others = normals(30, 5, 0), normals(200, 5, 1)
    ends: list[Floats] = []

    def score(walked: Columns) -> Floats:
        scores = np.sin(np.stack(list(walked.values()), axis=1)).prod(axis=1)
        ends.append(scores.reshape(30, 6, 6))
        return scores

    found = shapley_values(score, columns_of(rows), columns_of(others), 3, np.random.default_rng(2))
    (walks,) = ends
    np.testing.assert_allclose(walks[:, :, -1], np.sin(rows).prod(axis=1)[:, None].repeat(6, axis=1))
    np.testing.assert_allclose(walks[:, :3, 0], walks[:, 3:, 0], err_msg="the two of a pair come from one row")
    np.testing.assert_allclose(found.sum(axis=1), (walks[:, :, -1] - walks[:, :, 0]).mean(axis=1), atol=1e-12)
    assert len(np.unique(walks[:, :3, 0])) > 60, "and the others are drawn anew for each"


def test_texts_are_columns_too() -> None:
    rows = {"colour": np.array(["red", "blue", ""], dtype=object), "size": np.array([1.0, 2.0, 3.0])}
    others = {"colour": np.array(["blue"], dtype=object), "size": np.array([0.0])}
    found = shapley_values(
        lambda walked: 5.0 * (walked["colour"] == "red") + walked["size"], rows, others, 1, np.random.default_rng(0)
    )
    np.testing.assert_allclose(found, [[5, 1], [0, 2], [0, 3]])


def test_a_column_that_moves_counts_for_as_much_more_as_a_formula_says_and_others_for_as_much_as_before() -> None:
    """Of 2a + b a column's attribution is its weight times the distance of its value from the mean of four others."""
    detector = attributions_shapley.open_detector(setup_for(lambda rows, _: 2 * rows["c0"] + rows["c1"], normals(4_000, 3, 0)))
    assert [signal.watched for signal in detector.signals] == ["c0", "c1"], "c2 is never looked at"
    assert [signal.reference for signal in detector.signals] == [500, 500]
    quiet = mean_levels(detector, lambda seed: normals(400, 3, 100 + seed))
    assert quiet == pytest.approx([0, 0], abs=4 * math.sqrt(1 / 500 + 1 / 2_000))
    wider = mean_levels(detector, lambda seed: normals(400, 3, 200 + seed) * [1.0, 2.0, 9.0])
    expected = MEAN * (math.sqrt(4.25) - math.sqrt(1.25)) / (WIDTH * math.sqrt(1.25))
    assert wider[0] == pytest.approx(0, abs=4 * math.sqrt(1 / 500 + 1 / 2_000))
    assert wider[1] == pytest.approx(expected, abs=0.25)


def test_what_is_usual_is_measured_on_rows_that_nothing_is_compared_with() -> None:
    reference = normals(2_000, 2, 0)
    detector = attributions_shapley.open_detector(setup_for(lambda rows, _: rows["c0"], reference))
    assert detector._asked is not None
    others, explained = (set(rows["c0"].tolist()) for rows in (detector._asked._others, detector._asked._explained))
    assert (len(others), len(explained), others & explained) == (1_000, 500, set())
    assert others | explained <= set(reference[:, 0].tolist())


def test_a_column_that_is_as_it_was_counts_for_less_where_the_one_that_it_works_with_is_gone() -> None:
    detector = attributions_shapley.open_detector(setup_for(lambda rows, _: rows["c0"] * rows["c1"], normals(4_000, 2, 0)))
    gone = mean_levels(detector, lambda seed: normals(400, 2, seed) * [1.0, 0.0], 5)
    assert gone[0] < -0.2


def test_of_a_binary_model_log_odds_are_explained() -> None:
    def value(rows: Columns) -> Floats:
        return rows["c0"] - 0.5 * rows["c1"]

    reference, points = normals(2_000, 2, 0), normals(300, 2, 1) * 1.5
    levels = [
        attributions_shapley.open_detector(setup).read(bucket(points)).level
        for setup in (
            setup_for(lambda rows, _: value(rows), reference),
            setup_for(lambda rows, _: 1 / (1 + np.exp(-value(rows))), reference, "binary"),
        )
    ]
    assert levels[1] == pytest.approx(levels[0], abs=1e-6)
    certain = attributions_shapley.open_detector(setup_for(lambda rows, _: (rows["c0"] > 0) * 1.0, reference, "binary"))
    assert np.isfinite(certain.read(bucket(points)).level).all(), "scores of 0 and 1 have no log odds"


def test_a_column_that_hardly_counts_has_no_endless_deviations() -> None:
    """It counts for one row of three hundred, and then for all."""
    reference = normals(4_000, 2, 0)
    detector = attributions_shapley.open_detector(setup_for(lambda rows, _: rows["c0"] + 0.3 * (rows["c1"] > 2.7), reference))
    points = normals(300, 2, 1) + np.array([0.0, 9.0])
    level = dict(zip([one.watched for one in detector.signals], detector.read(bucket(points)).level, strict=True))
    # The deviation of c0's attributions is 0.6 * sqrt(1.25), and a twentieth of that counts.
    assert level["c1"] == pytest.approx(0.3 / (WIDTH * math.sqrt(1.25) / 20), rel=0.1)


@pytest.mark.parametrize(
    ("columns", "rows", "scores"), [(3, 100, 3_200), (20, 100, 16_800), (100, 99, 19_998), (900, 30, 54_060)]
)
def test_what_a_bucket_costs_is_bounded(columns: int, rows: int, scores: int) -> None:
    asked: list[int] = []

    def graph(values: Columns, time_ms: Sequence[int]) -> Floats:
        asked.append(len(time_ms))
        return values["c0"] + values["c1"]

    detector = attributions_shapley.open_detector(setup_for(graph, normals(200, columns, 0)))
    asked.clear()
    found = detector.read(bucket(normals(500, columns, 1)))
    assert (found.rows[0], sum(asked)) == (rows, scores)
    assert max(asked) * columns <= 4_000_000


def test_the_rows_are_taken_evenly_and_the_walks_of_each_bucket_are_others() -> None:
    detector = attributions_shapley.open_detector(setup_for(lambda rows, _: rows["c0"] + rows["c1"], normals(900, 2, 0)))
    points = normals(500, 2, 1)
    view = bucket(points)
    assert detector._asked is not None
    taken = detector._asked.sampled(view.inputs)
    assert taken is not None
    assert taken["c0"].tolist() == points[::5, 0].tolist(), "in training samples are in order of time"
    same, later = (detector.read(view._replace(start_ms=start_ms)).level for start_ms in (view.start_ms, view.end_ms))
    np.testing.assert_array_equal(same, detector.read(view).level)
    assert (same != later).all(), "an error of the walks isn't the same in all buckets"


def test_rows_have_times_of_a_year_by_chance_in_the_reference_as_in_buckets() -> None:
    asked: list[list[int]] = []

    def graph(values: Columns, time_ms: Sequence[int]) -> Floats:
        asked.append(list(time_ms))
        return values["c0"] * (np.array(time_ms) // 3_600_000 % 24 < 12)

    detector = attributions_shapley.open_detector(setup_for(graph, normals(2_000, 1, 0)))
    assert mean_levels(detector, lambda seed: normals(300, 1, seed))[0] == pytest.approx(0, abs=0.25)
    for times in asked:
        rows = np.array(times).reshape(-1, 16)
        assert (rows == rows[:, :1]).all(), "no step of a walk is one in time"
        assert 0 <= rows.min() < 0.1 * YEAR_MS < 0.9 * YEAR_MS < rows.max() < YEAR_MS


def test_without_a_graph_or_rows_to_compare_with_nothing_is_watched() -> None:
    whole = setup_of(World(3))
    for setup in (
        whole._replace(open_graph=lambda: None),
        whole._replace(read_rows=lambda: None),
        whole._replace(read_rows=lambda: World(3).reference.slice(0, 2 * FEWEST - 1)),
        whole._replace(open_graph=lambda: lambda rows, time_ms: np.full(len(time_ms), 0.3)),
        whole._replace(open_graph=lambda: lambda rows, time_ms: np.full(len(time_ms), np.nan)),
    ):
        detector = attributions_shapley.open_detector(setup)
        assert list(detector.signals) == []
        assert [part.shape for part in detector.read(World(3).view(0))] == [(0,)] * 3


def test_the_file_of_the_graph_is_opened_only_where_there_are_rows() -> None:
    def open_graph() -> None:
        raise AssertionError("it is of no use")

    whole = setup_of(World(3))
    for table in (None, World(3).reference.select(["label"])):
        detector = attributions_shapley.open_detector(whole._replace(read_rows=lambda table=table: table, open_graph=open_graph))
        assert list(detector.signals) == []


def test_a_sample_that_is_too_small_or_lacks_a_column_says_nothing_nor_does_a_model_that_gives_no_numbers() -> None:
    world = World(3)
    detector = attributions_shapley.open_detector(setup_of(world))
    view = world.view(0)
    assert isinstance(view.inputs, InputSummary)
    sample = view.inputs.sample
    without = [(row, {name: value for name, value in values.items() if name != "size"}) for row, values in sample]
    for changed in (sample[: FEWEST - 1], without, []):
        found = detector.read(view._replace(inputs=msgspec.structs.replace(view.inputs, sample=changed)))
        assert np.isnan(found.level).all()
        assert not found.rows.any()
    enough = detector.read(view._replace(inputs=msgspec.structs.replace(view.inputs, sample=sample[:FEWEST])))
    assert (enough.rows == FEWEST).all()
    assert np.isfinite(enough.level).all()
    broken = attributions_shapley.open_detector(
        setup_for(lambda rows, _: np.where(rows["c0"] > 100, np.nan, rows["c0"]), normals(500, 1, 0))
    )
    found = broken.read(bucket(np.full((100, 1), 101.0)))
    assert not found.rows.any()
    assert np.isnan(found.level).all()


@pytest.mark.parametrize("strange", [None, math.nan, math.inf, "what"])
def test_values_that_are_no_numbers_are_missing(strange: object) -> None:
    world = World(3)
    detector = attributions_shapley.open_detector(setup_of(world))
    view = world.view(0)
    assert isinstance(view.inputs, InputSummary)
    rows = [(row, values | {"size": strange, "colour": None}) for row, values in view.inputs.sample]
    found = detector.read(view._replace(inputs=msgspec.structs.replace(view.inputs, sample=rows)))
    level = dict(zip([one.watched for one in detector.signals], found.level, strict=True))
    # A model that takes what is missing for the middle of all sizes leans on it less than it did, by the others' distance.
    assert -1.0 < level["size"] < -0.4
    assert abs(level["weight"]) < 0.5


def test_a_sketch_shows_the_attribution_and_its_share() -> None:
    detector = attributions_shapley.open_detector(setup_for(lambda rows, _: 2 * rows["c0"] + rows["c1"], normals(4_000, 3, 0)))
    views = [bucket(normals(400, 3, 1)), bucket(normals(400, 3, 2) * [1.0, 4.0, 1.0], 1)]
    for view in views:
        detector.read(view)
    quiet, moved = (detector.sketch(1, [view]) for view in views)
    assert quiet.before == moved.before
    assert quiet.before["attribution"] == pytest.approx(MEAN * math.sqrt(1.25), rel=0.1)
    assert quiet.before["share"] == pytest.approx(1 / 3, abs=0.04)
    assert quiet.after["share"] == pytest.approx(1 / 3, abs=0.06)
    assert moved.after["attribution"] == pytest.approx(MEAN * math.sqrt(16.25), rel=0.25)
    assert moved.after["share"] == pytest.approx(math.sqrt(16.25) / (math.sqrt(16.25) + 2 * math.sqrt(1.25)), abs=0.1)
    assert detector.sketch(1, [bucket(normals(40, 3, 3), 9)]).after == {}, "nothing is known of that one"


def test_the_graph_is_let_go_of_when_the_detector_is_closed() -> None:
    class Answering:
        def __call__(self, rows: Columns, time_ms: Sequence[int]) -> Floats:
            return rows["c0"]

    made: list[weakref.ref[Answering]] = []

    def open_graph() -> Answering:
        graph = Answering()
        made.append(weakref.ref(graph))
        return graph

    detector = attributions_shapley.open_detector(
        setup_for(lambda rows, _: rows["c0"], normals(200, 1, 0))._replace(open_graph=open_graph)
    )
    view = bucket(normals(100, 1, 1))
    detector.read(view)
    (graph,) = made
    assert graph() is not None
    detector.close()
    assert graph() is None
    assert detector.sketch(0, [view]).after["share"] == 1


def test_it_isn_t_asked_unless_it_is_wanted() -> None:
    assert "attributions_shapley" not in OURS
