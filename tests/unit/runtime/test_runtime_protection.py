"""What becomes of protected columns, and the key that it is done with."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.contracts.errors import ConfigError
from streams.contracts.schema import Column, ModelSchema
from streams.dialects.base import Limits, row_type
from streams.runtime.protection import KEY_FILE, Protection, make_key, read_key

SCHEMA = ModelSchema(
    columns=(
        Column(name="amount", kind="number"),
        Column(name="card", kind="category", role="key", tags=("pii",), protect="hash"),
        Column(name="payee", kind="category", role="key", protect="hash"),
        Column(name="pin", kind="number", role="ignored", tags=("secret",), protect="drop"),
        Column(name="name", kind="category", role="key", tags=("pii",), protect="keep"),
    )
)
KEY = bytes(range(32))
TEXTS = st.none() | st.text(max_size=20)
ROW = row_type(SCHEMA, Limits())


def protected(key: bytes = KEY, **columns: float | str | None) -> dict[str, float | str | None]:
    given_columns = {column.name: None for column in SCHEMA.columns} | columns
    row = msgspec.convert({"id": "r", "time_ms": 1_700_000_000_000, "features": given_columns}, ROW)
    Protection(SCHEMA, key).protect(row.features)
    return msgspec.structs.asdict(row.features)


def test_what_is_hashed_is_this_for_ever():
    """The digest is in lakes and logs: another one would group with nothing that is there."""
    assert protected(amount=2.5, card="4111 1111", payee="4111 1111", pin=1234.0, name="Ada") == {
        "amount": 2.5, "card": "a93eac49e4091926", "payee": "a93eac49e4091926", "pin": None, "name": "Ada"
    }  # fmt: skip


@given(one=TEXTS, other=TEXTS)
def test_equal_stays_equal_missing_stays_missing_and_nothing_of_the_value_is_left(one: str | None, other: str | None):
    first, second = (protected(card=value)["card"] for value in (one, other))
    assert (first == second) == (one == other)
    if not one:
        assert first == one
    else:
        assert len(str(first)) == 16
        assert set(str(first)) <= set("0123456789abcdef")
        assert first != protected(b"another key of the same length.."[:32], card=one)["card"]


@given(values=st.lists(TEXTS, max_size=10))
def test_a_column_of_a_file_is_hashed_as_requests_are(values: list[str | None]):
    assert Protection(SCHEMA, KEY).texts(values) == [protected(card=value)["card"] for value in values]


def test_a_record_key_is_hashed_as_a_value_is_and_none_stays_none():
    protection = Protection(SCHEMA, KEY)
    assert protection.record_key(b"4111 1111") == str(protected(card="4111 1111")["card"]).encode()
    assert [protection.record_key(key) for key in (None, b"")] == [None, b""]
    assert protection.record_key(b"\xff\xfe") != protection.record_key(b"\xff")


def test_a_key_is_made_once_and_only_its_owner_can_read_it(tmp_path: Path):
    file = tmp_path / "keys" / KEY_FILE
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(make_key, [file] * 8))
    key = read_key(file)
    make_key(file)
    assert read_key(file) == key
    assert len(set(key)) > 8
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [one.name for one in file.parent.iterdir()] == [KEY_FILE]


@pytest.mark.parametrize("content", [b"", b"ab", b"AB" * 32, b"zz" * 32, b"\xff" * 64, b"ab" * 33])
def test_what_is_no_key_is_refused_without_showing_it(tmp_path: Path, content: bytes):
    file = tmp_path / KEY_FILE
    file.write_bytes(content)
    with pytest.raises(ConfigError, match=r"protection\.key_file") as refused:
        read_key(file)
    assert content.decode("latin1") not in str(refused.value) or not content


def test_without_a_key_it_says_where_one_comes_from(tmp_path: Path):
    with pytest.raises(ConfigError, match="driftwake up"):
        read_key(tmp_path / KEY_FILE)
    with pytest.raises(ConfigError, match="can't be read"):
        read_key(tmp_path)
