"""Tags: what a config may say of tagged columns, and what reads their values without a grant is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from streams.contracts.errors import ConfigError, ContractError
from streams.contracts.features import Expression
from streams.contracts.schema import DEFAULTS, STRICTEST, Column, ModelSchema, Tag, strictest
from streams.features.text import parse_window
from streams.inference.graph import preprocessing_graph
from streams.model import ModelSettings, SchemaSettings
from streams.runtime.protection import KEY_FILE
from streams.settings import StreamsSettings
from streams.windows.facts import grouped

AMOUNT = {"name": "amount", "kind": "number"}


def schema(*columns: dict[str, Any]) -> ModelSchema:
    return SchemaSettings.model_validate({"columns": [AMOUNT, *columns]}).contract()


def card(**changes: Any) -> dict[str, Any]:
    return {"name": "card", "kind": "category", "role": "key", "tags": ["pii"], **changes}


@pytest.mark.parametrize(
    ("column", "found"),
    [
        (card(tags=[]), (None, False, False)),
        (card(), ("hash", True, False)),
        (card(protect="keep"), ("keep", True, True)),
        (card(protect="keep", granted=True), ("keep", False, False)),
        (card(role="feature", granted=True), ("hash", False, False)),
        (card(tags=[], protect="hash"), ("hash", False, False)),
        (card(role="ignored", tags=["secret"]), ("drop", True, False)),
        (card(role="ignored", tags=["pii", "free_text"]), ("drop", True, False)),
        (card(role="ignored", kind="number", protect="drop"), ("drop", True, False)),
    ],
)
def test_what_a_column_becomes(column: dict[str, Any], found: tuple[str | None, bool, bool]):
    one = schema(column).column("card")
    assert (one.protect, one.is_closed, one.is_hidden) == found


@given(tags=st.lists(st.sampled_from(sorted(DEFAULTS)), unique=True))
def test_of_several_tags_the_strictest_counts(tags: list[Tag]):
    found = strictest(DEFAULTS[tag] for tag in tags)
    assert all(STRICTEST.index(found) <= STRICTEST.index(DEFAULTS[tag]) for tag in tags)
    assert (found == "keep") == (not tags)


@pytest.mark.parametrize(
    ("column", "what", "to_do"),
    [
        (card(kind="number"), "a number can't be hashed", "`protect: drop`"),
        (card(kind="number", tags=[], protect="hash"), "a number can't be hashed", "`protect: drop`"),
        (card(tags=["secret"]), "a key needs values", "`role: ignored`"),
        (card(role="feature", tags=["free_text"], granted=True), "a feature needs values", "`role: ignored`"),
        (card(role="feature"), "it is no feature", "`granted: true`"),
        (card(role="feature", protect="keep"), "it is no feature", "`role: key`"),
        (card(tags=[], granted=True), "it has no tags", "leave `granted` out"),
    ],
)
def test_what_makes_no_sense_is_refused_with_what_to_do(column: dict[str, Any], what: str, to_do: str):
    with pytest.raises(ValidationError, match=what) as refused:
        schema(column)
    assert to_do in str(refused.value)


CLOSED = schema(card(), {"name": "age", "kind": "number", "role": "ignored", "tags": ["pii"], "protect": "keep"})
GRANTED = schema(
    card(granted=True), {"name": "age", "kind": "number", "role": "ignored", "tags": ["pii"], "protect": "keep", "granted": True}
)


@pytest.mark.parametrize(
    "text",
    [
        "distinct(card) over 1h",
        "mean(age) over 1h",
        "mean(outcome.age) by amount over 1h",
        "lag(age, 2) over 1h",
        "count(requests) over 1h where age > 30",
        'mean(outcome.label) over 1h where card == "a" and amount > 1',
    ],
)
def test_a_window_reads_no_values_of_a_tagged_column_without_a_grant(text: str):
    with pytest.raises(ContractError, match=r"tagged pii.*granted: true"):
        grouped([parse_window(text)], CLOSED)
    assert grouped([parse_window(text)], GRANTED)


def test_a_tagged_column_may_group():
    assert grouped(
        [parse_window("mean(amount) by card over 1h where amount > 1"), parse_window("count(requests) by age over 1h")], CLOSED
    )


def test_a_formula_reads_no_tagged_column_without_a_grant():
    tagged = [Column(name="amount", kind="number"), Column(name="age", kind="number", tags=("pii",))]
    formula = [Expression(name="older", text="age + 1")]
    with pytest.raises(ContractError, match="tagged pii"):
        preprocessing_graph(ModelSchema(columns=tuple(tagged)), (), formula, {})
    tagged[1] = msgspec.structs.replace(tagged[1], granted=True)
    assert preprocessing_graph(ModelSchema(columns=tuple(tagged)), (), formula, {})


def test_which_bundles_fit_what_is_served():
    """A bundle of before there were protections says nothing of them: it was trained on values as they came."""
    of_before = ModelSchema(columns=(Column(name="amount", kind="number"), Column(name="card", kind="category", role="key")))
    assert schema(card()).reads_like(of_before)
    assert schema(card(protect="keep", granted=True)).reads_like(of_before)
    as_feature = msgspec.json.decode(
        msgspec.json.encode(of_before).replace(b'"role":"key"', b'"role":"feature"'), type=ModelSchema
    )
    assert schema(card(role="feature", protect="keep", granted=True)).reads_like(as_feature)
    assert not schema(card(role="feature", granted=True)).reads_like(as_feature)
    assert not schema(card()).reads_like(as_feature)


def settings(folder: Path, *columns: dict[str, Any], **further: Any) -> StreamsSettings:
    models = [{"name": "payments", "schema": {"columns": [AMOUNT, *columns]}}]
    return StreamsSettings.model_validate({"data_dir": folder, "models": models, **further})


def test_a_model_without_protected_columns_needs_no_key_and_is_not_wrapped(tmp_path: Path):
    given_settings = settings(tmp_path, card(protect="keep"))
    given_settings.make_hash_key()
    assert given_settings.protection_of(given_settings.models[0]) is None
    assert not list(tmp_path.iterdir())


def test_workers_that_share_nothing_but_a_key_hash_alike(tmp_path: Path):
    here, there = settings(tmp_path / "here", card()), settings(tmp_path / "there", card())
    with pytest.raises(ConfigError, match="no key"):
        there.protection_of(there.models[0])
    with pytest.raises(ConfigError, match="no key"):
        settings(tmp_path / "there", card(), protection={"key_file": tmp_path / "gone"}).make_hash_key()
    here.make_hash_key()
    named = settings(tmp_path / "there", card(), protection={"key_file": tmp_path / "here" / "keys" / KEY_FILE})
    named.make_hash_key()
    assert not (tmp_path / "there").exists()
    one, other = (found for each in (here, named) if (found := each.protection_of(each.models[0])) is not None)
    assert one.texts(["a"]) == other.texts(["a"])


def test_a_sidecar_is_protected_where_its_requests_are_noted_and_nowhere_else(tmp_path: Path):
    given_settings = settings(tmp_path, card())
    given_settings.make_hash_key()
    model = given_settings.models[0]
    protection = given_settings.protection_of(model)
    assert model.served(protection).protection is protection
    sidecar = ModelSettings.model_validate({**model.model_dump(by_alias=True), "sidecar": {"responses": "answers"}})
    assert sidecar.sidecar is not None
    assert sidecar.observed(sidecar.sidecar, 1, protection).protection is protection
    assert sidecar.served(protection).protection is None
