"""What a model leans on and which loss is to be expected is learnt by its training: from its graph, and rows with scores."""

from __future__ import annotations

import functools
from pathlib import Path

import msgspec
import pyarrow.parquet as pq
import pytest

from skills import calibrate_monitors
from skills._kit.usual import Watch
from streams.calibration.panel import Panel
from streams.detectors.base import Floors, Setup
from streams.inference.session import graph_of
from streams.inference.store import BundleStore
from tests.kit.histories import BUCKET_MS, HOUR_MS, MODEL, WATCH, between, log_of, schema_of, trained_on

KIND = "attributions_shapley"
EXPECTING = ("performance_reweighted", "loss_expected")
HOW = dict(zip(EXPECTING, ("reweighted", "expected by trees"), strict=True))
SCHEMA = schema_of(2)
TRAINED = 2


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    folder = tmp_path_factory.mktemp("asking")
    watch = msgspec.convert({**WATCH, "detectors": [KIND, *EXPECTING]}, Watch)
    return folder, trained_on(between(log_of(TRAINED), 0, TRAINED), folder, SCHEMA, watch=watch)


def test_training_learns_of_the_signals_that_monitoring_will_see(published: tuple[Path, str]) -> None:
    folder, digest = published
    store = BundleStore(folder / "registry")
    bundle = store.read(MODEL, digest)
    rows = functools.partial(store.read_reference, MODEL, digest)
    setup = Setup(bundle.manifest, bundle.profile, Floors(), BUCKET_MS, rows, functools.partial(graph_of, bundle))
    panel = Panel([KIND, *EXPECTING], setup)
    panel.close()
    normal = bundle.profile.normal
    assert normal is not None
    seen = [(place.detector, signal.name) for place, signal in zip(panel.places, panel.signals, strict=True)]
    assert sorted((kind, name) for kind, own in normal.signals.items() for name in own) == sorted(seen)
    assert {(KIND, "x0: mean absolute attribution"), *((kind, f"loss: {how}") for kind, how in HOW.items())} <= set(seen)
    for usual in normal.signals[KIND].values():
        assert usual.buckets > 50
        assert abs(usual.level) < 0.5, "rows that aren't in the reference are explained as its own are"
    for kind, how in HOW.items():
        usual = normal.signals[kind][f"loss: {how}"]
        assert 5 < usual.buckets < 25, "scores are known of the last rows alone"
        assert abs(usual.level) < 0.5


def test_a_log_calibrates_it_too(published: tuple[Path, str], tmp_path: Path) -> None:
    folder, digest = published
    file = tmp_path / "log.parquet"
    pq.write_table(between(log_of(TRAINED + 5), TRAINED, TRAINED + 4.2), file)
    asked = {
        "registry": str(folder / "registry"), "model": MODEL, "bundle": digest, "table": str(file), "schema": SCHEMA,
        "watch": {**WATCH, "detectors": [KIND], "bucket_ms": 24 * HOUR_MS}, "alarms_per_month": 2.0, "dry": True,
    }  # fmt: skip
    found = calibrate_monitors.run(msgspec.convert(msgspec.to_builtins(asked), calibrate_monitors.Input), tmp_path / "work")
    (one,) = found.detectors
    assert (one.detector, one.kind, one.weeks_missing) == (KIND, "feature_drift", 0)
