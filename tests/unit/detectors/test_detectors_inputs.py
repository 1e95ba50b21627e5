"""Inputs that are too many or too few, suspect, sent twice, or in another unit: known answers, and what was never learnt."""

from __future__ import annotations

import math
from collections.abc import Sequence
from types import ModuleType

import msgspec
import numpy as np
import pytest

from streams.calibration.chart import Chart
from streams.calibration.learning import Asked, learn_normal, read_history
from streams.calibration.panel import Panel
from streams.contracts.bundle import Normal, NumberProfile, Profile, Usual
from streams.contracts.summaries import InputSummary, NumberCounts
from streams.detectors import inputs_duplicates, inputs_suspect, inputs_unit, inputs_volume
from streams.detectors.base import BucketView, Detector, Floors, Requests, Setup
from streams.detectors.checks import DAY_MS, World, setup_of
from streams.statistics.alarms import Course, Tail
from streams.statistics.contents import MOST, Contents
from streams.statistics.skew import unskewed

HOUR_MS = 3_600_000
START_MS = 20_006 * DAY_MS
WEEK = 168


def opened(kind: ModuleType, world: World, profile: Profile | None = None) -> Detector:
    setup = setup_of(world)
    return kind.open_detector(setup._replace(profile=profile or world.profile))


def arrived(hour: int, rows: int | None, suspect: int | None = 0) -> BucketView:
    """A bucket of which nothing is known but how many came."""
    start_ms = START_MS + hour * HOUR_MS
    requests = None if rows is None else Requests(rows, suspect)
    return BucketView("m", "d", start_ms, start_ms + HOUR_MS, None, None, requests)


def panel_of(kind: str, world: World | None = None) -> Panel:
    world = world or World(0)
    return Panel([kind], Setup(world.manifest, world.profile, Floors(), HOUR_MS))


# How many requests come


def test_volume_is_the_logarithm_of_the_rows_of_all_bundles_but_in_the_first_bucket() -> None:
    detector = opened(inputs_volume, World(0))
    ((signal,),) = [detector.signals]
    assert np.isnan(detector.read(arrived(0, None)).level).all()
    assert np.isnan(detector.read(arrived(1, 800)).level).all(), "monitoring may have begun within it"
    found = detector.read(arrived(2, 800))
    assert (found.level[0], found.rows[0]) == (pytest.approx(math.log(800)), 800)
    assert detector.read(arrived(3, 400)).effect[0] - found.effect[0] == pytest.approx(-1), "half of them"
    assert found.effect[0] == pytest.approx(signal.scale * found.level[0])
    assert np.isnan(detector.read(arrived(4, None)).level).all()
    assert detector.read(arrived(5, 1)).level[0] == 0.0
    assert signal.floor == pytest.approx(math.log2(1.3), abs=0.01)


@pytest.mark.parametrize("mean", [30, 1_000])
def test_poisson_counts_are_as_surprising_as_normal_deviates(mean: int) -> None:
    """Level, rows and skewness together: otherwise thin buckets would alarm by chance, on one side more than on the other."""
    detector = opened(inputs_volume, World(0))
    detector.read(arrived(0, 1))
    counts = np.random.default_rng(mean).poisson(mean, 20_000)
    found = [detector.read(arrived(1, int(count))) for count in counts]
    level, rows = (np.array([readings[part][0] for readings in found]) for part in (0, 1))
    surprises = unskewed((level - math.log(mean)) * np.sqrt(rows), detector.signals[0].skewness / np.sqrt(rows))
    assert surprises.mean() == pytest.approx(0, abs=0.03)
    assert surprises.std() == pytest.approx(1, abs=0.03)
    for side in (surprises, -surprises):
        # A normal deviate's is 0.01; counts of 30 lie as far apart as a quarter of that makes.
        assert 0.006 < (side > 2.33).mean() < 0.014


def seasonal(weeks: int, seed: int, noise: float = 0.1) -> np.ndarray:
    """Counts of hours: eight times as many by day as by night, fewer at weekends, and more varied than chance."""
    generator, hours = np.random.default_rng(seed), np.arange(weeks * WEEK)
    expected = 300 * np.exp(np.sin((hours % 24 - 9) / 24 * 2 * np.pi)) * np.where((hours // 24) % 7 >= 5, 0.6, 1.0)
    return generator.poisson(expected * np.exp(noise * generator.normal(size=len(hours))))


def learnt(panel: Panel, views: Sequence[BucketView]) -> Normal:
    asked = Asked(2 * HOUR_MS / (30 * DAY_MS), Course(2, 3), HOUR_MS)
    normal = learn_normal(panel, read_history(panel, views), asked, np.random.default_rng(0))
    assert normal is not None
    return normal


def test_a_fall_by_night_stands_out_from_the_season_that_was_learnt_and_its_sketch_names_both_numbers() -> None:
    panel, counts = panel_of("inputs_volume"), seasonal(6, 1).tolist()
    normal = learnt(panel, [arrived(hour, rows) for hour, rows in enumerate(counts)])
    usual = normal.signals["inputs_volume"]["requests: rows"]
    assert math.sqrt(usual.unrest + usual.wandering) == pytest.approx(0.1, rel=0.2)
    profile = msgspec.structs.replace(World(0).profile, normal=normal)
    watched = Panel(["inputs_volume"], Setup(World(0).manifest, profile, Floors(), HOUR_MS))
    threshold = Tail(normal.level, normal.rate, normal.excess).threshold(2 / 720)
    chart, heights, later = Chart(watched, normal, HOUR_MS, threshold), [], seasonal(2, 2).tolist()
    night = 26  # two o'clock, with a ninth of what comes by day
    for hour, rows in enumerate(later[: WEEK + night]):
        view = arrived(6 * WEEK + hour, rows)
        heights.append(chart.step(view.start_ms, watched.read(view)).improbability[0])
    assert sum(height >= threshold for height in heights) <= 4
    expected = later[WEEK + night]
    views = [arrived(7 * WEEK + night + lasting, expected // 2) for lasting in range(2)]
    _, looked = [chart.step(view.start_ms, watched.read(view)) for view in views]
    assert looked.improbability[0] > threshold
    assert looked.effect[0] == pytest.approx(-1, abs=0.3)
    shown = watched.sketch(0, views)
    assert shown.after == {"rows": expected // 2, "buckets": 2.0}
    assert shown.before["rows"] == pytest.approx(expected, rel=0.3)


def test_what_is_usual_is_shown_of_the_hour_of_the_week() -> None:
    weekday, hour = (START_MS // DAY_MS + 1) % 7, 5
    usual = Usual(
        level=5.0, weekday=np.eye(7)[weekday].tolist(), hour=np.eye(24)[hour].tolist(), rows=1.0, buckets=1,
        hour_of_week=np.eye(WEEK)[weekday * 24 + hour].tolist(),
    )  # fmt: skip
    normal = Normal(
        bucket_ms=HOUR_MS, since_ms=0, until_ms=1, buckets=99, confirm_after=2, clear_after=3, level=1.0, rate=0.01, excess=0.4,
        signals={"inputs_volume": {"requests: rows": usual}},
    )  # fmt: skip
    detector = opened(inputs_volume, World(0), msgspec.structs.replace(World(0).profile, normal=normal))
    for at, level in ((24 + hour, 8.0), (24 + hour + 1, 6.0), (hour, 6.0), (hour + 1, 5.0)):
        assert detector.sketch(0, [arrived(at, 7)]) == ({"rows": pytest.approx(math.exp(level))}, {"rows": 7.0, "buckets": 1.0})


KINDS = [
    "inputs_duplicates", "inputs_volume", "labels_coverage", "labels_delay", "requests_clock", "requests_silence",
    "serving_latency",
]  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_never_learnt_is_never_surprising(kind: str) -> None:
    """Without a reference of its own any level is news of nothing; an entry that was measured in no bucket says no more."""
    panel, world = panel_of(kind), World(0)
    unmeasured = {signal.name: Usual(rows=1.0, buckets=0) for signal in panel.signals}
    normal = Normal(
        bucket_ms=HOUR_MS, since_ms=0, until_ms=1, buckets=99, confirm_after=2, clear_after=3, level=1.0, rate=0.01, excess=0.4,
        signals={kind: unmeasured},
    )  # fmt: skip
    for given in (None, normal):
        chart = Chart(panel, given, DAY_MS, 1.0)
        assert not chart.is_expected.any()
        for day in range(20):
            view = world.view(day, is_broken=day > 10)
            looked = chart.step(view.start_ms, panel.read(view))
            # Nothing is as likely as not, where only a rise counts.
            assert (looked.improbability <= math.log10(2) + 1e-9).all()
            assert (looked.effect == 0).all()


# Requests that are suspect


def test_suspect_requests_are_a_share_of_all_that_came_even_where_no_other_is_left() -> None:
    world = World(0)
    detector = opened(inputs_suspect, world)
    calm, broken = detector.read(arrived(0, 1_000)), detector.read(arrived(1, 1_000, 300))
    expected = 0.5 / (world.profile.rows + 1)
    assert calm.level[0] == pytest.approx(0, abs=1 / math.sqrt(1_000))
    assert broken.effect[0] == pytest.approx(0.3 - expected)
    assert broken.level[0] == pytest.approx(2 * math.asin(math.sqrt(300.375 / 1_000.75)), abs=0.05)
    assert detector.read(arrived(2, 1_000, 1_000)).level[0] > 3
    assert detector.sketch(0, [arrived(0, 1_000), arrived(1, 1_000, 300)]).after == {"share": 0.15, "rows": 2_000.0}
    for unknown in (arrived(3, None), arrived(4, 1_000, None)):
        assert np.isnan(detector.read(unknown).level).all()


# Rows that are sent twice


def alike(world: World, times: Sequence[int]) -> BucketView:
    """A bucket whose contents come so many times each."""
    hashes = np.random.default_rng(len(times)).choice(1 << 53, len(times), replace=False).repeat(times)
    found, view = Contents(), world.view(0)
    found.add(hashes)
    assert view.inputs is not None
    inputs = msgspec.structs.replace(view.inputs, rows=len(hashes) + 5, suspect=5, contents=found.counted)
    return view._replace(inputs=inputs)


def test_duplicates_are_read_exactly_of_few_contents() -> None:
    world = World(0)
    detector = opened(inputs_duplicates, world)
    repeated, copies = range(2)
    found = detector.read(alike(world, [1] * 60 + [2] * 30 + [10] * 10))
    assert found.rows.tolist() == [100, 100]
    assert found.effect[repeated] == pytest.approx(0.4)
    assert found.effect[copies] == pytest.approx(math.log2(220 / 100))
    angles = [math.asin(math.sqrt((hits + 0.375) / 100.75)) for hits in (40, 0)]
    assert found.level[repeated] == pytest.approx(2 * (angles[0] - angles[1]))
    none = detector.read(alike(world, [1] * 100))
    assert none.level == pytest.approx([0, 0])
    shown = [detector.sketch(index, [alike(world, [1] * 60 + [2] * 40)] * 2).after for index in range(2)]
    assert shown == [{"share": 0.4, "buckets": 2.0}, {"rows": 280.0, "distinct rows": 200.0}]


def test_of_many_contents_few_that_come_twice_are_told_from_one_that_comes_all_the_time() -> None:
    world = World(0)
    detector = opened(inputs_duplicates, world)
    plain, twice, stuck = (
        detector.read(alike(world, times)) for times in ([1] * 20_000, [1] * 18_000 + [2] * 2_000, [1] * 19_999 + [20_000])
    )
    assert plain.effect[0] == 0
    assert twice.effect[0] == pytest.approx(0.1, abs=4 * math.sqrt(0.09 / MOST))
    assert stuck.effect[0] <= 1 / MOST
    assert stuck.effect[1] == pytest.approx(1, abs=4 * 1.44 / math.sqrt(MOST))
    assert (stuck.level[1] - plain.level[1]) * math.sqrt(MOST) > 6


def test_a_summary_of_before_contents_were_counted_says_nothing_of_duplicates() -> None:
    world = World(0)
    detector, view = opened(inputs_duplicates, world), world.view(0)
    assert view.inputs is not None
    told = msgspec.to_builtins(view.inputs)
    del told["contents"]
    old = msgspec.convert(told, InputSummary)
    assert np.isnan(detector.read(view._replace(inputs=old)).level).all()
    assert detector.sketch(1, [view._replace(inputs=old)]).after == {"rows": 0.0, "distinct rows": 0}


# Another unit


def profile_of(values: np.ndarray, missing: float = 0.0) -> NumberProfile:
    known = np.sort(values)
    edges = np.unique(np.quantile(known, np.arange(1, 20) / 20))
    edges = edges[edges > known[0]]
    shares = np.bincount(np.searchsorted(edges, known, side="right"), minlength=len(edges) + 1) / len(known)
    return NumberProfile(
        edges=edges.tolist(), shares=shares.tolist(), missing=missing, low=float(known[0]), high=float(known[-1]), sample=[]
    )


def counted(profile: NumberProfile, values: np.ndarray) -> NumberCounts:
    bins = np.bincount(np.searchsorted(profile.edges, values, side="right"), minlength=len(profile.shares))
    low, high = int((values < profile.low).sum()), int((values > profile.high).sum())
    return NumberCounts(bins=bins.tolist(), low=low, high=high, least=float(values.min()), most=float(values.max()))


def sized(world: World, profile: NumberProfile, values: np.ndarray) -> tuple[Detector, BucketView]:
    view = world.view(0)
    assert view.inputs is not None
    view = view._replace(inputs=msgspec.structs.replace(view.inputs, numbers={"size": counted(profile, values)}))
    return opened(inputs_unit, world, msgspec.structs.replace(world.profile, numbers={"size": profile})), view


def prices(seed: int, rows: int = 20_000) -> np.ndarray:
    return np.exp(np.random.default_rng(seed).normal(3.0, 0.5, rows))


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(
    ("factor", "told"),
    [(1.0, None), (1.4, None), (2.54, 2.54), (10, 10), (100, 100), (1_000, 1_000), (1 / 60, 1 / 60), (0.01, 0.01)],
)
def test_a_multiplied_number_shows_its_factor(sign: int, factor: float, told: float | None) -> None:
    detector, view = sized(World(0), profile_of(sign * prices(1)), sign * factor * prices(2, 5_000))
    found = detector.read(view)
    assert found.effect[0] == pytest.approx(math.log10(factor), abs=0.12)
    assert found.rows.tolist() == [5_000]
    shown = detector.sketch(0, [view])
    assert shown.before["median"] == pytest.approx(sign * math.exp(3.0), rel=0.05)
    assert shown.after["median"] == pytest.approx(sign * factor * math.exp(3.0), rel=0.35)
    assert shown.after.get("likely factor") == (None if told is None else pytest.approx(told))
    assert (abs(found.effect[0]) >= detector.signals[0].floor) == (told is not None)


def test_a_row_s_deviation_is_the_slope_of_the_quantiles_about_the_median() -> None:
    """Of a log-normal number half of sqrt(2 pi) deviations; read between the 40th and 60th percentile it is 1 % more."""
    detector, _ = sized(World(0), profile_of(prices(1)), prices(2))
    assert detector.signals[0].scale == pytest.approx(0.5 * math.sqrt(2 * math.pi) * 0.5 / math.log(10), rel=0.04)
    tied = np.r_[np.full(900, 5.0), np.linspace(6, 9, 100)]
    assert sized(World(0), profile_of(tied), tied)[0].signals[0].scale >= 0.05


@pytest.mark.parametrize("values", [np.linspace(-1, 5, 1_000), np.linspace(0, 5, 1_000), np.full(1_000, 3.0)])
def test_numbers_about_zero_and_constants_have_no_unit(values: np.ndarray) -> None:
    assert list(sized(World(0), profile_of(values), values)[0].signals) == []


def test_a_window_comes_in_no_unit_of_its_own() -> None:
    world = World(0)
    numbers = {"size": profile_of(prices(1)), "sum_size_1h": profile_of(prices(2))}
    detector = opened(inputs_unit, world, msgspec.structs.replace(world.profile, numbers=numbers))
    assert [signal.watched for signal in detector.signals] == ["size"]


@pytest.mark.parametrize("sign", [1, -1])
def test_a_median_inside_the_range_counts_what_lies_outside_too(sign: int) -> None:
    """Two bins that meet at 10: with 30 rows below 1 and 5 above 100, half of 100 lie below 1 and 20 of 40."""
    edges, bins = [1.0, 10.0, 100.0], [70, 30]
    low, high = (edges[0], edges[-1]) if sign > 0 else (-edges[-1], -edges[0])
    profile = NumberProfile(edges=[sign * 10.0], shares=[0.5, 0.5], missing=0.0, low=low, high=high, sample=[])
    counts = NumberCounts(bins=bins[::sign], low=30 if sign > 0 else 5, high=5 if sign > 0 else 30, least=-500.0, most=500.0)
    world = World(0)
    view = world.view(0)
    assert view.inputs is not None
    detector = opened(inputs_unit, world, msgspec.structs.replace(world.profile, numbers={"size": profile}))
    found = detector.read(view._replace(inputs=msgspec.structs.replace(view.inputs, numbers={"size": counts})))
    assert found.effect[0] == pytest.approx(0.5 - 1, abs=1e-6)
    assert found.rows[0] == 100


def test_a_median_that_is_nowhere_says_nothing() -> None:
    profile = profile_of(prices(1))
    for values in (np.zeros(100), -prices(3, 100)):
        detector, view = sized(World(0), profile, values)
        assert np.isnan(detector.read(view).level).all()
        assert detector.read(view).rows.tolist() == [0]
        assert detector.sketch(0, [view]).after == {"buckets": 0.0}
    detector, view = sized(World(0), profile, 1_000 * prices(3, 100))
    assert view.inputs is not None
    view.inputs.numbers["size"].least = view.inputs.numbers["size"].most = None
    assert np.isnan(detector.read(view).level).all(), "nobody looked at the extremes"
    view.inputs.numbers.clear()
    assert np.isnan(detector.read(view).level).all()


def test_a_few_negative_values_do_not_hide_that_the_others_are_larger() -> None:
    detector, view = sized(World(0), profile_of(prices(1)), np.r_[np.full(100, -1.0), 1_000 * prices(3, 900)])
    assert detector.read(view).effect[0] > 0.5
