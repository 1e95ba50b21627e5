"""The kinds that ask alibi-detect: the same answers as ours, and clear words where it is missing or dies."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from types import ModuleType

import numpy as np
import psutil
import pytest
from scipy import stats

from streams.contracts.errors import PluginError, StreamsError
from streams.detectors import (
    _alibi,
    alibi_cvm,
    alibi_fisher,
    alibi_tabular,
    feature_chisquare,
    feature_cvm,
    feature_ks,
    labels_fisher,
)
from streams.detectors.base import BucketView, Detector, Readings
from streams.detectors.checks import World, setup_of

# The library is an extra because of its licence, so that a checkout may lack it; the lock has it.
needs_alibi = pytest.mark.skipif(
    importlib.util.find_spec("alibi_detect") is None, reason="the extra isn't installed: pip install driftwake[alibi]"
)
pytestmark = pytest.mark.usefixtures("alibi_worker")
KINDS = [(alibi_tabular, (feature_ks, feature_chisquare)), (alibi_cvm, (feature_cvm,)), (alibi_fisher, (labels_fisher,))]


@pytest.fixture
def views() -> list[BucketView]:
    return [World(9).view(0), World(10).view(0, is_broken=True), World(11).view(0)]


@pytest.fixture(params=KINDS, ids=lambda pair: str(pair[0].__name__))
def pair(request: pytest.FixtureRequest) -> Iterator[tuple[Detector, list[Detector]]]:
    theirs, ours = request.param
    setup = setup_of(World(0))
    opened = theirs.open_detector(setup)
    yield opened, [kind.open_detector(setup) for kind in ours]
    opened.close()


@needs_alibi
def test_alibi_detect_gives_our_p_values(pair: tuple[Detector, list[Detector]], views: list[BucketView]) -> None:
    """Equal to ours once ours are rounded to float32, in which that library keeps its own."""
    theirs, ours = pair
    assert [signal.watched for signal in theirs.signals] == [signal.watched for one in ours for signal in one.signals]
    for view in views:
        found, expected = theirs.read(view), [one.read(view) for one in ours]
        level, effect = (np.concatenate([one[part] for one in expected]) for part in (0, 2))
        assert stats.norm.sf(found.level) == pytest.approx(stats.norm.sf(level).astype(np.float32).astype(np.float64), abs=1e-7)
        assert found.effect == pytest.approx(effect, rel=1e-6)
        assert theirs.sketch(0, [view]) == ours[0].sketch(0, [view])


@needs_alibi
def test_a_sample_that_is_too_small_is_no_question() -> None:
    little = World(9).view(0, rows=10)
    for kind in (alibi_tabular, alibi_cvm):
        detector = kind.open_detector(setup_of(World(0)))
        found: Readings = detector.read(little)
        detector.close()
        assert np.isnan(found.level[:2]).all()


@needs_alibi
def test_a_dead_alibi_process_is_an_error_that_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_alibi, "WORKER", _alibi.Worker())
    detector = alibi_cvm.open_detector(setup_of(World(0)))
    with monkeypatch.context() as broken:
        broken.setattr(_alibi.sys, "executable", "/bin/false")
        with pytest.raises(StreamsError, match="alibi-detect's process"):
            detector.read(World(0).view(0))
    assert not np.isnan(detector.read(World(0).view(0)).level).any(), "the next question starts it anew"
    detector.close()


@needs_alibi
def test_all_detectors_share_one_process_which_ends_with_the_last(monkeypatch: pytest.MonkeyPatch) -> None:
    worker = _alibi.Worker()
    monkeypatch.setattr(_alibi, "WORKER", worker)
    first, second = (kind.open_detector(setup_of(World(0))) for kind in (alibi_cvm, alibi_tabular))
    children = psutil.Process().children()
    first.read(World(0).view(0))
    second.read(World(0).view(0))
    (process,) = [one for one in psutil.Process().children() if one not in children]
    first.close()
    first.close()
    second.read(World(0).view(1))
    assert process.is_running()
    second.close()
    assert not process.is_running()


@pytest.mark.parametrize("kind", [theirs for theirs, _ in KINDS])
def test_without_alibi_detect_the_extra_and_our_own_kind_are_named(kind: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_alibi.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(PluginError, match=r"driftwake\[alibi\].*needs nothing"):
        kind.open_detector(setup_of(World(0)))
