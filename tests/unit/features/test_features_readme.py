"""What the README says of each aggregate's state is what it takes."""

import re
from pathlib import Path
from typing import get_args

import pytest

import streams.features
from streams.contracts.features import Aggregate
from streams.contracts.schema import Column, ModelSchema
from streams.features.text import parse_window
from streams.windows.sizes import state_size

README = Path(streams.features.__path__[0]) / "README.md"
STATED = dict(re.findall(r"^\| `(\w+\([^`]*\))` \|.*\| (\d+) \|$", README.read_text(), re.MULTILINE))
SCHEMA = ModelSchema(
    columns=(
        Column(name="amount", kind="number"),
        Column(name="terminal", kind="category"),
        Column(name="card", kind="category", role="key"),
    )
)


def test_every_aggregate_is_described():
    assert {text.partition("(")[0] for text in STATED} == set(get_args(Aggregate))


@pytest.mark.parametrize(("text", "stated"), STATED.items())
def test_state_takes_what_is_said(text: str, stated: str):
    size = state_size(parse_window(f"{text} by card over 30d"), SCHEMA)
    assert size.per_fact == pytest.approx(float(stated), abs=0.6)
    assert size.per_key == pytest.approx(120, abs=15)


def test_outcomes_take_the_same():
    requests, outcomes = (state_size(parse_window(f"mean({column}) over 1d"), SCHEMA) for column in ("amount", "outcome.label"))
    assert outcomes.per_fact == pytest.approx(requests.per_fact, abs=0.6)
    assert outcomes.per_key == 0
