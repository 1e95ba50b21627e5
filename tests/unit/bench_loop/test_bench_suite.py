"""The bars over all scenarios together, from results of single ones."""

import msgspec
import pytest

from tests.bench.closed_loop.command import suite_bars
from tests.bench.closed_loop.report.model import BenchReport, Judgement, ScenarioResult

BARE = ScenarioResult(id="C0", title="t", data="d", seed=0, start_ms=0, end_ms=1, quality_metric="q", daily_retrains=50)


def result(name: str, *, is_right: bool = True, retrains: dict[str, float | None] | None = None) -> ScenarioResult:
    values = {"retrains": {"driftwake": 2.0} if retrains is None else retrains}
    return msgspec.structs.replace(BARE, id=name, values=values, diagnosis=Judgement(accepted=("x",), is_right=is_right))


def measured(*results: ScenarioResult) -> dict[str, float | None]:
    return {bar.metric: bar.value for bar in suite_bars(BenchReport(version="1", scenarios=results))}


def test_where_daily_was_not_played_its_days_are_counted():
    assert measured(result("C0"), result("C1"))["retrains_of_daily"] == pytest.approx(4 / 100)
    played = result("C1", retrains={"driftwake": 2.0, "daily": 30.0})
    assert measured(result("C0"), played)["retrains_of_daily"] == pytest.approx(4 / 80)


def test_a_scenario_that_did_not_run_counts_for_nobody():
    failed = msgspec.structs.replace(BARE, id="C3", daily_retrains=None, failed="broke")
    found = measured(result("C0"), failed)
    assert found["retrains_of_daily"] == pytest.approx(2 / 50)
    assert found["right_diagnoses"] == 1
    assert measured(failed) == {"retrains_of_daily": None, "below_weekly": None, "right_diagnoses": None}


def test_seeds_and_variants_are_one_row_of_diagnoses():
    runs = (result("C11a"), result("C11b", is_right=False), result("C2_sine"), result("C2_stagger"), result("C4"))
    assert measured(*runs)["right_diagnoses"] == pytest.approx(0.5 + 1 + 1)
