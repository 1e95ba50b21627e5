"""Panels of made-up signals, which read what a test tells them, without a bundle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import SimpleNamespace

import numpy as np
import pytest

from streams.calibration import panel as panels
from streams.calibration.panel import Panel
from streams.contracts.bundle import Golden, Manifest, NumberProfile, Profile
from streams.contracts.schema import Column, ModelSchema
from streams.detectors.base import BucketView, Floors, Readings, Setup, Signal, Sketch

NEVER_REACHED = 1e9
"""A threshold."""

HOUR_MS = 3_600_000


def signal_of(
    watched: str, *, kind: str = "feature_drift", reference: float = 1e12, scale: float = 1.0, **more: object
) -> Signal:
    """A signal whose reference is as good as certain."""
    found = Signal(kind, watched, "mean", "unit", 0.0, reference, scale)
    return found._replace(**more)


def setup() -> Setup:
    """Any bundle."""
    schema = ModelSchema(columns=(Column(name="x", kind="number"),), task="binary")
    golden = Golden(columns=[], windows=[], time_ms=[], scores=[])
    score = NumberProfile(edges=[], shares=[1.0], missing=0.0, low=0.0, high=1.0, sample=[])
    profile = Profile(rows=1, score=score, label_mean=0.5, loss_mean=0.5, loss_std=0.5)
    return Setup(Manifest(model="m", schema=schema, golden=golden), profile, Floors(), HOUR_MS)


class Told:
    """Reads the start of each bucket in hours, plus 100 for each signal before; shows its own name and the signal's number."""

    def __init__(self, name: str, signals: Sequence[Signal], *, reads_sample: bool = False) -> None:
        self.name, self.signals, self.reads_sample, self.is_closed = name, list(signals), reads_sample, False

    def read(self, view: BucketView) -> Readings:
        """Read the bucket's start."""
        level = view.start_ms / HOUR_MS + 100.0 * np.arange(len(self.signals))
        return Readings(level, np.full(len(level), 10.0), -level)

    def sketch(self, index: int, views: Sequence[BucketView]) -> Sketch:
        """Show where it was asked."""
        return Sketch({self.name: float(index)}, {self.name: float(len(views))})

    def close(self) -> None:
        """Remember it."""
        self.is_closed = True


def panel_of(monkeypatch: pytest.MonkeyPatch, detectors: Mapping[str, Told | Sequence[Signal]]) -> Panel:
    """A panel of detectors by name, each given or made from its signals."""
    made = {name: one if isinstance(one, Told) else Told(name, one) for name, one in detectors.items()}
    modules = {name: SimpleNamespace(open_detector=lambda _, one=one: one) for name, one in made.items()}
    with monkeypatch.context() as patch:
        patch.setattr(panels, "load_kind", lambda _, kind: modules[kind])
        return Panel(tuple(made), setup())
