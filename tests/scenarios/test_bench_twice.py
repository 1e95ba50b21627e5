"""A scenario of one's own data through the whole bench, twice: the same event log, quality and bars, whatever the machine did."""

from pathlib import Path

import msgspec
import numpy as np
import pandas as pd
import pytest

from tests.bench.closed_loop.command import Wanted, run_bench
from tests.bench.closed_loop.report.model import ScenarioResult, decode_report, encode_report, without_pace

DAYS, A_DAY = 24, 400
BUCKET_MS = 6 * 3_600_000
SCENARIO = """
id: own
title: A column of one's own data changes its meaning
data:
  file: log.parquet
  roles:
    time: asked
    label: truth
    label_after: 1d
    columns: [{name: size, kind: number}, {name: colour, kind: category}]
champion: {first_day: 0, last_day: 9}
replay: {first_day: 12, last_day: 23}
bucket: 6h
skew: 1h
injections:
  - {kind: scale, column: size, factor: 50, first_day: 18, last_day: 19}
truth: {onset_day: 18, diagnosis: [upstream_data_break], actions: [alert_upstream], forbidden: [retrain]}
score: {first_day: 12, last_day: 23}
bars:
  - {metric: rows_lost, at_most: 0}
  - {metric: rows_doubled, at_most: 0}
  - {metric: rows_misattributed, at_most: 0}
  - {metric: p99_ratio, at_most: 1000}
  - {metric: live_quality, at_least: 0.0, policy: never}
"""


def write_scenario(folder: Path) -> Path:
    rng = np.random.default_rng(5)
    rows = DAYS * A_DAY
    size, colour = rng.normal(size=rows), rng.choice(["red", "green", "blue"], rows)
    chance = 1 / (1 + np.exp(-(1.5 * size + (colour == "red"))))
    asked = pd.Timestamp("2026-03-01") + pd.to_timedelta(np.arange(rows) * (86_400 // A_DAY), unit="s")
    log = pd.DataFrame({"asked": asked, "truth": (rng.random(rows) < chance).astype(float), "size": size, "colour": colour})
    log.to_parquet(folder / "log.parquet")
    file = folder / "own.yaml"
    file.write_text(SCENARIO)
    return file


def played(folder: Path, file: Path, name: str) -> tuple[ScenarioResult, bytes]:
    report = folder / f"{name}.html"
    policies = ("never", "weekly", "driftwake")
    run_bench(Wanted((str(file),), policies, 1, data=folder, folder=folder / name, report=report))
    assert "<html" in report.read_text()
    found = decode_report(report.with_suffix(".json").read_bytes())
    return found.scenarios[0], encode_report(without_pace(found))


@pytest.mark.full
def test_two_runs_of_a_scenario_are_the_same(tmp_path: Path) -> None:
    file = write_scenario(tmp_path)
    first, report = played(tmp_path, file, "first")
    assert first.failed is None
    assert len(first.log_digest) == 64
    assert [policy.name for policy in first.policies] == ["driftwake", "never", "weekly"]
    assert all(policy.mean_quality is not None and policy.mean_quality > 0.7 for policy in first.policies)
    assert {one.name: one.retrains for one in first.policies}["weekly"] >= 1
    # Event time goes on within a bucket of six hours, since rows wait for facts of an hour ago; the daemon acts at its end.
    assert first.incidents
    assert not [one for one in first.incidents if (one.opened_ms - first.start_ms) % BUCKET_MS]
    held = {bar.metric: bar.held for bar in first.bars if bar.policy == "driftwake"}
    assert held == {"rows_lost": True, "rows_doubled": True, "rows_misattributed": True, "p99_ratio": True}
    assert first.pace is not None
    assert (first.pace.p99_before_ms or 0) > 0
    assert (tmp_path / "first" / "results").is_dir()
    assert not (tmp_path / "first" / "work" / "own-0").exists()

    second, again = played(tmp_path, file, "second")
    assert second.log_digest == first.log_digest
    assert again == report

    # A result that is there isn't made again.
    (kept,) = (tmp_path / "first" / "results").iterdir()
    kept.write_bytes(msgspec.json.encode(msgspec.structs.replace(first, title="kept")))
    third, _ = played(tmp_path, file, "first")
    assert third.title == "kept"


def test_a_scenario_that_cannot_run_is_reported_with_its_bars_not_measured(tmp_path: Path) -> None:
    file = write_scenario(tmp_path)
    (tmp_path / "log.parquet").unlink()
    result, _ = played(tmp_path, file, "none")
    assert result.failed is not None
    assert "log.parquet" in result.failed
    assert {bar.held for bar in result.bars} == {None}
