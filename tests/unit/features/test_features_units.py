"""Units: how they are written, what becomes of them, and that what differs is never added or compared."""

from __future__ import annotations

from fractions import Fraction

import pytest

from streams.contracts.errors import ContractError
from streams.contracts.features import Expression, Window
from streams.contracts.schema import Column, ModelSchema
from streams.features.expressions import parse
from streams.features.text import parse_window
from streams.features.units import read_unit, unit_of, unit_text, units_of
from streams.inference.graph import preprocessing_graph
from streams.windows.facts import grouped

SCHEMA = ModelSchema(
    columns=(
        Column(name="price", kind="number", unit="EUR"),
        Column(name="fee", kind="number", unit="EUR"),
        Column(name="distance", kind="number", unit="km"),
        Column(name="hours", kind="number", unit="h"),
        Column(name="other", kind="number"),
        Column(name="place", kind="category"),
    )
)
KINDS = {column.name: column.kind for column in SCHEMA.columns}
UNITS = units_of(SCHEMA)


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        ("EUR", {"EUR": 1}),
        ("km/h", {"km": 1, "h": -1}),
        ("m^2", {"m": 2}),
        ("kg*m/s^2", {"kg": 1, "m": 1, "s": -2}),
        ("m/m", {}),
        ("s^-1", {"s": -1}),
    ],
)
def test_units_are_read(text: str, unit: dict[str, int]):
    assert read_unit(text) == unit
    if unit and text != "s^-1":
        assert read_unit(unit_text(read_unit(text))) == unit


@pytest.mark.parametrize("text", ["", "/h", "km h", "km//h", "5", "m^", "m^0", "km/", "EUR$"])
def test_what_is_no_unit_is_refused(text: str):
    with pytest.raises(ContractError, match="unit"):
        read_unit(text)


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        ("price + fee", "EUR"),
        ("price * 2 - 1", "EUR"),
        ("price / distance", "EUR/km"),
        ("price / distance * distance", "EUR"),
        ("distance / hours + distance / hours", "km/h"),
        ("-max(price, other)", "EUR"),
        ("sqrt(distance * distance)", "km"),
        ("if_missing(fee, 0)", "EUR"),
        ("1 / hours", "1/h"),
    ],
)
def test_formulas_have_units(text: str, unit: str):
    assert unit_text(unit_of(parse(text, KINDS, UNITS), UNITS) or {}) == unit


@pytest.mark.parametrize(
    "text", ["price / fee", 'price > 3 and place == "a"', "log1p(price)", "bucket(price, 1, 2)", "is_missing(price)"]
)
def test_what_is_a_plain_number_has_none(text: str):
    assert unit_of(parse(text, KINDS, UNITS), UNITS) == {}


@pytest.mark.parametrize("text", ["other * price", "other", "hour(time)", "3", "other + 1"])
def test_what_isn_t_known_fits_everything(text: str):
    assert unit_of(parse(text, KINDS, UNITS), UNITS) is None
    parse(f"price + ({text})", KINDS, UNITS)


@pytest.mark.parametrize(
    ("text", "position", "why"),
    [
        ("price + distance", 7, "EUR and of km"),
        ("price > distance", 7, "EUR and of km"),
        ("1 + min(price, hours)", 5, "EUR and of h"),
        ("clip(price, 0, distance)", 1, "EUR and of km"),
        ("if_missing(price, distance)", 1, "EUR and of km"),
        ("price / hours - price", 15, "EUR/h and of EUR"),
        ("price / fee + price", 13, "1 and of EUR"),
    ],
)
def test_different_units_are_refused_where_they_meet(text: str, position: int, why: str):
    with pytest.raises(ContractError, match=f"position {position}: .*{why}"):
        parse(text, KINDS, UNITS)


def test_windows_have_units_and_expressions_respect_them():
    mean, count = (parse_window(f"{what} by place over 1h") for what in ("mean(price)", "count(requests)"))
    since, trend = (parse_window(f"{what} by place over 1h") for what in ("since(requests)", "trend(distance)"))
    units = units_of(SCHEMA, [mean, count, since, trend])
    assert units[mean.name] == {"EUR": Fraction(1)}
    assert units[count.name] == {}
    assert units[since.name] == {"s": Fraction(1)}
    assert unit_text(units[trend.name]) == "km/h"
    assert "label" not in units_of(SCHEMA, [parse_window("mean(outcome.label) over 1h")])
    preprocessing_graph(SCHEMA, [mean], [Expression(name="more", text=f"price - {mean.name}")], {"place": []})
    with pytest.raises(ContractError, match=r"more: .*EUR and of km"):
        preprocessing_graph(SCHEMA, [mean], [Expression(name="more", text=f"{mean.name} - distance")], {"place": []})


def test_filters_respect_units():
    window = Window(aggregate="count", source="requests", range_ms=1, where="price > 10 and distance < 3")
    assert grouped([window], SCHEMA)
    with pytest.raises(ContractError, match="different units"):
        grouped([Window(aggregate="count", source="requests", range_ms=1, where="price > distance")], SCHEMA)


def test_units_change_nothing_of_what_is_read():
    plain = ModelSchema(columns=tuple(Column(name=column.name, kind=column.kind) for column in SCHEMA.columns))
    assert plain != SCHEMA
    assert SCHEMA.reads_like(plain)
    assert not SCHEMA.reads_like(ModelSchema(columns=plain.columns[1:]))
