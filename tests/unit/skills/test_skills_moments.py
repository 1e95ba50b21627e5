"""What a profile and the buckets of a past say of labels and residuals, against the rows themselves."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from scipy import stats

from skills._kit.profiles import profile_of
from skills._kit.usual import Later, Rows, Watch, views_of
from streams.contracts.bundle import Golden, Manifest
from streams.contracts.schema import Column, ModelSchema
from streams.contracts.summaries import FIXED

DAY_MS = 86_400_000
SCHEMA = ModelSchema(columns=(Column(name="size", kind="number"),), task="regression")
MANIFEST = Manifest(model="m", schema=SCHEMA, golden=Golden(columns=[], windows=[], time_ms=[], scores=[]))
WATCH = Watch(bucket_ms=DAY_MS, detectors=("labels_mean",), confirm_after=2, clear_after=3, alarm_rate=0.01, min_rows=1)


def drawn(days: int = 5, each: int = 40) -> Rows:
    """Skewed labels, the model a little too high; the last half of the rows is unseen."""
    rng, number = np.random.default_rng(4), days * each
    time_ms, labels = np.repeat(np.arange(days), each) * DAY_MS, rng.exponential(2.0, number) - 5.0
    table = pa.table({"time_ms": time_ms, "size": rng.normal(size=number), "label": labels})
    scores, half = labels + rng.normal(0.5, 1.0, number), number // 2
    return Rows(table, Later(time_ms[half:], time_ms[half:] + 1, labels[half:], scores[half:]))


def test_a_profile_knows_its_labels_and_residuals() -> None:
    table, later, _ = drawn()
    profile = profile_of(SCHEMA, table, [], later, np.random.default_rng(1))
    labels, residuals = table["label"].to_numpy(), later.labels - later.scores
    found = (profile.label_mean, profile.label_std, profile.label_skew)
    assert found == pytest.approx((labels.mean(), labels.std(), stats.skew(labels)))
    found = (profile.residual_mean, profile.residual_std, profile.residual_skew)
    assert found == pytest.approx((residuals.mean(), residuals.std(), stats.skew(residuals)))
    assert profile.residual_mean < -0.2


def test_buckets_of_a_past_have_the_sums_that_measuring_gives() -> None:
    table, later, _ = drawn()
    profile = profile_of(SCHEMA, table, [], later, np.random.default_rng(1))
    views = views_of(WATCH, MANIFEST, profile, Rows(table, later), reads_sample=False)
    known = [view.losses for view in views if view.losses is not None]
    assert len(known) == 3, "two days and a half are unseen"
    for day, losses in zip((2, 3, 4), known, strict=True):
        own = later.known_ms // DAY_MS == day
        found = (losses.rows, losses.labels, losses.label_squares, losses.scores)
        sums = [values[own].sum() * FIXED for values in (later.labels, later.labels**2, later.scores)]
        assert found == (own.sum(), *(pytest.approx(one, abs=1) for one in sums))
