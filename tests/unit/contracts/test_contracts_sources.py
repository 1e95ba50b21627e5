"""What a config may register as a source, and what windows may look up."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from streams.contracts.errors import ContractError
from streams.contracts.features import Window
from streams.dialects import native
from streams.dialects.base import Refusal, Written
from streams.features.text import parse_window
from streams.model import ModelSettings
from streams.windows.facts import grouped

CARD = {"name": "card", "kind": "category", "role": "key", "tags": ["pii"]}
LIMIT = {"name": "limit", "kind": "number", "unit": "EUR"}


def settings(**sources: Any) -> ModelSettings:
    schema = {"columns": [{"name": "amount", "kind": "number", "unit": "EUR"}, CARD, {"name": "shop", "kind": "category"}]}
    return ModelSettings.model_validate({"name": "pay", "schema": schema, "sources": sources})


def source(*columns: dict[str, Any], **changed: Any) -> dict[str, Any]:
    return {"topic": "accounts.changes", "columns": list(columns), **changed}


def test_a_source_is_registered_with_its_columns():
    schema = settings(accounts=source(CARD, LIMIT)).schema_contract()
    (registered,) = schema.sources
    assert registered.name == "accounts"
    assert [column.name for column in schema.columns_of("accounts")] == ["card", "limit"]
    window = parse_window("last(accounts.limit) by card over 30d where limit > 0")
    assert list(grouped([window], schema).values()) == [[window]]


@pytest.mark.parametrize(
    ("name", "given", "why"),
    [
        ("outcomes", source(CARD, LIMIT), "a name of the model's own facts"),
        ("my-accounts", source(CARD, LIMIT), "use letters, digits and underscores"),
        ("accounts", source(CARD, LIMIT, topic="pay.requests"), "is another topic of the model"),
        ("accounts", source(CARD, LIMIT, topic="driftwake.events"), "keeps for its own topics"),
        ("accounts", source(CARD), "nothing to look up"),
        ("accounts", source({"name": "card", "kind": "category", "role": "key"}, LIMIT), "give both the same tags"),
        ("accounts", source(CARD, {"name": "label", "kind": "number"}), "map the column to another"),
        ("accounts", source(CARD, {"name": "offset", "kind": "number"}), "map the column to another"),
        ("accounts", source(CARD, LIMIT | {"unit": "EUR//"}), "unit"),
        ("accounts", source(CARD, LIMIT, dialect_options={"columns": 1}), "native"),
        ("accounts", source(CARD, LIMIT, dialect="gone"), "gone"),
    ],
)
def test_what_makes_no_sense_is_refused(name: str, given: dict[str, Any], why: str):
    with pytest.raises(ValidationError, match=why):
        settings(**{name: given})


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("last(weather.wind) by card over 1h", "no source 'weather' is registered; there are requests, outcomes, accounts"),
        ("last(accounts.wind) by card over 1h", "no column 'wind'"),
        ("last(accounts.limit) by shop over 1h", "no column 'shop'"),
        ("last(accounts.card) over 1h", "tagged pii"),
        ("last(accounts.limit) by card over 1h where amount > 1", "amount"),
    ],
)
def test_a_window_that_can_t_be_looked_up_is_refused(text: str, why: str):
    with pytest.raises(ContractError, match=why):
        grouped([parse_window(text)], settings(accounts=source(CARD, LIMIT)).schema_contract())


@pytest.mark.parametrize(("ahead", "days"), [({}, 7), ({"ahead": "30d"}, 30)])
def test_what_lies_further_ahead_than_it_may_is_refused(ahead: dict[str, str], days: int):
    model = settings(accounts=source(LIMIT, **ahead))
    now_ms, day_ms = 1_700_000_000_000, 86_400_000
    near, far = (native.example("a", now_ms + days * day_ms + more, {"limit": 5.0}).value for more in (0, 1))
    decode = model.registered(None)[0].open().decode
    assert not isinstance(decode(Written(near, timestamp_ms=now_ms)), Refusal)
    assert isinstance(decode(Written(far, timestamp_ms=now_ms)), Refusal)
    replayed = model.model_copy(update={"replay": True}).registered(None)[0]
    assert not isinstance(replayed.open().decode(Written(far)), Refusal), "what is replayed was written at another time"


def test_a_source_s_key_is_not_shown():
    (accounts,) = settings(accounts=source(CARD, LIMIT)).registered(b"k" * 32)
    assert accounts.key == b"k" * 32
    assert "kkk" not in f"{accounts!r} {accounts} {settings(accounts=source(CARD, LIMIT)).served(None, b'k' * 32)}"


def test_a_row_has_nothing_of_a_source_of_its_own():
    with pytest.raises(ContractError, match="of its own"):
        Window(aggregate="ratio", source="accounts", column="limit", by=("card",), range_ms=1_000)
