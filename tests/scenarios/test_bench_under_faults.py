"""Faults done to a real system: bad bundles don't stay champion, and a broker that restarts loses nothing."""

from pathlib import Path

import pytest

from tests.bench.closed_loop.command import Wanted, run_bench
from tests.bench.closed_loop.report.model import ScenarioResult, decode_report
from tests.scenarios.test_bench_twice import write_scenario

FAULTS = """
settings: {judging: {shadow: 2d, probation: 2d, recheck: 1d}}
faults:
  - {kind: broker_restart, day: 14}
  - {kind: corrupt_onnx, day: 15, forced: true}
  - {kind: wrong_feature_order, day: 16, forced: true}
  - {kind: trained_on_future, day: 17}
"""


def played(folder: Path) -> ScenarioResult:
    file = write_scenario(folder)
    file.write_text(file.read_text() + FAULTS)
    report = folder / "report.html"
    run_bench(Wanted((str(file),), ("never", "driftwake"), 1, data=folder, folder=folder / "out", report=report))
    return decode_report(report.with_suffix(".json").read_bytes()).scenarios[0]


@pytest.mark.full
@pytest.mark.timeout(300)
def test_no_fault_loses_a_row_or_leaves_a_bad_bundle_champion(tmp_path: Path) -> None:
    result = played(tmp_path)
    assert result.failed is None
    assert [one.what for one in result.injected if "scale" not in one.what] == [
        "broker_restart",
        "corrupt_onnx, forced",
        "wrong_feature_order, forced",
        "trained_on_future",
    ]
    ours = {metric: found["driftwake"] for metric, found in result.values.items() if "driftwake" in found}
    assert (ours["rows_lost"], ours["rows_doubled"], ours["rows_misattributed"]) == (0, 0, 0)
    assert ours["promotions"] == 2, "the forced bundle, and the one it had replaced"
    assert 500 <= (ours["labels_to_roll_back"] or 0) <= 1_600
    asked = [one.state for one in result.incidents if one.action in {"promote_submitted", "judge_submitted"}]
    assert asked[:2] == ["refused", "rolled_back"]
    assert asked[2] in {"refused", "shadowing"}, "too few rows to refuse it, none on which it may serve"
