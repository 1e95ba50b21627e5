"""All detectors of a bundle as one row of signals: their order, their groups, and what each group may alarm by chance."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streams.calibration.panel import Panel, Place, Recorded, joined
from streams.contracts.errors import PluginError
from streams.detectors.base import BucketView
from streams.detectors.checks import World, open_in, setup_of
from streams.monitoring.config import OURS
from streams.runtime.plugins import load_kind
from tests.kit.panels import HOUR_MS, Told, panel_of, signal_of


def view_of(hour: int) -> BucketView:
    return BucketView("m", "d", hour * HOUR_MS, (hour + 1) * HOUR_MS, None, None)


def test_signals_and_readings_come_in_the_order_of_the_detectors(monkeypatch: pytest.MonkeyPatch) -> None:
    names = {"later": [signal_of("b"), signal_of("a")], "nothing": [], "first": [signal_of("c")]}
    panel = panel_of(monkeypatch, names)
    assert [signal.watched for signal in panel.signals] == ["b", "a", "c"]
    assert panel.places == (Place("later", 0), Place("later", 1), Place("first", 0))
    found = panel.read(view_of(7))
    assert found.level.tolist() == [7, 107, 7]
    assert found.effect.tolist() == [-7, -107, -7]
    assert found.rows.tolist() == [10] * 3
    assert panel.sketch(1, [view_of(7)]).before == {"later": 1.0}
    assert panel.sketch(2, [view_of(7)] * 2) == ({"first": 0.0}, {"first": 2.0})


def test_a_panel_of_real_detectors_reads_what_they_read() -> None:
    world = World(1)
    panel, view = Panel(OURS[::-1], setup_of(world)), world.view(0)
    alone = [open_in(load_kind("streams.detectors", kind), world) for kind in OURS[::-1]]
    assert list(panel.signals) == [signal for detector in alone for signal in detector.signals]
    for part, parts in zip(panel.read(view), zip(*(one.read(view) for one in alone), strict=True), strict=True):
        assert np.array_equal(part, np.concatenate(parts), equal_nan=True)


@given(st.lists(st.lists(st.sampled_from(["data_quality", "loss_drift", "feature_drift"]), max_size=40), min_size=1, max_size=6))
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_each_kind_has_a_part_of_the_false_alarms_by_the_root_of_its_columns(
    monkeypatch: pytest.MonkeyPatch, kinds: Sequence[Sequence[str]]
) -> None:
    """Whatever there is, its signals together have one part of one, and what begins small has more of it."""
    signals = {str(one): [signal_of(str(number), kind=kind) for number, kind in enumerate(of)] for one, of in enumerate(kinds)}
    panel = panel_of(monkeypatch, signals)
    assert set(panel.groups) == {(name, signal.kind) for name, found in signals.items() for signal in found}
    columns = Counter(kind for of in kinds for kind in of)
    wanted = {kind: np.sqrt(columns[kind]) * {"data_quality": 1, "loss_drift": 3, "feature_drift": 8}[kind] for kind in columns}
    of_signal = 10.0**-panel.handicaps
    for kind, part in wanted.items():
        own = of_signal[[signal.kind == kind for signal in panel.signals]]
        assert own.sum() == pytest.approx(part / sum(wanted.values()))
        np.testing.assert_allclose(own, own[0])
    np.testing.assert_allclose(panel.parts, np.bincount(panel.group, weights=of_signal, minlength=len(panel.groups)))
    for place, signal, group in zip(panel.places, panel.signals, panel.group, strict=True):
        assert panel.groups[group] == (place.detector, signal.kind)


def test_within_a_group_columns_have_equal_parts_and_their_signals_share_by_weight(monkeypatch: pytest.MonkeyPatch) -> None:
    heavy, light = signal_of("a")._replace(weight=8.0), signal_of("a")._replace(aspect="spread")
    many = [signal_of("b")._replace(aspect=f"category {number}") for number in range(100)]
    panel = panel_of(monkeypatch, {"d": [heavy, light, *many], "e": [signal_of("a")]})
    parts = 10.0**-panel.handicaps
    np.testing.assert_allclose(parts[:2], np.array([8, 1]) / 9 / 3)
    np.testing.assert_allclose(parts[2:102], 1 / 300)
    assert parts[102] == pytest.approx(1 / 3)


def test_a_thin_tail_is_not_relied_on_where_only_a_rise_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    one, both = signal_of("a", rises_only=True), signal_of("b", rises_only=False)
    given = [like._replace(watched=f"{like.watched}{skew}", skewness=skew) for like in (one, both) for skew in (-3.0, 2.0)]
    assert panel_of(monkeypatch, {"d": given}).skewness.tolist() == [0, 2, -3, 2]


def test_the_sample_is_read_when_any_detector_reads_it_and_all_are_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = Told("one", [signal_of("a")]), Told("other", [signal_of("b")], reads_sample=True)
    assert not panel_of(monkeypatch, {"one": one}).reads_sample
    panel = panel_of(monkeypatch, {"one": one, "other": other})
    assert panel.reads_sample
    panel.close()
    assert one.is_closed
    assert other.is_closed


def test_a_panel_without_signals_reads_nothing() -> None:
    world = World(1, "regression")
    for kinds in ((), ("performance_auc",)):
        panel = Panel(kinds, setup_of(world))
        assert panel.read(world.view(0)).level.shape == (0,)
        assert panel.handicaps.shape == (0,)
        assert not panel.reads_sample


def test_a_detector_that_is_not_there_is_named() -> None:
    with pytest.raises(PluginError, match="feature_kss"):
        Panel(("feature_kss",), setup_of(World(1)))


def test_what_was_read_is_given_again_without_asking_anybody() -> None:
    world = World(4)
    panel = Panel(("inputs_quality", "loss_mean"), setup_of(world))
    views = [world.view(day) for day in range(3)]
    readings = [panel.read(view) for view in views]
    recorded = Recorded(panel, {view.start_ms: found for view, found in zip(views, readings, strict=True)})
    panel.close()
    for part in ("places", "signals", "groups", "reads_sample"):
        assert getattr(recorded, part) == (getattr(panel, part) if part != "reads_sample" else False)
    assert np.array_equal(recorded.handicaps, panel.handicaps)
    assert np.array_equal(recorded.group, panel.group)
    assert recorded.read(views[2]) is readings[2]
    assert recorded.sketch(0, views) == ({}, {})
    with pytest.raises(KeyError):
        recorded.read(world.view(3))
    recorded.close()


def test_one_detector_reads_its_own_signals_and_nothing_where_it_isn_t_asked() -> None:
    world = World(4)
    panel, view = Panel(("inputs_quality", "loss_mean"), setup_of(world)), world.view(0)
    assert panel.kinds == ("inputs_quality", "loss_mean")
    parts = [panel.read_one(kind, view) for kind in panel.kinds]
    for whole, side_by_side in zip(panel.read(view), joined(parts), strict=True):
        assert np.array_equal(whole, side_by_side, equal_nan=True)
    unasked = panel.read_one("inputs_quality", None)
    assert unasked.level.shape == parts[0].level.shape
    assert np.isnan(unasked.level).all()
    assert not unasked.rows.any()
