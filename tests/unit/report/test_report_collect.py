"""From a real ledger and a real lake to the report."""

from __future__ import annotations

import math
import sqlite3
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pytest

from daemon.ledger.ledger import Ledger, open_ledger
from daemon.report.collect import Collection, collect
from daemon.report.collect_checks import Limits
from daemon.report.html import render
from daemon.report.model import Check, Delivery, ReplayReport, Resources, Slot, decode_report, encode_report
from daemon.report.outcome import outcome
from daemon.report.wording import minus
from streams.contracts.bundle import MANIFEST_FILE, Golden, Manifest, encode_manifest
from streams.contracts.events import DriftEvent
from streams.contracts.features import Window
from streams.contracts.schema import Column, ModelSchema
from streams.inference.store import BundleStore
from streams.lake.lake import Lake
from streams.lake.tables import table_schema
from tests.kit.control import DAY, MODEL, START, WINDOW, Control, comparison, event

SCHEMA = ModelSchema(columns=(Column(name="a", kind="number"),))
DAYS = 30
END = START + DAYS * DAY
HALF = START + 15 * DAY
MONTHS = (("first half", START, HALF), ("second half", HALF, END))
SLOTS = (Slot(name="driftwake", who="looked after"), Slot(name="alone", who="never touched", bar=0.0))
WHOLE = Delivery(requests=3_000, predictions=3_000, quarantined=0, missing=0, doubled=0)
PROPOSED = msgspec.convert(WINDOW, Window)


def with_window(control: Control) -> None:
    """Let the challenger hold the window that the search proposes."""
    golden = Golden(columns=[], windows=[], time_ms=[], scores=[])
    manifest = Manifest(model=MODEL, schema=SCHEMA, windows=(PROPOSED,), golden=golden, lineage={"name": "with window"})
    folder = control.lake / "staged" / manifest.digest
    folder.mkdir(parents=True)
    (folder / MANIFEST_FILE).write_bytes(encode_manifest(manifest))
    script = (control.lake / "script.json").read_text()
    (control.lake / "script.json").write_text(script.replace(control.challenger, manifest.digest))
    control.challenger = manifest.digest


class Story:
    """A whole run: incidents by the real loop, outcomes written to a real lake as serving would have.

    Args:
        folder: for everything.
        better: how well the challenger separates, the first champion separates by 0.5.
        shadows: whether the first champion goes on scoring as the shadow `alone`.
        changes: what the tiny skills answer instead.
    """

    def __init__(self, folder: Path, *, better: float = 2.0, shadows: bool = True, **changes: Any) -> None:
        self.folder = folder
        self.control = Control(folder, **changes)
        with_window(self.control)
        self.better = better
        self.shadows = shadows

    async def run(self, *events: DriftEvent) -> None:
        await self.control.world.publish(self.control.first_deployment())
        with open_ledger(self.folder / "ledger.sqlite") as ledger:
            loop = self.control.loop(ledger)
            await loop.on_watermark(START)
            for one in events:
                loop.on_event(one)
            for day in range(DAYS):
                await loop.on_watermark(START + day * DAY)
        Lake(self.control.lake).append(MODEL, "outcomes", self.outcomes(), {"t/0": 1})

    def outcomes(self, rows: int = 3_000) -> pa.Table:
        """Labels, and scores of whatever bundle the deployments say."""
        random = np.random.default_rng(3)
        time_ms = np.sort(random.integers(START, END, rows))
        label = random.random(rows) < 0.3
        noise = random.normal(size=rows)
        scores = {
            self.control.champion: 1 / (1 + np.exp(-(0.5 * label + noise))),
            self.control.challenger: 1 / (1 + np.exp(-(self.better * label + noise))),
        }
        history = self.control.world.history
        served = [max((one for one in history if one.effective_ms <= time), key=lambda one: one.generation) for time in time_ms]
        alone = self.control.champion
        columns: dict[str, Any] = {
            "id": [f"r{row}" for row in range(rows)],
            "partition": [0] * rows,
            "offset": range(rows),
            "time_ms": time_ms,
            "a": noise,
            "windows": [[]] * rows,
            "score": [scores[one.champion][row] for row, one in enumerate(served)],
            "digest": [one.champion for one in served],
            "generation": [one.generation for one in served],
            "route": ["champion"] * rows,
            "flags": [[]] * rows,
            "shadows": [
                [{"name": "alone", "digest": alone, "score": scores[alone][row]}] if self.shadows else [] for row in range(rows)
            ],
            "label": label.astype(float),
            "known_ms": time_ms + 3_600_000,
            "revision": [0] * rows,
        }
        return pa.table({name: list(values) for name, values in columns.items()}, schema=table_schema(SCHEMA, "outcomes"))

    def request(self, ledger: Ledger, **changes: Any) -> Collection:
        return Collection(
            title="A run", data="made up", model=MODEL, ledger=ledger, lake=Lake(self.control.lake),
            store=BundleStore(self.control.folder / "registry"), start_ms=START, end_ms=END, months=MONTHS, slots=SLOTS,
            wall_seconds=60.0, rows=3_000, limits=Limits(2, 2 << 30, 30.0), delivery=WHOLE,
            resources=Resources(peak_memory_bytes=1 << 30, processes=5),
        )._replace(**changes)  # fmt: skip

    def report(self, **changes: Any) -> ReplayReport:
        with open_ledger(self.folder / "ledger.sqlite", read_only=True) as ledger:
            return collect(self.request(ledger, **changes))


def check(report: ReplayReport, name: str) -> Check:
    (found,) = [one for one in report.checks if name in one.name]
    return found


@pytest.fixture
async def promoted(tmp_path: Path) -> Story:
    story = Story(tmp_path)
    await story.run(event(START))
    return story


async def test_a_promotion_is_told_from_its_event_to_its_lesson(promoted: Story) -> None:
    report = promoted.report()
    (incident,) = report.incidents
    assert incident.state == "closed"
    assert incident.closed_ms is not None
    assert incident.title == "Performance: concept change"
    assert [one.detector for one in incident.events] == ["d"]
    assert incident.events[0].evidence[0].watched == "loss"
    assert incident.diagnosis[0].probability == 0.8
    assert [one.action for one in incident.alternatives if one.chosen] == ["search_features_and_retrain"]
    assert all(one.reason for one in incident.alternatives if one.chosen or one.utility == -math.inf)
    assert incident.comparison is not None
    assert incident.comparison.challenger == pytest.approx(0.75)
    assert incident.live_comparison is not None
    assert "probation: pass" in incident.verdict
    claims = [one.claim for one in incident.gates]
    assert claims[0] == "beats_champion"
    assert claims[-3:] == ["beats_champion in shadow", "keeps_goals in shadow", "does_no_harm in probation"]
    assert [one.what for one in incident.deployments] == ["prepared", "shadow", "promoted", "tidied up"]
    assert {one.digest for one in incident.deployments} == {promoted.control.challenger}
    assert report.lessons == (incident.lesson,)


async def test_the_plans_steps_are_told_with_numbers_and_wall_time(promoted: Story) -> None:
    plan = promoted.report().incidents[0].plan
    assert plan is not None
    assert [step.skill for step in plan.steps] == ["build_dataset", "propose_windows", "train_xgboost", "compare_models"]
    assert all(step.state == "done" and step.seconds is not None and step.seconds > 0 for step in plan.steps)
    assert plan.steps[0].summary == "9 rows to train on (3 positive), 9 sealed"
    assert plan.steps[1].summary == "3 windows tried, 1 accepted"
    assert plan.steps[2].summary == f"bundle {promoted.control.challenger[:12]} on 9 rows, auc 0.800 (0.700 to 0.900)"
    assert plan.steps[3].summary.startswith("auc 0.700 → 0.750 on 5,000 rows: +0.050")


async def test_windows_that_were_tried_are_listed_with_gain_and_reason(tmp_path: Path) -> None:
    other = WINDOW | {"range_ms": 7_200_000}
    search = {
        "accepted": [{"window": WINDOW, "text": "the text", "gain": 0.05, "low": 0.01, "high": 0.09, "p_value": 0.004}],
        "rejected": [{"window": other, "text": "other", "reason": "no gain"}, {"window": "nonsense"}],
        "tried": 3,
    }
    story = Story(tmp_path, propose_windows=search)
    await story.run(event(START))
    taken, left = story.report().incidents[0].features
    assert (taken.text, taken.accepted, taken.gain and taken.gain.low) == ("the text", True, 0.01)
    assert "p 0.004" in taken.reason
    assert (left.text, left.accepted, left.gain, left.reason) == ("other", False, None, "no gain")


async def test_quality_is_measured_by_period_and_slot_on_the_newest_revisions(promoted: Story) -> None:
    report = promoted.report()
    first, second = report.months
    assert first.rows + second.rows == 3_000
    ours, alone = second.quality["driftwake"], second.quality["alone"]
    assert ours is not None
    assert alone is not None
    assert ours.low < ours.value < ours.high
    assert ours.low > alone.high
    assert (len(report.weeks), report.weeks[-1].start_ms) == (5, START + 28 * DAY)
    assert report.metric == "AUC"
    table = promoted.outcomes()
    flipped = pa.array([1 - value for value in table.column("label").to_pylist()])
    corrected = table.set_column(table.column_names.index("label"), "label", flipped)
    corrected = corrected.set_column(table.column_names.index("revision"), "revision", pa.array([1] * 3_000, pa.int32()))
    Lake(promoted.control.lake).append(MODEL, "outcomes", corrected, {"t/0": 2})
    again = promoted.report().months[1]
    assert again.rows == second.rows
    mirrored = again.quality["driftwake"]
    assert mirrored is not None
    assert mirrored.value == pytest.approx(1 - ours.value)


async def test_a_slot_without_nearly_all_scores_is_not_measured(tmp_path: Path) -> None:
    story = Story(tmp_path, shadows=False)
    await story.run(event(START))
    report = story.report()
    assert all(month.quality["alone"] is None for month in report.months)
    assert all(month.quality["driftwake"] is not None for month in report.months)
    assert check(report, "later labels").held is None


async def test_every_check_holds_and_the_loop_closed(promoted: Story) -> None:
    report = promoted.report()
    assert [one.held for one in report.checks] == [True] * len(report.checks)
    assert outcome(report).is_closed, outcome(report).reasons
    assert [(one.slot, one.digest) for one in report.swaps] == [
        ("driftwake", promoted.control.champion),
        ("driftwake", promoted.control.challenger),
    ]
    assert report.swaps[0].generation < 4
    assert report.swaps[1].generation == 4
    assert report.swaps[1].features == (PROPOSED.text,)
    assert PROPOSED.text in check(report, "own").measured
    assert encode_report(decode_report(encode_report(report))) == encode_report(report)
    assert render(report)


async def test_bars_that_are_missed_are_not_held(promoted: Story) -> None:
    report = promoted.report(limits=Limits(0, 1 << 20, 0.5), resources=None, refused="inc-none")
    assert check(report, "Few promotions").held is False
    assert check(report, "Wall time").held is False
    assert check(report, "Peak memory").held is None
    assert check(report, "bad on purpose").held is None
    assert check(promoted.report(limits=Limits(2, 1 << 20, 30.0)), "Peak memory").held is False


async def test_a_promotion_that_labels_show_to_be_worse_is_found(tmp_path: Path) -> None:
    story = Story(tmp_path, better=-1.0)
    await story.run(event(START))
    found = check(story.report(), "later labels")
    assert found.held is False
    assert found.measured.startswith(f"generation 4: {minus('-0.')}")


async def test_a_promoted_bundle_without_a_proposed_window_has_no_feature_of_its_own(tmp_path: Path) -> None:
    story = Story(tmp_path, propose_windows={"accepted": [], "rejected": [], "tried": 3})
    await story.run(event(START))
    report = story.report()
    assert len(report.swaps) == 2
    assert check(report, "own").held is False


async def test_the_refused_challenger_is_looked_at_by_its_incident(tmp_path: Path) -> None:
    story = Story(tmp_path, compare_models=comparison(-0.05))
    await story.run(event(START))
    (incident,) = story.report().incidents
    report = story.report(refused=incident.id)
    assert check(report, "bad on purpose").held is True
    assert incident.comparison is not None
    assert incident.comparison.difference.high < 0
    assert check(report, "later labels").held is True
    assert len(report.swaps) == 1
    assert outcome(report).is_closed is False


async def test_an_altered_audit_is_told(promoted: Story) -> None:
    connection = sqlite3.connect(promoted.folder / "ledger.sqlite")
    for (trigger,) in connection.execute("select name from sqlite_master where type = 'trigger'").fetchall():
        connection.execute(f"drop trigger {trigger}")
    connection.execute("update audit set subject = 'x' where number = 5")
    connection.commit()
    connection.close()
    found = check(promoted.report(), "Audit")
    assert found.held is False
    assert "record 5" in found.measured


async def test_errors_of_a_regression_count_with_a_minus(promoted: Story) -> None:
    report = promoted.report(task="regression")
    assert report.metric == "negative RMSE"
    found = report.months[0].quality["driftwake"]
    assert found is not None
    assert found.low < found.value < found.high < 0
