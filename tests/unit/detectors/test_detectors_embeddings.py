"""Embeddings: which columns are one, and what is read of them against formulas."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pytest

from streams.detectors import embeddings_projected
from streams.detectors._joint import shuffled
from streams.detectors._tested import FEWEST
from streams.detectors.base import BucketView, Floats, Setup
from streams.detectors.checks import World, setup_of
from streams.detectors.embeddings_projected import EmbeddingsProjected, _orthonormal, coordinates
from streams.monitoring.config import OURS

WIDTH = 16


def named(points: Floats, stem: str = "text_") -> dict[str, list[float | None]]:
    """Coordinates of vectors [rows, d] as columns; NaN as None."""
    return {
        f"{stem}{place}": [None if math.isnan(value) else value for value in values]
        for place, values in enumerate(points.T.tolist())
    }


def setup_for(columns: Mapping[str, list[Any]]) -> Setup:
    world = World(0)
    profile = msgspec.structs.replace(world.profile, numbers=dict.fromkeys(columns, world.profile.numbers["size"]), categories={})
    return setup_of(world)._replace(profile=profile, read_rows=lambda: pa.table(dict(columns)))


def opened(reference: Floats) -> EmbeddingsProjected:
    return embeddings_projected.open_detector(setup_for(named(reference)))


def bucket(columns: Mapping[str, list[Any]], number: int = 0) -> BucketView:
    view = World(0).view(number, rows=30)
    assert view.inputs is not None
    rows = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    return view._replace(inputs=msgspec.structs.replace(view.inputs, sample=list(enumerate(rows))))


def normals(rows: int, columns: int, seed: int) -> Floats:
    return np.random.default_rng(seed).normal(size=(rows, columns))


def halves(reference: Floats) -> list[Floats]:
    """The rows of a reference by which is standardised, and those that say what is usual."""
    mixed = shuffled(pa.table(named(reference)))
    return np.split(np.stack([mixed.column(name).to_numpy(zero_copy_only=False) for name in mixed.column_names], axis=1), 2)


def levels(detector: EmbeddingsProjected, points: Floats) -> dict[str, float]:
    found = detector.read(bucket(named(points)))
    assert set(found.rows) == {float(len(points))}
    np.testing.assert_array_equal(found.level, found.effect)
    return dict(zip([signal.aspect for signal in detector.signals], found.level.tolist(), strict=True))


def test_columns_that_share_a_stem_and_have_running_numbers_are_one_vector() -> None:
    text, plain = [f"text_{number}" for number in range(128)], [f"V{number}" for number in range(1, 29)]
    padded = [f"pad_{number:03d}" for number in range(5, 17)]
    mixed = np.random.default_rng(0).permutation([*text, *plain, *padded, "size", "x2", "7"]).tolist()
    assert coordinates(mixed) == [plain, padded, text], "in order of their numbers, whatever the order of the columns"
    assert coordinates(text[:8]) == [text[:8]]
    assert coordinates(text[:7]) == [], "too few to be sure that they are one"
    assert coordinates([*text[:20], *text[21:]]) == [], "one lacks"
    assert coordinates([*text[:20], "text_007"]) == [], "one is there twice"
    deep = [f"a1_{number}" for number in range(9)]
    assert coordinates(deep) == [deep]


def test_the_directions_are_those_of_gram_and_schmidt() -> None:
    drawn = np.random.default_rng(4).normal(size=(WIDTH, 8))
    found = _orthonormal(WIDTH)
    np.testing.assert_allclose(found.T @ found, np.eye(8), atol=1e-12)
    expected = np.empty((WIDTH, 8))
    for place in range(8):
        rest = drawn[:, place] - expected[:, :place] @ (expected[:, :place].T @ drawn[:, place])
        expected[:, place] = rest / np.linalg.norm(rest)
    np.testing.assert_allclose(found, expected, atol=1e-10)


def test_levels_are_means_along_the_directions_and_of_the_norm_in_deviations_of_the_references_rows() -> None:
    scale, middle = np.linspace(0.1, 50, WIDTH), np.linspace(-30, 30, WIDTH)
    reference, points = normals(1_000, WIDTH, 0) * scale + middle, normals(300, WIDTH, 1) * scale + middle + 0.4 * scale
    first, second = halves(reference)
    before, after = ((rows - first.mean(axis=0)) / first.std(axis=0) for rows in (second, points))
    detector = opened(reference)
    found = levels(detector, points)
    assert list(found) == [*(f"direction {number}" for number in range(1, 9)), "norm"]
    directions = _orthonormal(WIDTH)
    for place, aspect in enumerate(list(found)[:8]):
        was, now = before @ directions[:, place], after @ directions[:, place]
        assert found[aspect] == pytest.approx((now.mean() - was.mean()) / was.std())
    was, now = (np.sqrt((rows**2).sum(axis=1)) for rows in (before, after))
    assert found["norm"] == pytest.approx((now.mean() - was.mean()) / was.std())
    assert {signal.reference for signal in detector.signals} == {500.0}
    assert {signal.watched for signal in detector.signals} == {"text_0 to text_15"}
    assert {signal.kind for signal in detector.signals} == {"feature_drift"}
    assert not any(signal.rises_only for signal in detector.signals)
    skew = (((was - was.mean()) / was.std()) ** 3).mean()
    assert detector.signals[-1].skewness == pytest.approx(skew)


def test_of_a_shift_they_see_their_share_of_the_dimensions_on_average() -> None:
    """Johnson and Lindenstrauss: eight of sixty-four dimensions have an eighth of the squared length."""
    shifts = normals(2_000, 64, 0)
    seen = shifts @ _orthonormal(64)
    assert (seen**2).sum() / (shifts**2).sum() == pytest.approx(1 / 8, rel=0.03)


def test_vectors_that_grow_are_longer_and_don_t_move() -> None:
    detector = opened(normals(4_000, 64, 0))
    found = levels(detector, 1.3 * normals(2_000, 64, 1))
    # A norm of so many dimensions is about their root, with a deviation of about the root of a half.
    assert found["norm"] == pytest.approx(0.3 * 8 / math.sqrt(0.5), rel=0.05)
    assert max(abs(found[f"direction {number}"]) for number in range(1, 9)) < 0.12


def test_a_coordinate_that_is_missing_is_its_mean_and_a_vector_that_is_lost_has_no_length() -> None:
    reference = normals(1_000, WIDTH, 0) + 5.0
    reference[:100, 3] = np.nan
    detector, (first, _) = opened(reference), halves(reference)
    points, partly = normals(200, WIDTH, 1) + 5.0, normals(200, WIDTH, 1) + 5.0
    partly[:, 3], points[:, 3] = np.nan, np.nanmean(first[:, 3])
    assert levels(detector, partly) == pytest.approx(levels(detector, points))
    lost = levels(detector, np.full((200, WIDTH), np.nan))
    assert lost["norm"] < -5
    assert lost["norm"] == pytest.approx(levels(detector, np.tile(np.nanmean(first, axis=0), (200, 1)))["norm"])


@pytest.mark.parametrize("strange", [1e300, -1e300])
def test_no_outlier_lies_farther_out_than_ten_deviations(strange: float) -> None:
    reference = normals(1_000, WIDTH, 0)
    detector, (first, _) = opened(reference), halves(reference)
    one, other = normals(100, WIDTH, 1), normals(100, WIDTH, 1)
    one[0, 2] = strange
    other[0, 2] = first[:, 2].mean() + math.copysign(10, strange) * first[:, 2].std()
    assert levels(detector, one) == pytest.approx(levels(detector, other))


def test_values_that_are_no_numbers_are_missing() -> None:
    detector, columns = opened(normals(500, WIDTH, 0)), named(normals(100, WIDTH, 1))
    found = [detector.read(bucket({**columns, "text_4": [strange] * 100})).level for strange in (None, math.inf, "what")]
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_array_equal(found[0], found[2])


def test_what_never_varies_is_no_coordinate_and_of_too_few_that_do_there_is_no_vector() -> None:
    reference = normals(500, WIDTH, 0)
    reference[:, 8:] = 3.0
    detector = opened(reference)
    assert {signal.watched for signal in detector.signals} == {"text_0 to text_7"}
    points = normals(100, WIDTH, 1)
    assert np.isfinite(list(levels(detector, points).values())).all()
    reference[:, 7] = np.nan
    assert list(opened(reference).signals) == []
    assert [part.shape for part in opened(reference).read(bucket(named(points)))] == [(0,)] * 3


def test_vectors_of_one_length_have_no_endless_deviations_of_it() -> None:
    def unit(rows: int, seed: int) -> Floats:
        points = normals(rows, 64, seed)
        return points / np.linalg.norm(points, axis=1, keepdims=True)

    detector = opened(unit(5_000, 0))
    one, longer = (levels(detector, by * unit(1_000, 1))["norm"] for by in (1.0, 1.001))
    assert abs(one) < 0.3
    # The norms of the reference's rows have a deviation of 0.03 about 8; 0.05 counts.
    assert longer - one == pytest.approx(0.001 * 8 / 0.05, rel=0.05)


@pytest.mark.parametrize("rows", [None, 0, 2 * FEWEST - 1])
def test_without_a_reference_nothing_is_watched(rows: int | None) -> None:
    table = None if rows is None else pa.table(named(normals(500, WIDTH, 0))).slice(0, rows)
    detector = embeddings_projected.open_detector(setup_for(named(normals(500, WIDTH, 0)))._replace(read_rows=lambda: table))
    assert list(detector.signals) == []


def test_an_embedding_that_the_sample_lacks_says_nothing_while_another_does() -> None:
    text, image = named(normals(500, WIDTH, 0)), named(normals(500, 9, 1), "image")
    detector = embeddings_projected.open_detector(setup_for(image | text))
    assert list(dict.fromkeys(signal.watched for signal in detector.signals)) == ["image0 to image8", "text_0 to text_15"]
    points = named(normals(100, 9, 2), "image") | named(normals(100, WIDTH - 1, 3))
    found = detector.read(bucket(points))
    assert np.isfinite(found.level).tolist() == [True] * 9 + [False] * 9
    assert found.rows.tolist() == [100.0] * 9 + [0.0] * 9
    few = detector.read(bucket({name: values[: FEWEST - 1] for name, values in (image | text).items()}))
    assert np.isnan(few.level).all()
    assert np.isnan(detector.read(bucket(points)._replace(inputs=None)).level).all()


def test_a_sketch_names_the_coordinates_that_moved_most() -> None:
    detector = opened(normals(2_000, WIDTH, 0))
    points = normals(400, WIDTH, 1)
    points[:, 11] += 2.0
    points[:, 5] -= 1.0
    view = bucket(named(points))
    detector.read(view)
    shown = detector.sketch(2, [view])
    assert list(shown.after)[:4] == ["direction 3", "norm", "text_11", "text_5"]
    assert len(shown.after) == 5
    assert shown.before.keys() == shown.after.keys()
    assert shown.before["text_11"] == pytest.approx(0, abs=0.15)
    assert shown.after["text_11"] == pytest.approx(2, abs=0.2)
    assert shown.after["text_5"] == pytest.approx(-1, abs=0.2)
    assert shown.before["norm"] == pytest.approx(4, abs=0.2)
    assert detector.sketch(0, [bucket(named(points), 9)]).after == {}, "nothing is known of that one"


def test_a_model_without_an_embedding_has_nothing_to_watch() -> None:
    detector = embeddings_projected.open_detector(setup_of(World(1)))
    assert list(detector.signals) == []
    assert list(detector.read(World(1).view(0)).level) == []
    assert "embeddings_projected" not in OURS


def test_the_world_of_the_checks_has_one_that_it_is_loud_about() -> None:
    detector = embeddings_projected.open_detector(setup_of(World(1, coordinates=12)))
    assert len(detector.signals) == 9
    world: Callable[..., BucketView] = World(2, coordinates=12).view
    assert np.abs(detector.read(world(0)).level).max() < 0.3 < np.abs(detector.read(world(1, is_broken=True)).level).max()
