"""Windows as text: what is written is read again, and errors say where."""

from __future__ import annotations

import pytest
from hypothesis import given

from streams.contracts.errors import ContractError
from streams.contracts.features import Window
from streams.features.text import parse_window
from tests.kit.window_cases import windows

HOUR = 3_600_000


@pytest.mark.parametrize(
    ("text", "window"),
    [
        (
            "count(requests) by card over 10m where amount < 20",
            Window(aggregate="count", source="requests", by=("card",), range_ms=HOUR // 6, where="amount < 20"),
        ),
        (
            "mean(outcome.delay) by origin over 2h known 1h before",
            Window(aggregate="mean", source="outcomes", column="delay", by=("origin",), range_ms=2 * HOUR, delay_ms=HOUR),
        ),
        (
            "lag(amount, 3) by card, terminal over 30d",
            Window(aggregate="lag", source="requests", column="amount", by=("card", "terminal"), range_ms=720 * HOUR, back=3),
        ),
        ("since(outcomes) over 90s", Window(aggregate="since", source="outcomes", range_ms=90_000)),
        (
            "last(weather.wind) by origin over 6h where wind < 40",
            Window(aggregate="last", source="weather", column="wind", by=("origin",), range_ms=6 * HOUR, where="wind < 40"),
        ),
        ("count(weather) by origin over 6h", Window(aggregate="count", source="weather", by=("origin",), range_ms=6 * HOUR)),
        ("distinct( outcome . label )  over 7ms", Window(aggregate="distinct", source="outcomes", column="label", range_ms=7)),
    ],
)
def test_windows_are_read(text: str, window: Window):
    assert parse_window(text) == window
    assert parse_window(window.text) == window


@given(windows)
def test_what_is_written_is_read(window: Window):
    assert parse_window(window.text) == window


@pytest.mark.parametrize(
    ("text", "position", "why"),
    [
        ("", 1, "expected an aggregate"),
        ("median(amount) over 1h", 1, "no aggregate 'median'"),
        ("count(weather.wind) over 1h", 7, "count is of requests, outcomes or a source, not of 'weather'"),
        ("mean(requests) over 1h", 6, "mean is of a column"),
        ("mean(amount)", 13, "expected 'over'"),
        ("mean(amount) over", 18, "expected a duration"),
        ("mean(amount) over 10", 19, "expected a duration"),
        ("mean(amount) over 1h by card", 22, "in this order"),
        ("mean(amount) by over 1h", 22, "expected 'over'"),
        ("mean(amount) by card, over 1h", 28, "expected 'over'"),
        ("mean(amount) over 1h known 1h", 30, "expected 'before'"),
        ("mean(amount) over 1h where", 27, "expected a filter"),
        ("lag(amount) over 1h", 11, "expected ','"),
        ("lag(amount, 1.5) over 1h", 13, "isn't a whole number"),
        ("mean(outcome) over 1h", 13, "expected '.'"),
        ("mean(amount) over 99999d", 19, "at most 100 years"),
    ],
)
def test_refusals_say_where(text: str, position: int, why: str):
    with pytest.raises(ContractError, match=f"position {position}: .*{why}"):
        parse_window(text)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("mean(amount) over 0s", "range_ms must be positive"),
        ("lag(amount, 0) over 1h", "back is for lag"),
        ("lag(amount, 99) over 1h", "from 1 to 32"),
        ("ratio(outcome.label) over 1h", "no label of its own"),
    ],
)
def test_what_has_no_meaning_is_refused(text: str, why: str):
    with pytest.raises(ContractError, match=why):
        parse_window(text)


def test_names_of_windows_in_bundles_stay():
    """A bundle made before filters and lags has its windows' names in its graph's order, in the lake and in the ledger."""
    assert Window(aggregate="count", source="requests", by=("card",), range_ms=600_000).name == "w_f02b8127c2e2"
    with_filter = Window(aggregate="count", source="requests", by=("card",), range_ms=600_000, where="amount < 20")
    assert with_filter.name != Window(aggregate="count", source="requests", by=("card",), range_ms=600_000).name
