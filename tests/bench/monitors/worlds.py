"""Streams that stay as they are: independent, wandering, seasonal or both, drawn as the counts of buckets."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import stats

from streams.contracts.bundle import Golden, Manifest, NumberProfile, Profile
from streams.contracts.schema import Column, ModelSchema
from streams.contracts.summaries import InputSummary, NumberCounts
from streams.detectors.base import BucketView

Floats = npt.NDArray[np.float64]

HOUR_MS = 3_600_000
BINS = 20
KINDS = ("independent", "wandering", "seasonal", "both")
# Wandering as wide as the chance of a bucket of a hundred rows, with a memory of about four buckets.
_WIDTH, _PERSISTENCE = 0.1, 0.8
_SWING, _WEEKEND = 0.5, 0.3


class Shape(NamedTuple):
    """A world's size: how it varies, its features, and rows of a bucket of an hour."""

    kind: str
    features: int
    rows: int = 100


class World:
    """Normal features whose means move by hour, weekday and a slow wandering, each in its own way; nothing ever changes.

    Counts on the reference's bins are drawn directly: to the monitors it is the same as if rows had been.
    """

    def __init__(self, shape: Shape, seed: int) -> None:
        self._shape = shape
        self._generator = np.random.default_rng(seed)
        number = shape.features
        self._swing = self._generator.uniform(0, _SWING, number)
        self._phase = self._generator.uniform(0, 2 * math.pi, number)
        self._weekend = self._generator.normal(0, _WEEKEND, number)
        self._wandering = self._generator.normal(0, _WIDTH, number)
        self._hour = 0
        self.names = [f"x{index}" for index in range(number)]

    def reference(self, hours: int) -> list[BucketView]:
        """Pass over the first hours; sets the profile's edges by what they held."""
        means = [self._means() for _ in range(hours)]
        # Quantiles of the mixture of all hours, by a fine grid: what a sample of the history would have given.
        grid = np.linspace(-5, 5, 1_001)
        below = np.mean([stats.norm.cdf(grid[:, None] - mean) for mean in means], axis=0)
        self._edges = np.array([np.interp(np.arange(1, BINS) / BINS, below[:, one], grid) for one in range(len(self.names))])
        rows = self._shape.rows * hours
        views = [self._view(hour, mean) for hour, mean in enumerate(means)]
        counts = np.sum([[view.inputs.numbers[name].bins for name in self.names] for view in views if view.inputs], axis=0)
        self.profile = Profile(
            rows=rows,
            later_rows=rows,
            numbers={
                name: NumberProfile(
                    edges=edges.tolist(), shares=(count / rows).tolist(), missing=0.0, low=-9.0, high=9.0, sample=[]
                )
                for name, edges, count in zip(self.names, self._edges, counts, strict=True)
            },
            score=NumberProfile(edges=[], shares=[1.0], missing=0.0, low=0.0, high=1.0, sample=[]),
            label_mean=0.5,
            loss_mean=0.5,
            loss_std=0.0,
        )
        schema = ModelSchema(columns=tuple(Column(name=name, kind="number") for name in self.names))
        self.manifest = Manifest(model="m", schema=schema, golden=Golden(columns=[], windows=[], time_ms=[], scores=[]))
        return views

    def go_on(self, hours: int, shift: float = 0.0) -> Iterator[BucketView]:
        """Pass over further hours, the first feature's mean shifted by some deviations."""
        for _ in range(hours):
            hour, means = self._hour, self._means()
            means[0] += shift
            yield self._view(hour, means)

    def _means(self) -> Floats:
        hour, shape = self._hour, self._shape
        self._hour += 1
        means = np.zeros(shape.features)
        if shape.kind in {"wandering", "both"}:
            fresh = self._generator.normal(0, _WIDTH * math.sqrt(1 - _PERSISTENCE**2), shape.features)
            self._wandering = _PERSISTENCE * self._wandering + fresh
            means += self._wandering
        if shape.kind in {"seasonal", "both"}:
            means += self._swing * np.sin(2 * math.pi * (hour % 24) / 24 + self._phase)
            means += self._weekend * (hour // 24 % 7 >= 5)
        return means

    def _view(self, hour: int, means: Floats) -> BucketView:
        below = np.c_[np.zeros(len(means)), stats.norm.cdf(self._edges - means[:, None]), np.ones(len(means))]
        counts = self._generator.multinomial(self._shape.rows, np.diff(below, axis=1))
        start_ms = hour * HOUR_MS
        inputs = InputSummary(
            model="m", digest="d", partition=0, bucket_start_ms=start_ms, bucket_end_ms=start_ms + HOUR_MS,
            rows=self._shape.rows,
            numbers={name: NumberCounts(bins=bins) for name, bins in zip(self.names, counts.tolist(), strict=True)},
            score=NumberCounts(bins=[self._shape.rows]),
        )  # fmt: skip
        return BucketView("m", "d", start_ms, start_ms + HOUR_MS, inputs, None)
