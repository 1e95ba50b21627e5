"""The audit: whatever is done to it shows, and where."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import create_engine
from sqlalchemy.exc import DBAPIError

from daemon.errors import LedgerError
from daemon.ledger.audit import Head, Key, Only
from daemon.ledger.canonical import canonical
from daemon.ledger.chain import AuditRecord
from daemon.ledger.engine import url_of
from daemon.ledger.ids import incident_id
from daemon.ledger.ledger import Ledger, open_ledger
from tests.kit.incidents import START_MS, opened, through
from tests.kit.ledgers import Tamper

KEY, OTHER_KEY = Key(b"k" * 32), Key(b"o" * 32)
RECORDS = 20


def noted(ledger: Ledger, first: int = 0, last: int = RECORDS) -> None:
    for number in range(first, last):
        ledger.note("noted", "m", f"s{number}", number, value=number / 3, text=f"é{number}", odd=float("nan"))


@pytest.fixture
def ledger(place: str) -> Iterator[Ledger]:
    with open_ledger(place) as opened:
        noted(opened)
        yield opened


def test_a_whole_chain_has_no_fault(ledger: Ledger) -> None:
    found = ledger.examine()
    assert found.fault is None
    assert found.head == ledger.head()
    assert (found.head.number, found.sealed, found.unchecked) == (RECORDS, 0, 0)


def test_the_rule_is_sha256_over_canonical_json_of_everything_but_hash_and_seal(ledger: Ledger) -> None:
    (first, second) = ledger.trail(limit=2)
    sealed = {name: getattr(second, name) for name in second.__struct_fields__ if name not in {"hash", "seal"}}
    text = json.dumps(sealed, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert second.hash == hashlib.sha256(text.encode()).hexdigest()
    assert (second.previous, first.previous) == (first.hash, "0" * 64)


# Of all columns; each as somebody would change it who knows the database and not the rule.
CHANGES = {
    "number": "1000", "version": "version + 1", "time_ms": "time_ms + 1", "wall": "''", "kind": "'other'",
    "actor": "'person:ann'", "model": "'n'", "subject": "'s8'", "incident": "'inc-1'",
    "data": "replace(data, 'é7', 'é8')", "key": "'0123abcd'", "previous": f"'{'f' * 64}'", "hash": "previous", "seal": "'f'",
}  # fmt: skip

COLUMNS = ", ".join(CHANGES)


def test_each_column_is_tampered_with() -> None:
    assert set(CHANGES) == set(AuditRecord.__struct_fields__)


@pytest.mark.parametrize("column", CHANGES)
def test_a_change_of_any_column_is_located(ledger: Ledger, tamper: Tamper, column: str) -> None:
    tamper(f"UPDATE audit SET {column} = {CHANGES[column]} WHERE number = 8")  # noqa: S608 - our own words
    fault = ledger.verify()
    assert fault is not None
    assert fault.number == 8


@pytest.mark.parametrize(
    ("statement", "number", "problem"),
    [
        ("UPDATE audit SET data = data || ' ' WHERE number = 9", 9, "altered"),
        ("UPDATE audit SET data = 'nonsense' WHERE number = 9", 9, "altered"),
        ("UPDATE audit SET version = 1 WHERE number = 20", 20, "altered"),
        ("DELETE FROM audit WHERE number = 11", 11, "missing"),
        ("DELETE FROM audit WHERE number = 1", 1, "missing"),
        ("UPDATE audit SET number = CASE number WHEN 3 THEN -4 ELSE number END", 1, "reordered"),
        ("UPDATE audit SET hash = previous WHERE number = 20", 20, "altered"),
        (
            f"INSERT INTO audit ({COLUMNS}) SELECT 21, {COLUMNS.removeprefix('number, ')} FROM audit WHERE number = 20",  # noqa: S608 - our own words
            21,
            "reordered or replaced",
        ),
    ],
)
def test_the_first_fault_is_found(ledger: Ledger, tamper: Tamper, statement: str, number: int, problem: str) -> None:
    tamper(statement)
    fault = ledger.verify()
    assert fault is not None
    assert fault.number == number
    assert fault.problem.startswith(problem)


def test_two_records_that_changed_places_are_found(ledger: Ledger, tamper: Tamper) -> None:
    tamper("UPDATE audit SET number = -number WHERE number IN (6, 7)", "UPDATE audit SET number = 13 + number WHERE number < 0")
    fault = ledger.verify()
    assert fault is not None
    assert fault.number == 6
    assert "reordered" in fault.problem


def test_a_cut_or_rewritten_end_shows_against_a_head_kept_elsewhere(ledger: Ledger, tamper: Tamper) -> None:
    kept = ledger.head()
    assert ledger.verify(kept) is None
    assert ledger.verify(Head(kept.number, "f" * 64)) is not None
    tamper("DELETE FROM audit WHERE number > 15")
    assert ledger.verify() is None
    fault = ledger.verify(kept)
    assert fault is not None
    assert fault.number == 16


def test_records_that_are_not_data_any_more_are_not_read_as_if_they_were(ledger: Ledger, tamper: Tamper) -> None:
    tamper("UPDATE audit SET data = 'nonsense' WHERE number = 9")
    with pytest.raises(LedgerError, match="record 9 isn't as it was written"):
        ledger.trail()


@pytest.mark.parametrize("statement", ["DELETE FROM audit WHERE number = 3", "UPDATE audit SET kind = '' WHERE number = 3"])
def test_the_database_itself_refuses_changes_of_the_audit(ledger: Ledger, place: str, statement: str) -> None:
    engine = create_engine(url_of(place))
    with pytest.raises(DBAPIError, match="append-only"), engine.begin() as connection:
        connection.exec_driver_sql(statement)
    engine.dispose()


def test_a_server_refuses_to_empty_the_audit(ledger: Ledger, place: str) -> None:
    engine = create_engine(url_of(place))
    if engine.dialect.name == "postgresql":
        with pytest.raises(DBAPIError, match="append-only"), engine.begin() as connection:
            connection.exec_driver_sql("TRUNCATE audit")
    engine.dispose()


def test_with_a_key_records_are_sealed_and_without_it_nothing_is_lost(place: str) -> None:
    with open_ledger(place) as ledger:
        noted(ledger, 0, 3)
    with open_ledger(place, key=KEY) as ledger:
        noted(ledger, 3, 8)
        assert ledger.examine()[0::2] == (None, 5)
        assert ledger.examine().unchecked == 0
    for key in (None, OTHER_KEY):
        with open_ledger(place, read_only=True, key=key) as reader:
            assert reader.examine()._replace(head=None) == (None, None, 5, 5)


@pytest.fixture
def sealed(place: str) -> Iterator[Ledger]:
    with open_ledger(place, key=KEY) as opened:
        noted(opened)
        yield opened


@pytest.mark.parametrize(
    ("statement", "problem"),
    [
        ("UPDATE audit SET seal = previous WHERE number = 8", "forged"),
        ("UPDATE audit SET seal = '' WHERE number = 8", "altered"),
        ("UPDATE audit SET seal = '', key = '' WHERE number = 8", "altered"),
    ],
)
def test_a_seal_that_is_not_the_keys_is_found(sealed: Ledger, tamper: Tamper, statement: str, problem: str) -> None:
    tamper(statement)
    fault = sealed.verify()
    assert fault is not None
    assert fault.number == 8
    assert fault.problem.startswith(problem)


def rewritten(records: list[AuditRecord], first: int, **changes: Any) -> list[str]:
    """Statements of somebody who knows the rule, has no key, and writes a chain anew from a record on."""
    previous, statements = records[first - 2].hash, []
    for record in records[first - 1 :]:
        told = {name: getattr(record, name) for name in record.__struct_fields__ if name not in {"hash", "seal"}}
        told |= {"previous": previous} | changes
        digest = hashlib.sha256(canonical({k: v for k, v in told.items() if k != "seal"})).hexdigest()
        written = told | {"hash": digest}
        columns = ("previous", "hash", *changes)
        values = ", ".join(f"{name} = '{written[name]}'" for name in columns)
        statements.append(f"UPDATE audit SET {values} WHERE number = {record.number}")  # noqa: S608 - our own words
        previous = digest
    return statements


@pytest.mark.parametrize(
    ("changes", "problem"),
    [({"key": "", "seal": ""}, "not sealed"), ({"key": KEY.id, "seal": "f" * 64}, "forged"), ({"model": "n"}, "forged")],
)
def test_without_the_key_nobody_writes_a_chain_that_passes(
    sealed: Ledger, tamper: Tamper, changes: dict[str, str], problem: str
) -> None:
    tamper(*rewritten(sealed.trail(), 5, **changes))
    fault = sealed.verify()
    assert fault is not None
    assert fault.number == 5
    assert fault.problem.startswith(problem)


def test_without_a_key_only_a_head_kept_elsewhere_shows_a_rewritten_chain(ledger: Ledger, tamper: Tamper) -> None:
    kept = ledger.head()
    tamper(*rewritten(ledger.trail(), 5, model="n"))
    assert ledger.verify() is None
    fault = ledger.verify(kept)
    assert fault is not None
    assert fault.problem.startswith("rewritten")


def test_records_are_found_by_what_they_are_about(place: str) -> None:
    with open_ledger(place) as ledger:
        first = through(ledger, opened(ledger, "e1", START_MS), until="closed")
        opened(ledger, "e2", START_MS + 900_000_000)
        everything = ledger.trail()

        def found(**wanted: Any) -> list[AuditRecord]:
            return ledger.trail(only=Only(**wanted))

        assert {record.actor for record in everything} == {"driftwake", "planner:policy"}
        (planned,) = found(actor="planner:policy")
        assert planned.data["to"] == "planned"
        of_first = found(incident=first.id)
        assert [one for one in everything if one.incident == first.id] == of_first
        assert {"incident.opened", "incident.moved", "step.done"} <= {one.kind for one in of_first}
        assert [one.subject for one in found(kind="event.received")] == ["e1", "e2"]
        assert found(model="nobody") == []
        assert found(since_ms=START_MS + 900_000_000) == [one for one in everything if one.time_ms >= START_MS + 900_000_000]
        assert found(until_ms=START_MS + 1) == [one for one in everything if one.time_ms == START_MS]
        assert found(kind="incident.moved", incident=first.id, since_ms=START_MS + 3 * 3_600_000)[0].data["to"] == (
            "awaiting_approval"
        )


@given(st.lists(st.integers(0, 4_000_000_000_000), min_size=2, max_size=20))
def test_ids_sort_by_time_and_repeat(times: list[int]) -> None:
    ids = [incident_id("m", "c", time_ms, "e") for time_ms in sorted(times)]
    assert ids == sorted(ids)
    assert ids == [incident_id("m", "c", time_ms, "e") for time_ms in sorted(times)]


def test_canonical_json_doesn_t_depend_on_order_or_on_what_json_lacks() -> None:
    assert canonical({"b": 1, "a": [float("inf"), 2**60]}) == canonical({"a": [None, str(2**60)], "b": 1.0})
    assert canonical({"a": "x\udc80"}) == b'{"a":"x?"}'
