"""Earlier champions, held against the present one on the rows since a change."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pytest

from skills import build_dataset, diagnose_drift, train_xgboost
from skills._kit.archives import ArchivedGain, change_of, surely_returned
from skills._kit.frames import floats
from skills._kit.scoring import score_table
from streams.contracts.events import DriftEvent, Evidence
from streams.inference.session import load
from streams.inference.store import BundleStore
from tests.kit.shops import DAY_MS, HOUR_MS, MODEL, SKEW_MS, Orders, into_lake, orders, serve


def event(kind: str, since_ms: int, transition: str = "confirmed", end_ms: int = 10**12) -> DriftEvent:
    proof = Evidence(watched="x", method="mean", p_value=0.001, effect=1.0, effect_unit="sd", since_ms=since_ms)
    return DriftEvent(
        id=f"{kind}-{since_ms}", kind=kind, transition=transition, model=MODEL, digest="", detector="d", time_ms=end_ms,  # type: ignore[arg-type]
        bucket_start_ms=end_ms - DAY_MS, bucket_end_ms=end_ms, rows=9, evidence=(proof,),
    )  # fmt: skip


def known(*times: int, flagged: int = 0) -> pa.Table:
    flags = [["odd"]] * flagged + [[]] * (len(times) - flagged)
    labels = [float(time % 3 == 0) for time in times]
    return pa.table(
        {
            "id": [str(time) for time in times],
            "time_ms": list(times),
            "flags": pa.array(flags, pa.list_(pa.string())),
            "label": labels,
        }
    )


def test_a_change_began_when_the_truth_moved_and_else_when_the_inputs_did():
    inputs, truth = event("feature_drift", 700), event("loss_drift", 500)
    for events, since_ms in (([inputs], 700), ([inputs, truth], 500), ([truth, event("performance", 600)], 600)):
        found = change_of(events, known(100, 550, 650, 800), "binary")
        assert found is not None
        assert found.since_ms == since_ms
    assert change_of([event("loss_drift", 0), event("loss_drift", 300, "suspected")], known(100), "binary") is None, (
        "nobody says when"
    )


def test_labelled_rows_are_those_since_then_each_once_and_sound():
    rows = known(900, 100, 549, 549, 651, 650, 652, flagged=1)
    for task, rare in (("binary", 2), ("regression", 4)):
        found = change_of([event("loss_drift", 500)], rows, task)
        assert found is not None
        assert (found.rows, found.rare) == (4, rare)


def test_what_surely_returned_is_the_best_lower_end():
    def gain(low: float) -> ArchivedGain:
        return ArchivedGain(digest="d", value=low + 0.1, low=low, high=low + 0.2, rows=9)

    assert surely_returned([gain(-0.1), gain(0.03), gain(0.01)]) == 0.03
    assert surely_returned([gain(-0.1)]) == surely_returned([]) == 0.0


class Twice(NamedTuple):
    """Two bundles: of the rule that holds, and of the opposite one, which serves."""

    given: Orders
    folder: Path
    right: str
    wrong: str


@pytest.fixture(scope="module")
def twice(tmp_path_factory: pytest.TempPathFactory) -> Twice:
    folder, given = tmp_path_factory.mktemp("twice"), orders(4_000, 4)
    place = given.table.column_names.index("label")
    turned = given._replace(table=given.table.set_column(place, "label", pa.array(1 - floats(given.table, "label"))))
    digests = []
    for name, rows in (("right", given), ("wrong", turned)):
        into_lake(rows, folder / name)
        common = {"lake": str(folder / name), "registry": str(folder / "registry"), "model": MODEL}
        first: dict[str, Any] = {"schema": given.schema, "skew_ms": SKEW_MS}
        (folder / f"{name}-data").mkdir()
        ranges = {"until_ms": given.end_ms - 5 * DAY_MS, "train_ms": 12 * DAY_MS, "sealed_ms": HOUR_MS}
        data = build_dataset.run(build_dataset.Input(**common, **first, **ranges), folder / f"{name}-data")
        asked = train_xgboost.Input(**common, **first, train=data.train, parameters={"rounds": 40})
        digests.append(train_xgboost.run(asked, folder / f"{name}-data").digest)
    return Twice(given, folder, *digests)


def diagnosed(twice: Twice, tmp_path: Path, champion: str, *archived: str, since_ms: int | None = None) -> diagnose_drift.Output:
    scorer = load(BundleStore(twice.folder / "registry"), MODEL, champion)
    serve(twice.given, tmp_path / "lake", score_table(scorer, twice.given.table), champion)
    end_ms = twice.given.end_ms
    asked = {
        "lake": str(tmp_path / "lake"), "registry": str(twice.folder / "registry"), "model": MODEL, "champion": champion,
        "now_ms": end_ms, "recent_ms": 4 * DAY_MS, "archived": archived,
        "events": [event("loss_drift", since_ms or end_ms - 4 * DAY_MS, end_ms=end_ms)],
    }  # fmt: skip
    return diagnose_drift.run(diagnose_drift.Input(**asked), tmp_path)


def test_a_bundle_that_knows_the_rule_of_now_is_found_and_names_the_cause(twice: Twice, tmp_path: Path):
    found = diagnosed(twice, tmp_path, twice.wrong, "f" * 64, twice.right)
    (one,) = found.archived
    assert (one.digest, one.value > 0.1, one.low > 0.02) == (twice.right, True, True)
    assert one.low < one.value < one.high
    assert found.causes[0].cause == "recurring_regime"
    assert found.causes[0].evidence["earlier_champion_gain"] == one.low
    assert found.change is not None
    assert found.change.rows > 2 * one.rows * 0.8, "only the first half is looked at"
    assert found.change.rows < 2 * one.rows * 1.25


def test_one_that_knows_the_opposite_is_no_reason_to_go_back(twice: Twice, tmp_path: Path):
    found = diagnosed(twice, tmp_path, twice.right, twice.wrong)
    (one,) = found.archived
    assert one.high < 0
    assert found.causes[0].cause != "recurring_regime"


def test_too_few_rows_measure_nothing(twice: Twice, tmp_path: Path):
    found = diagnosed(twice, tmp_path, twice.wrong, twice.right, since_ms=twice.given.end_ms - 5 * HOUR_MS)
    assert found.archived == []
    assert found.change is not None
    assert found.change.since_ms == twice.given.end_ms - 5 * HOUR_MS
    assert np.isfinite(found.causes[0].probability)
