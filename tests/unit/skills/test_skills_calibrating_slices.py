"""Slices of a bundle that is calibrated: none is kept that isn't declared any more, or that nobody finds again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pytest

from skills import calibrate_monitors
from skills._kit.usual import Watch
from streams.contracts.bundle import SliceProfile
from streams.contracts.slices import Condition, Slice
from tests.kit.calibrated import SCHEMA, TRAINED, WEEKS, Shop, calibrated, unlabelled
from tests.kit.histories import WATCH, between, log_of, trained_on

OLD = Slice(name="of_a", conditions=(Condition(column="depot", values=("a",)),))
NEW = Slice(name="of_b", conditions=(Condition(column="depot", values=("b",)),))
SLICED = {**WATCH, "detectors": ["inputs_quality", "loss_mean", "loss_slices", "loss_slices_found"]}


@pytest.fixture(scope="module")
def cut(tmp_path_factory: pytest.TempPathFactory) -> tuple[Shop, dict[str, Any]]:
    """A bundle with a declared slice and some that were cut, and how it is watched."""
    folder, log = tmp_path_factory.mktemp("cut"), log_of(WEEKS)
    watch = {**SLICED, "slices": [msgspec.to_builtins(OLD)]}
    digest = trained_on(between(log, 0, TRAINED), folder, SCHEMA, watch=msgspec.convert(watch, Watch))
    return Shop(folder, log, digest), watch


def slices_in(shop: Shop, found: calibrate_monitors.Output) -> dict[str, SliceProfile]:
    assert found.digest is not None
    return {one.slice.name: one for one in shop.profile(found.digest).slices}


def test_slices_of_an_earlier_run_are_not_kept_where_none_is_found(cut: tuple[Shop, dict[str, Any]], tmp_path: Path) -> None:
    """Of the labels of the whole log a hundred are left, too few for any slice that nobody declared."""
    shop, watch = cut
    before = shop.profile(shop.digest).slices
    assert sum(not one.is_declared for one in before) > 3
    log = between(shop.log, TRAINED, WEEKS)
    few = np.arange(log.num_rows) % (log.num_rows // 100) == 0
    sparse = log
    for name in ("label", "known_ms"):
        kept = pa.array(np.where(few, log.column(name).to_numpy(), np.nan), from_pandas=True)
        sparse = sparse.set_column(sparse.column_names.index(name), name, kept)
    after = slices_in(shop, calibrated(shop, sparse, tmp_path, watch=watch, partial=True, dry=False))
    assert after == {"of_a": next(one for one in before if one.is_declared)}, "what was declared stays what it was"


def test_slices_are_cut_anew_and_declared_ones_follow_the_declaration(cut: tuple[Shop, dict[str, Any]], tmp_path: Path) -> None:
    shop, watch = cut
    before = {one.slice.name: one for one in shop.profile(shop.digest).slices}
    log = between(shop.log, TRAINED, WEEKS)
    declared = watch | {"slices": [msgspec.to_builtins(NEW)]}
    after = slices_in(shop, calibrated(shop, log, tmp_path, watch=declared, partial=True, dry=False))
    assert ("of_a" in after, after["of_b"].is_declared) == (False, True)
    assert after["of_b"].rows == pytest.approx(0.3 * log.num_rows, rel=0.1), "measured on the log"
    cut_anew = {name for name, one in after.items() if not one.is_declared}
    assert cut_anew
    assert "depot=a" in cut_anew & before.keys()
    assert after["depot=a"].rows > 3 * before["depot=a"].rows
    unasked = declared | {"detectors": ["inputs_quality", "loss_mean", "loss_slices"]}
    assert set(slices_in(shop, calibrated(shop, log, tmp_path, watch=unasked, partial=True, dry=False))) == {"of_b"}


def test_without_labels_slices_that_are_still_asked_for_stay(cut: tuple[Shop, dict[str, Any]], tmp_path: Path) -> None:
    shop, watch = cut
    log = unlabelled(between(shop.log, TRAINED, WEEKS))
    after = calibrated(shop, log, tmp_path, watch=watch, partial=True, dry=False)
    assert after.digest is not None
    assert shop.profile(after.digest).slices == shop.profile(shop.digest).slices
