from __future__ import annotations

import io

import msgspec
import pytest
from bench_report_sample import sample_report
from rich.console import Console

from daemon.report.wording import MISSING
from tests.bench.closed_loop.report.model import BenchReport
from tests.bench.closed_loop.report.terminal import print_report


def printed(report: BenchReport, width: int = 160) -> list[str]:
    console = Console(file=io.StringIO(), width=width, color_system=None)
    print_report(report, console)
    assert isinstance(console.file, io.StringIO)
    return [line.rstrip() for line in console.file.getvalue().rstrip("\n").split("\n")]


def test_the_last_line_counts_the_bars():
    assert printed(sample_report())[-1] == "23 bars held, 5 missed, 5 not measured"


def test_each_bar_is_a_line_with_its_verdict():
    lines = [" ".join(line.split()) for line in printed(sample_report())]
    assert "C0 calm promotions at most 0 0 held" in lines
    assert "live quality at least 0.700, days 84 to 113 0.719 held" in lines
    assert "C2 sudden concept change labels to recover at most 1,000 1,312 missed" in lines
    assert "C6 harmful shift before labels time to detect at most 3 d not measured not measured" in lines
    assert "All scenarios right diagnosis rows at least 17 16 missed" in lines


def test_a_scenario_that_did_not_run_says_why():
    text = " ".join(" ".join(printed(sample_report())).split())
    assert "did not run to its end: the broker did not come" in text


def test_each_policy_has_its_mean_quality():
    lines = printed(sample_report())
    assert any(line.split() == ["Scenario", "driftwake", "never", "weekly", "loss_alarm", "oracle"] for line in lines)
    assert any(line.split() == ["C19", "not", "measured", "not", "measured", *[MISSING] * 3] for line in lines)


@pytest.mark.parametrize("width", [40, 80, 200])
def test_markup_and_escapes_of_foreign_texts_stay_texts(width: int):
    hostile = "[red]x[/red]\x1b[31m"
    report = sample_report(lambda text: f"{hostile}{text}")
    lines = printed(report, width)
    assert "\x1b" not in "".join(lines)
    assert "[red]" in "".join(lines)
    assert lines[-1] == "23 bars held, 5 missed, 5 not measured"


def test_bars_by_another_policy_and_scenarios_without_bars_say_so():
    report = sample_report()
    bar = msgspec.structs.replace(report.bars[0], policy="weekly")
    one = msgspec.structs.replace(report.scenarios[0], bars=(bar,))
    none = msgspec.structs.replace(report.scenarios[1], bars=())
    text = "\n".join(printed(BenchReport(version="1", scenarios=(one, none))))
    assert "right diagnosis rows, weekly" in text
    assert "no bars" in text


def test_an_empty_report_prints():
    assert printed(BenchReport(version="1"))[-1] == "0 bars held, 0 missed, 0 not measured"
