"""Declared slices: what a config may say, what is refused and why, and which rows belong to one."""

from __future__ import annotations

import math
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from streams.contracts.slices import Condition, Slice
from streams.model import ModelSettings
from streams.statistics.slices import rows_of

COLUMNS = [
    {"name": "tenure", "kind": "number"},
    {"name": "country", "kind": "category"},
    {"name": "mail", "kind": "category", "role": "key", "tags": ["pii"]},
]


def settings(**slices: Any) -> ModelSettings:
    return ModelSettings.model_validate({"name": "m", "schema": {"columns": COLUMNS}, "slices": slices})


def test_a_slice_names_values_and_ranges():
    found = settings(abroad={"country": ["FR", "DE"], "tenure": {"from": 1.5}}, new={"tenure": {"below": 6}}).sliced()
    abroad = (Condition(column="country", values=("FR", "DE")), Condition(column="tenure", low=1.5))
    assert found == (
        Slice(name="abroad", conditions=abroad),
        Slice(name="new", conditions=(Condition(column="tenure", high=6.0),)),
    )


def test_skills_are_told_the_slices():
    told = settings(new={"tenure": {"below": 6}}).watch()["slices"]
    assert msgspec.json.decode(msgspec.json.encode(told)) == [
        {"name": "new", "conditions": [{"column": "tenure", "values": [], "low": None, "high": 6.0}]}
    ]


@pytest.mark.parametrize(
    ("slices", "said"),
    [
        ({"New": {"tenure": {"below": 6}}}, "small letters"),
        ({"all": {}}, "it is every request"),
        ({"a": {"age": {"below": 6}}}, "no column 'age'"),
        ({"a": {"tenure": ["6"]}}, "say `from`, `below` or both"),
        ({"a": {"tenure": {}}}, "say `from`, `below` or both"),
        ({"a": {"country": {"from": 1}}}, "name its values in a list"),
        ({"a": {"country": []}}, "at least 1 item"),
        ({"a": {"tenure": {"from": 6, "below": 6}}}, "can't be from 6 on and below 6"),
        ({"a": {"tenure": {"above": 6}}}, "above"),
        ({"a": {"mail": ["x@y.z"]}}, "tagged pii"),
    ],
)
def test_what_means_nothing_is_refused(slices: dict[str, Any], said: str):
    with pytest.raises(ValidationError, match=said):
        settings(**slices)


VALUES = st.one_of(st.none(), st.sampled_from([math.nan, -math.inf, math.inf, -1.0, 0.0, 0.5, 1.0, 2.0]))
ENDS = st.one_of(st.none(), st.sampled_from([-1.0, 0.0, 0.5, 1.0]))


@given(st.lists(st.tuples(VALUES, st.sampled_from(["FR", "DE", "", None])), max_size=20), ENDS, ENDS)
def test_rows_belong_when_all_conditions_hold(rows: list[tuple[float | None, str | None]], low: float | None, high: float | None):
    one = Slice(name="a", conditions=(Condition(column="x", low=low, high=high), Condition(column="c", values=("FR", ""))))
    columns = {"x": [row[0] for row in rows], "c": [row[1] for row in rows]}

    def belongs(number: float | None, category: str | None) -> bool:
        if number is None or math.isnan(number) or category not in {"FR", ""}:
            return False
        return (low is None or number >= low) and (high is None or number < high)

    assert rows_of(one, columns.__getitem__).tolist() == [belongs(*row) for row in rows]
