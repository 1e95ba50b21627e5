"""Earlier champions, held against the present one on the rows since a change."""

import shutil
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pytest

from skills import build_dataset, diagnose_drift, train_xgboost
from skills._kit import archives
from skills._kit.archives import ArchivedGain, surely_returned
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


def test_what_surely_returned_is_the_best_lower_end():
    def gain(low: float) -> ArchivedGain:
        return ArchivedGain(digest="d", value=low + 0.1, low=low, high=low + 0.2, rows=9)

    assert surely_returned([gain(-0.1), gain(0.03), gain(0.01)]).low == 0.03
    assert surely_returned([gain(-0.1)]).low == surely_returned([]).low == 0.0
    assert [surely_returned(found).rows for found in ([gain(-0.1)], [])] == [9, 0], "that nobody was better is known of so many"


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
    assert found.causes[0].evidence["earlier_champions_compared"] == one.compared == 1, "of a digest that nobody has"
    assert found.causes[0].evidence["earlier_champions_rows"] == one.rows == one.labelled
    assert found.change is not None
    assert found.change.rows > 2 * one.rows * 0.8, "only the first half is looked at"
    assert found.change.rows < 2 * one.rows * 1.25


def test_the_best_of_several_is_as_surely_better_as_one_alone(twice: Twice, tmp_path: Path):
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    (alone,) = diagnosed(twice, tmp_path / "one", twice.wrong, twice.right).archived
    best, itself = diagnosed(twice, tmp_path / "two", twice.wrong, twice.right, twice.wrong).archived
    assert (best.digest, best.value, best.compared, itself.compared) == (alone.digest, alone.value, 2, 2)
    assert best.low < alone.low < alone.high < best.high, "either of the two may be better by chance"
    assert (itself.value, itself.low) == (0.0, 0.0)


def test_only_the_newest_rows_are_scored_and_it_is_said_of_how_many(
    twice: Twice, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (whole,) = diagnosed(twice, tmp_path, twice.wrong, twice.right).archived
    assert whole.rows == whole.labelled > 200
    monkeypatch.setattr(archives, "MOST_ROWS", 150)
    shutil.rmtree(tmp_path / "lake")
    found = diagnosed(twice, tmp_path, twice.wrong, twice.right)
    (one,) = found.archived
    assert (one.rows, one.labelled) == (150, whole.labelled)
    assert found.causes[0].evidence["earlier_champions_rows"] == 150
    assert one.high - one.low > whole.high - whole.low


def test_one_that_knows_the_opposite_is_no_reason_to_go_back(twice: Twice, tmp_path: Path):
    found = diagnosed(twice, tmp_path, twice.right, twice.wrong)
    (one,) = found.archived
    assert one.high < 0
    assert found.causes[0].cause != "recurring_regime"


def test_too_few_rows_measure_nothing(twice: Twice, tmp_path: Path):
    found = diagnosed(twice, tmp_path, twice.wrong, twice.right, since_ms=twice.given.end_ms - 5 * HOUR_MS)
    assert found.archived == []
    assert found.change is not None
    assert found.change.since_ms == twice.given.end_ms - 5 * HOUR_MS - round(found.label_state.delay_ms_p50 or 0)
    assert np.isfinite(found.causes[0].probability)
