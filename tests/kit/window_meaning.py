"""The value that a row's window has, in Python's own words, straight from the words of `Window`."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any, NamedTuple

from streams.contracts.features import Window
from streams.windows.facts import LARGEST_VALUE, SMALLEST_VALUE
from tests.kit.window_cases import HOUR_MS, Row, as_fact, time_of


class Answer(NamedTuple):
    """A row's value by the words of `Window`, and how large what it was made of is: rounding goes with that.

    It is cancelled when it was divided by a sum of which rounding leaves nothing: only exact sums give it.
    """

    value: float | None
    size: float = 0.0
    is_cancelled: bool = False


def by_definition(spec: Window, stream: list[Row], row: Row, skew_ms: int) -> Answer:
    """Return a row's value."""
    if any(missing(row[key]) for key in spec.by):
        return Answer(None)
    upper = row["time"] - spec.delay_ms - skew_ms
    timed = [(time_of(spec.source, fact), as_fact(spec.source, fact)) for fact in stream]
    facts = [
        (time, fact)
        for time, fact in timed
        if upper - spec.range_ms <= time < upper
        and not any(missing(fact[key]) for key in spec.by)
        and all(fact[key] == row[key] for key in spec.by)
        and (spec.where is None or passes(spec.where, time, fact))
    ]
    if spec.aggregate == "count":
        return Answer(float(len(facts)))
    if spec.aggregate == "since":
        return Answer((row["time"] - max(time for time, _ in facts)) / 1_000 if facts else None)
    if spec.column == "place":
        return Answer(float(len({fact["place"] for _, fact in facts} - {None})))
    found = [(time, value) for time, fact in facts if (value := number(fact[spec.column])) is not None]
    values = [value for _, value in found]
    size = math.fsum(map(abs, values))
    answer = MEANING[spec.aggregate](spec, row, found, values)
    if spec.aggregate == "trend" and found:
        size *= HOUR_MS / max(1, max(found)[0] - min(found)[0])
    elif spec.aggregate == "ratio":
        is_cancelled = abs(math.fsum(values)) < 1e-9 * size
        return Answer(answer, 0.0 if answer is None else abs(answer) * size / abs(math.fsum(values)), is_cancelled=is_cancelled)
    return Answer(answer, size)


def agree(one: float | None, other: float | None, size: float) -> bool:
    """Say whether two values are the same but for rounding."""
    if one is None or other is None:
        return one is other
    return math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-14 * size)


def passes(where: str, time: int, fact: Row) -> bool:
    """Say what a filter says of a fact, in Python's own words; what raises is missing, so false."""
    (size, select, label), place = (number(fact[name]) for name in ("size", "select", "label")), fact["place"]
    level = number(fact["level"]) if "level" in fact else None
    meaning: dict[str, Any] = {
        "size > 0": lambda: size > 0,
        "not size <= 1": lambda: not size <= 1,
        'place == "a"': lambda: place == "a",
        'place in ("a", "b") or size < -1': lambda: size is not None and place and (place in {"a", "b"} or size < -1),
        'place not in ("A")': lambda: place and place != "A",
        "is_missing(place)": lambda: not place,
        "if_missing(size, 2) >= 1 and select != 1.5": lambda: (
            (2 if size is None else size) >= 1 and select is not None and select != 1.5
        ),
        "hour(time) == 0": lambda: time // HOUR_MS % 24 == 0,
        "log(size) < 3": lambda: 0 < size < math.exp(3),
        "size / select > 0": lambda: size / select > 0,
        "label > 0": lambda: label > 0,
        "level > 0": lambda: level > 0,
        'place == "b"': lambda: place == "b",
        "size >= level": lambda: size >= level,
        'place == "a" and label <= 1': lambda: label is not None and place == "a" and label <= 1,
        "is_missing(label)": lambda: label is None,
        "clip(size, 0, 1) == 1": lambda: size >= 1,
        "bucket(size, -1, 1) == 1": lambda: -1 <= size < 1,
    }
    try:
        return bool(meaning[where]())
    except (TypeError, ZeroDivisionError):
        return False


def number(value: float | None) -> float | None:
    """Return what counts of a value."""
    if value is None or not abs(value) <= LARGEST_VALUE:
        return None
    return 0.0 if abs(value) < SMALLEST_VALUE else value


def missing(key: object) -> bool:
    """Say whether a part of a key is missing."""
    return key is None or (isinstance(key, float) and not math.isfinite(key))


def _spread(values: list[float]) -> float | None:
    if len(values) < 2:
        return None
    mean = sum(map(Fraction, values)) / len(values)
    exact = math.sqrt(sum((Fraction(value) - mean) ** 2 for value in values) / (len(values) - 1))
    return 0.0 if exact <= 1e-9 * abs(mean) else exact


def _slope(found: list[tuple[int, float]]) -> float | None:
    if len({time for time, _ in found}) < 2:
        return None
    hours = [Fraction(time, HOUR_MS) for time, _ in found]
    middle, mean = sum(hours) / len(hours), sum(Fraction(value) for _, value in found) / len(found)
    above = sum((hour - middle) * (Fraction(value) - mean) for hour, (_, value) in zip(hours, found, strict=True))
    return float(above / sum((hour - middle) ** 2 for hour in hours))


def _nth_latest(found: list[tuple[int, float]], back: int) -> float | None:
    times = sorted({time for time, _ in found}, reverse=True)
    return max(value for time, value in found if time == times[back - 1]) if len(times) >= back else None


def _ratio(own: float | None, values: list[float]) -> float | None:
    mean = math.fsum(values) / len(values) if values else 0.0
    return own / mean if own is not None and mean != 0 else None


MEANING: dict[str, Any] = {
    "sum": lambda spec, row, found, values: math.fsum(values),
    "mean": lambda spec, row, found, values: math.fsum(values) / len(values) if values else None,
    "min": lambda spec, row, found, values: min(values, default=None),
    "max": lambda spec, row, found, values: max(values, default=None),
    "std": lambda spec, row, found, values: _spread(values),
    "distinct": lambda spec, row, found, values: float(len(set(values))),
    "last": lambda spec, row, found, values: _nth_latest(found, 1),
    "lag": lambda spec, row, found, values: _nth_latest(found, spec.back),
    "ratio": lambda spec, row, found, values: _ratio(number(row[spec.column]), values),
    "trend": lambda spec, row, found, values: _slope(found),
}
