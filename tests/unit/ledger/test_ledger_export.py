"""An exported audit verifies without its database, and whatever is done to the file shows."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from daemon.ledger.audit import Head, Key
from daemon.ledger.chain import Examined, examine
from daemon.ledger.export import lines_of, records_in
from daemon.ledger.ledger import open_ledger

KEY = Key(b"k" * 32)
RECORDS = 12
Lines = list[bytes]


@pytest.fixture
def lines(place: str) -> Lines:
    """The lines of an audit, half of which is sealed."""
    for key, first in ((None, 0), (KEY, RECORDS // 2)):
        with open_ledger(place, key=key) as ledger:
            for number in range(first, first + RECORDS // 2):
                ledger.note("noted", "m", f"s{number}", number, text=f"é{number}", value=number / 3, odd=float("nan"))
    with open_ledger(place, read_only=True) as ledger, ledger.chain() as records:
        return list(lines_of(records))


def examined(lines: Lines, anchor: Head | None = None, key: Key | None = KEY) -> Examined:
    return examine(records_in(lines), anchor, key)


def test_an_export_is_as_whole_as_the_ledger(lines: Lines, place: str) -> None:
    with open_ledger(place, read_only=True, key=KEY) as ledger:
        assert examined(lines) == ledger.examine()
    assert examined(lines)[0::2] == (None, RECORDS // 2)
    assert examined(lines, key=None).unchecked == RECORDS // 2
    assert all(line.isascii() is False and line.endswith(b"}\n") for line in lines)


def swapped(lines: Lines) -> Lines:
    return [*lines[:7], lines[8], lines[7], *lines[9:]]


@pytest.mark.parametrize(
    ("change", "number", "problem"),
    [
        (lambda lines: [line.replace("é7".encode(), "é8".encode()) for line in lines], 8, "altered"),
        (lambda lines: [line.replace(b'"subject":"s7"', b'"subject": "s7"') for line in lines], 8, "unreadable"),
        (lambda lines: [line.replace(b'"s7"', b'"s7","x":1') for line in lines], 8, "unreadable"),
        (lambda lines: [line.replace(b'"s7"', b'"s7","subject":"s7"') for line in lines], 8, "unreadable"),
        (lambda lines: [*lines[:7], b"\n", *lines[7:]], 8, "unreadable"),
        (lambda lines: [*lines[:7], b"\xff{}\n", *lines[7:]], 8, "unreadable"),
        (lambda lines: [*lines[:7], b"[" * 100_000 + b"\n", *lines[7:]], 8, "unreadable"),
        (lambda lines: [*lines[:7], *lines[8:]], 8, "missing"),
        (lambda lines: lines[1:], 1, "missing"),
        (swapped, 8, "missing"),
        (lambda lines: [*lines[:8], *lines[7:]], 9, "reordered"),
    ],
)
def test_what_is_done_to_a_file_is_located(lines: Lines, change: Callable[[Lines], Lines], number: int, problem: str) -> None:
    fault = examined(change(lines)).fault
    assert fault is not None
    assert fault.number == number
    assert fault.problem.startswith(problem)


def test_a_file_that_was_cut_off_shows_against_its_head(lines: Lines) -> None:
    head = examined(lines).head
    assert examined(lines[:9]).fault is None
    fault = examined(lines[:9], head).fault
    assert fault is not None
    assert fault.number == 10
    assert examined(lines, head).fault is None
