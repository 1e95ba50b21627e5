from __future__ import annotations

import io

import msgspec
import pytest
from report_sample import sample_report
from rich.console import Console

from daemon.report.terminal import LiveView, print_report

DAY = 86_400_000
WEEK = 7 * DAY


def console(*, terminal: bool = False) -> tuple[Console, io.StringIO]:
    out = io.StringIO()
    return Console(file=out, width=100, force_terminal=terminal, color_system=None, legacy_windows=False), out


def run(view: LiveView, days: int, note_on: dict[int, str] | None = None) -> None:
    with view:
        for day in range(days):
            note = (note_on or {}).get(day, "")
            view.update(
                day * DAY,
                requests_per_second=500.0,
                incidents_open=1,
                incidents_total=2,
                generation=3,
                digest="ab" * 8,
                note=note,
            )


def test_without_a_terminal_there_is_one_line_a_virtual_week():
    where, out = console()
    run(LiveView(where, 0, 28 * DAY), 28)
    lines = out.getvalue().splitlines()
    assert [line[:10] for line in lines] == ["1970-01-01", "1970-01-08", "1970-01-15", "1970-01-22"]
    assert all(
        "500 requests/s" in line and "incidents 1 open, 2 in all" in line and "generation 3 abababababab" in line
        for line in lines
    )


def test_a_new_note_is_a_line_of_its_own_once():
    where, out = console()
    run(LiveView(where, 0, 14 * DAY), 7, {2: "incident opened", 3: "incident opened", 5: "closed"})
    assert [line for line in out.getvalue().splitlines() if "requests" not in line] == [
        "1970-01-03  incident opened",
        "1970-01-06  closed",
    ]


def test_on_a_terminal_the_view_stays_in_place_and_leaves_only_notes():
    where, out = console(terminal=True)
    run(LiveView(where, 0, 14 * DAY), 14, {2: "incident opened"})
    assert "incident opened" in out.getvalue()
    assert "1970-01-14" in out.getvalue()
    assert out.getvalue().count("requests/s") < 14


def test_the_view_stops_when_the_run_fails():
    where, _ = console(terminal=True)

    def fail() -> None:
        with LiveView(where, 0, WEEK) as view:
            view.update(0, requests_per_second=1.0, incidents_open=0, incidents_total=0, generation=1, digest="d")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    with LiveView(where, 0, WEEK):  # rich refuses a second view while one is running
        pass


def test_foreign_texts_are_neither_markup_nor_control_sequences():
    where, out = console()
    run(LiveView(where, 0, WEEK), 1, {0: "[bold]x[/bold]\x1b[2J[/nonsense]"})
    print_report(sample_report(lambda text: f"[red]\x1b[31m[/nonsense]{text}"), where)
    assert "\x1b" not in out.getvalue()
    assert "[bold]x[/bold]" in out.getvalue()
    assert "[/nonsense]" in out.getvalue()


def test_the_report_has_months_incidents_checks_and_the_outcome():
    where, out = console()
    print_report(sample_report(), where)
    text = " ".join(out.getvalue().split())
    for found in (
        "March 2013",
        "Mean AUC above left alone",
        "Incident 1. Harmful shift",
        "Promotions",
        "The loop closed",
        "missing 0, doubled 0",
    ):
        assert found in text
    assert "Its challenger was bad on purpose" in text
    assert "beats champion fail," in text


def test_an_empty_report_is_printed():
    where, out = console()
    report = sample_report()
    print_report(
        msgspec.structs.replace(
            report, slots=(), months=(), weeks=(), incidents=(), checks=(), delivery=None, resources=None, refused=None
        ),
        where,
    )
    assert "The loop did not close" in out.getvalue()
