"""Which results of before count."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bench.closed_loop import kept
from tests.bench.closed_loop.judged import failed
from tests.bench.closed_loop.playing import Wanted
from tests.bench.closed_loop.report.model import ScenarioResult
from tests.bench.closed_loop.scenario import Scenario, load_scenario, scenario_files


def test_a_result_of_another_state_of_the_code_counts_only_where_that_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = scenario_files()["C0"]
    scenario, played = load_scenario(file), []

    def play(wanted: Wanted, file: Path, scenario: Scenario) -> ScenarioResult:
        played.append(scenario.id)
        return failed(scenario, "fraud", "")

    monkeypatch.setattr(kept, "play", play)
    wanted = Wanted((), ("never",), 1, tmp_path, tmp_path, tmp_path / "report.html")
    kept.result_of(wanted, file, scenario)
    kept.result_of(wanted, file, scenario)
    assert len(played) == 1, "this code gave it"
    monkeypatch.setattr(kept, "code_digest", lambda: "changed")
    kept.result_of(wanted._replace(older=True), file, scenario)
    assert len(played) == 1
    assert kept.result_of(wanted, file, scenario).code == "changed"
    assert len(played) == 2
