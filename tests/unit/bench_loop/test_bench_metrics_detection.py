"""Incidents against onsets, by hand."""

import numpy as np
import pytest

from tests.bench.closed_loop.metrics.detection import Detection, detection
from tests.bench.closed_loop.metrics.scored import Span

SPAN = Span(0, 1_000)


def test_one_onset_found():
    # The segment is [500, 1000), so incidents are accepted in [500, 600); 900 ms are outside.
    found = detection([540], [500], SPAN)
    assert found == Detection((40,), 0.0, 0, 0, None)
    assert found.delay_ms == 40


@pytest.mark.parametrize(("opened", "delay"), [(499, None), (500, 0), (599, 99), (600, None)])
def test_the_window_has_its_beginning_and_not_its_end(opened: int, delay: int | None):
    found = detection([opened], [500], SPAN)
    assert found.delays_ms == (delay,)
    assert found.false == (delay is None)


def test_a_late_incident_is_false_and_the_onset_missed():
    found = detection([700], [500], SPAN)
    assert found == Detection((None,), 1.0, 1, 0, 900.0)
    assert found.delay_ms is None


def test_each_onset_has_its_own_segment():
    # Segments [200, 400) and [400, 1000): accepted are [200, 240) and [400, 520), 840 ms lie outside.
    found = detection([450, 230, 235, 100, 390, 460, 999], [200, 400], SPAN)
    assert found == Detection((30, 50), 0.0, 3, 2, 840 / 3)
    assert found.delay_ms == 40


def test_where_nothing_happens_every_incident_is_false():
    assert detection([10, 20], [], SPAN) == Detection((), None, 2, 0, 500.0)
    assert detection([], [], SPAN) == Detection((), None, 0, 0, None)


def test_incidents_outside_the_span_are_left_out():
    assert detection([-1, 1_000, 2_000], [500], SPAN) == Detection((None,), 1.0, 0, 0, None)


def test_a_span_may_begin_late_and_an_onset_with_it():
    # Accepted are [1000, 1100) and [1500, 1600): 800 ms lie outside.
    assert detection([1_010, 1_700], [1_000, 1_500], Span(1_000, 2_000)) == Detection((10, None), 0.5, 1, 0, 800.0)


@pytest.mark.parametrize("onsets", [[500, 400], [500, 500], [-1], [1_000]])
def test_onsets_must_increase_within_the_span(onsets: list[int]):
    with pytest.raises(ValueError, match="must increase"):
        detection([], onsets, SPAN)


@pytest.mark.parametrize("seed", range(20))
def test_every_incident_is_counted_once(seed: int):
    rng = np.random.default_rng(seed)
    onsets = sorted({int(onset) for onset in rng.integers(0, 1_000, 3)})
    opened = rng.integers(0, 1_000, 30).tolist()
    found = detection(opened, onsets, SPAN)
    edges = [*onsets, 1_000]
    accepted = {t for i, onset in enumerate(onsets) for t in range(onset, onset + round(0.2 * (edges[i + 1] - onset)))}
    outside = [t for t in opened if t not in accepted]
    assert found.false == len(outside)
    assert found.false + found.repeated + sum(delay is not None for delay in found.delays_ms) == len(opened)
    assert found.between_false_ms == pytest.approx((1_000 - len(accepted)) / len(outside))
