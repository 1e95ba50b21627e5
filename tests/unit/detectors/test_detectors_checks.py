"""The family's checks fail what they are there to find."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import SimpleNamespace

import numpy as np
import pytest

from streams.detectors import checks
from streams.detectors.base import BucketView, Readings, Setup, Signal, Sketch, Stateless, nothing

Reader = Callable[[BucketView], Readings]

SHOWN = Sketch({"mean": 0.0}, {"mean": 1.0})
GENERATOR = np.random.default_rng(1)


def signal(name: str = "x", kind: str = "feature_drift", *, rises_only: bool = False) -> Signal:
    return Signal(kind, name, "mean", "unit", 0.1, 1_000.0, rises_only=rises_only)


class Made(Stateless):
    """Reads what it is told to read, and shows what it is told to show."""

    def __init__(self, read: Reader, signals: Sequence[Signal], shown: Sketch) -> None:
        self.signals, self._read, self._shown = signals, read, shown

    def read(self, view: BucketView) -> Readings:
        return self._read(view)

    def sketch(self, index: int, views: Sequence[BucketView]) -> Sketch:
        return self._shown


def module_of(read: Reader, *signals: Signal, shown: Sketch = SHOWN, reopened: bool = False) -> SimpleNamespace:
    """A kind of `signals`; `reopened` gives each second detector another view of the same numbers."""
    opened = iter(range(1_000))

    def open_detector(setup: Setup) -> Made:
        number = next(opened)
        return Made(_shifted(read, number * 0.1) if reopened else read, signals or [signal()], shown)

    return SimpleNamespace(open_detector=open_detector)


def _shifted(read: Reader, by: float) -> Reader:
    def shifted(view: BucketView) -> Readings:
        found = read(view)
        return found._replace(level=found.level + by)

    return shifted


def at(deviations: float, effect: float = 1.0, signals: int = 1) -> Reader:
    """Reads 100 rows as so many deviations out."""
    whole = np.ones(signals)
    return lambda view: Readings(whole * deviations / 10, whole * 100, whole * effect)


def drawn(view: BucketView) -> Readings:
    """What chance makes of 100 rows, whatever the view."""
    level = GENERATOR.normal(0, 0.1, 1)
    return Readings(level, np.full(1, 100.0), level)


def rows_of(view: BucketView) -> Readings:
    """A fair reading: nothing when there is nothing, far out when the bucket is broken."""
    if view.inputs is None:
        return nothing(1)
    missing = view.inputs.numbers["size"].missing / view.inputs.rows
    return Readings(np.array([missing > 0.2]) * 1.0, np.array([600.0]), np.array([missing - 0.05]))


def test_a_fair_detector_passes_all_checks() -> None:
    fair = module_of(rows_of)
    checks.check_silent(fair, worlds=3)
    for check in (checks.check_loud, checks.check_repeatable, checks.check_nothing, checks.check_names, checks.check_order):
        check(fair, "binary")


@pytest.mark.parametrize(
    ("read", "reason"),
    [
        (at(9.0), "a quiet bucket lies 9.0 deviations out"),
        (at(1.5), "levels of quiet buckets lie about"),
        (at(-1.5), "levels of quiet buckets lie about"),
        (lambda view: drawn(view)._replace(rows=np.full(1, 400.0)), "have a deviation of"),
    ],
)
def test_shouting_at_quiet_buckets_fails(read: Reader, reason: str) -> None:
    with pytest.raises(AssertionError, match=reason):
        checks.check_silent(module_of(read), worlds=8)


def test_what_chance_makes_of_rows_is_silence_and_a_fall_is_where_only_rises_count() -> None:
    checks.check_silent(module_of(drawn), worlds=20)
    checks.check_silent(module_of(at(-1.0), signal(rises_only=True)), worlds=8)


@pytest.mark.parametrize(
    ("read", "watched"),
    [
        (at(0.0), signal()),
        (at(9.0, effect=0.01), signal()),
        (at(-9.0), signal(rises_only=True)),
        (lambda view: nothing(1), signal()),
    ],
)
def test_sleeping_through_what_is_broken_fails(read: Reader, watched: Signal) -> None:
    with pytest.raises(AssertionError, match="stayed silent"):
        checks.check_loud(module_of(read, watched))


def test_a_fall_is_loud_where_falls_count() -> None:
    checks.check_loud(module_of(at(-9.0, effect=-1.0)))


@pytest.mark.parametrize("shown", [Sketch({"mean": 0.0}, {}), Sketch({"mean": 0.0}, {"mean": float("nan")})])
def test_an_alarm_with_nothing_to_show_fails(shown: Sketch) -> None:
    with pytest.raises(AssertionError, match="nothing to show"):
        checks.check_loud(module_of(at(9.0), shown=shown))


def test_numpy_numbers_that_cannot_travel_fail() -> None:
    with pytest.raises(TypeError, match="float32"):
        checks.check_loud(module_of(at(9.0), shown=Sketch({}, {"mean": np.float32(1.0)})))


def test_reading_otherwise_the_second_time_fails() -> None:
    with pytest.raises(AssertionError, match="other readings"):
        checks.check_repeatable(module_of(rows_of, reopened=True))


def test_infinite_numbers_fail() -> None:
    with pytest.raises(AssertionError, match="infinite"):
        checks.check_repeatable(module_of(at(float("inf"))))


def test_changing_a_view_fails() -> None:
    def spoil(view: BucketView) -> Readings:
        assert view.inputs is not None
        view.inputs.numbers["size"].bins[0] += 1
        return at(0.0)(view)

    with pytest.raises(AssertionError, match="changed a view"):
        checks.check_repeatable(module_of(spoil))


@pytest.mark.parametrize("read", [at(0.0), lambda view: nothing(1)._replace(rows=np.ones(1))])
def test_reading_nothing_as_something_fails(read: Reader) -> None:
    with pytest.raises(AssertionError, match="reading of nothing"):
        checks.check_nothing(module_of(read))


@pytest.mark.parametrize(
    ("signals", "reason"),
    [
        ((signal("x"), signal("x")), "one name"),
        ((signal("x"), signal("y", kind="weather")), "weather"),
        ((signal("x"), signal("y"), signal("z")), "one number for each signal"),
    ],
)
def test_invented_kinds_double_names_and_missing_numbers_fail(signals: tuple[Signal, ...], reason: str) -> None:
    with pytest.raises(AssertionError, match=reason):
        checks.check_names(module_of(at(0.0, signals=2), *signals))


def test_minding_the_order_of_columns_fails() -> None:
    def first(view: BucketView) -> Readings:
        assert view.inputs is not None
        numbers, categories = list(view.inputs.numbers), list(view.inputs.categories)
        return at(float((numbers == sorted(numbers)) + 2 * (categories == sorted(categories))))(view)

    with pytest.raises(AssertionError, match="order of columns"):
        checks.check_order(module_of(first))


def test_reading_another_order_otherwise_fails() -> None:
    with pytest.raises(AssertionError, match="order of columns"):
        checks.check_order(module_of(rows_of, reopened=True))
