"""The bundle of a model that is served elsewhere: what it says, and that nothing is judged by its imitation."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from skills import adopt_model, build_dataset, compare_models, diagnose_drift
from skills._kit.errors import InputError, NoDataError
from skills._kit.frames import floats
from skills._kit.metrics import auc
from skills._kit.scoring import score_table
from skills._kit.usual import Watch
from streams.contracts.slices import Condition, Slice
from streams.inference.session import load
from streams.inference.store import BundleStore
from tests.kit.shops import BURSTS, DAY_MS, MODEL, SKEW_MS, Orders, orders, serve


def answered(given: Orders, seed: int = 0) -> np.ndarray:
    """What another server has answered: near the labels, and nothing that our columns tell exactly."""
    noise = np.random.default_rng(seed).normal(size=given.table.num_rows)
    return 1 / (1 + np.exp(-(floats(given.table, "label") * 1.5 - 2.0 + noise)))


def table_of(given: Orders, folder: Path, scores: np.ndarray) -> str:
    file = folder / "log.parquet"
    pq.write_table(given.table.append_column("score", pa.array(scores)), file)
    return str(file)


def adopted(given: Orders, folder: Path, scores: np.ndarray) -> adopt_model.Output:
    folder.mkdir(exist_ok=True)
    asked = adopt_model.Input(
        registry=str(folder / "registry"),
        model=MODEL,
        table=table_of(given, folder, scores),
        schema=given.schema,
        skew_ms=SKEW_MS,
    )
    return adopt_model.run(asked, folder)


def test_the_bundle_describes_the_model_and_not_its_imitation(tmp_path: Path) -> None:
    given = orders(2_000, 1)
    scores, labels = answered(given), floats(given.table, "label")
    found = adopted(given, tmp_path, scores)
    scorer = load(BundleStore(tmp_path / "registry"), MODEL, found.digest)
    assert scorer.manifest.is_stand_in
    assert found.rows == 2_000
    assert found.metrics["auc"].value == pytest.approx(auc(labels, scores))
    assert scorer.profile.score.low == pytest.approx(scores.min())
    assert scorer.profile.loss_mean == pytest.approx(found.metrics["log_loss"].value)
    imitation = score_table(scorer, given.table)
    assert 0 < found.apart < np.abs(scores - scores.mean()).mean() * 1.2
    assert np.abs(imitation - scores).max() > 0.05
    assert adopted(given, tmp_path / "again", scores).digest == found.digest


@pytest.mark.parametrize("scores", [np.full(300, 1.5), np.full(300, np.nan), np.full(300, -0.1)])
def test_scores_that_can_t_be_are_refused(tmp_path: Path, scores: np.ndarray) -> None:
    with pytest.raises(InputError):
        adopted(orders(300, 1), tmp_path, scores)


def test_too_few_rows_are_refused(tmp_path: Path) -> None:
    with pytest.raises(NoDataError, match="at least 200"):
        adopted(orders(150, 1), tmp_path, np.full(150, 0.5))


def test_what_it_answered_is_compared_and_not_what_its_imitation_would_have(tmp_path: Path) -> None:
    given = orders(3_000, 1, planted=BURSTS)
    perfect = np.clip(floats(given.table, "label"), 0.01, 0.99)
    first = adopted(given, tmp_path, perfect)
    other = adopted(given, tmp_path / "other", answered(given))
    BundleStore(tmp_path / "registry").publish(MODEL, BundleStore(tmp_path / "other/registry").path(MODEL, other.digest))
    half = given.table.num_rows // 2
    served = [first.digest] * half + [hashlib.sha256(b"another version").hexdigest()] * (given.table.num_rows - half)
    serve(given, tmp_path / "lake", perfect, served)
    common = {"lake": str(tmp_path / "lake"), "registry": str(tmp_path / "registry"), "model": MODEL, "champion": first.digest}
    ranges = {"until_ms": given.end_ms, "train_ms": 18 * DAY_MS, "sealed_ms": 14 * DAY_MS}
    data = build_dataset.run(build_dataset.Input(**common, **ranges), tmp_path)
    found = compare_models.run(compare_models.Input(**common, challenger=other.digest, sealed=data.sealed), tmp_path)
    sealed = pq.read_table(data.sealed)
    assert 20 < found.rows < sealed.num_rows
    assert found.rows == sealed.column("digest").to_pylist().count(first.digest)
    assert found.metric.champion.value == 1.0
    assert found.metric.challenger.value < 0.95


def test_a_diagnosis_doesn_t_call_the_imitation_s_distance_a_bug_in_serving(tmp_path: Path) -> None:
    given = orders(3_000, 1)
    scores = answered(given)
    found = adopted(given, tmp_path, scores)
    serve(given, tmp_path / "lake", scores, found.digest)
    asked = diagnose_drift.Input(
        lake=str(tmp_path / "lake"), registry=str(tmp_path / "registry"), model=MODEL, champion=found.digest,
        now_ms=given.end_ms, recent_ms=5 * DAY_MS, events=[],
    )  # fmt: skip
    causes = {one.cause: one.probability for one in diagnose_drift.run(asked, tmp_path).causes}
    assert causes.get("serving_bug", 0.0) < 0.2


def test_declared_slices_have_a_usual_loss_of_their_own(tmp_path: Path) -> None:
    """What the profile says of a slice is what measuring would have summed up of the same rows."""
    given = orders(4_000, 1)
    scores, labels = answered(given), floats(given.table, "label")
    red = Slice(name="red", conditions=(Condition(column="colour", values=("red",)), Condition(column="weight", low=0.5)))
    watch = Watch(
        bucket_ms=DAY_MS, detectors=("loss_mean", "loss_slices", "inputs_pca"), confirm_after=2, clear_after=3, alarm_rate=0.01,
        min_rows=30, slices=(red, Slice(name="none", conditions=(Condition(column="shop", values=("nowhere",)),))),
    )  # fmt: skip
    asked = adopt_model.Input(
        registry=str(tmp_path / "registry"), model=MODEL, table=table_of(given, tmp_path, scores), schema=given.schema,
        skew_ms=SKEW_MS, watch=watch,
    )  # fmt: skip
    profile = load(BundleStore(tmp_path / "registry"), MODEL, adopt_model.run(asked, tmp_path).digest).profile
    (found,) = profile.slices
    inside = (given.table.column("colour").to_numpy() == "red") & (floats(given.table, "weight") >= 0.5)
    loss = -np.log(np.where(labels == 1, scores, 1 - scores))[inside]
    assert (found.slice, found.rows) == (red, inside.sum())
    assert (found.loss_mean, found.loss_std) == (pytest.approx(loss.mean()), pytest.approx(loss.std()))
    assert profile.normal is not None
    assert set(profile.normal.signals) == set(watch.detectors), "columns together have the reference's rows"
    usual = profile.normal.signals["loss_slices"]["slice red: mean"]
    # Outcomes that became known after the last bucket are in no bucket.
    assert 0.97 * inside.sum() < usual.rows <= inside.sum()
