"""Rows that every tool is shown: a stream that goes on as it is until something changes for good."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from tests.bench.monitors.rivals.scoring import Floats

# The model is wrong in one row of ten.
ERROR = 0.10
SHARES = {"c0": {"a": 0.40, "b": 0.30, "c": 0.15, "d": 0.10, "e": 0.05}, "c1": {"a": 0.50, "b": 0.30, "c": 0.18, "d": 0.02}}

Draw = Callable[[int, np.random.Generator], pd.DataFrame]
Alter = Callable[[pd.DataFrame, np.random.Generator], pd.DataFrame]


class Change(NamedTuple):
    """Something that happens to a stream, and whether it shows in the `inputs` or the `outcomes`, or `breaks` the inputs."""

    name: str
    alter: Alter
    shows: str = "inputs"


class World(NamedTuple):
    """A stream of rows.

    `draw` gives features, `answer` adds the model's `score` and the true `label`. A change alters the features before the model
    sees them, one of the outcomes the labels after it. `horizon` is after how many buckets nobody waits any longer.
    """

    name: str
    numbers: tuple[str, ...]
    categories: tuple[str, ...]
    draw: Draw
    answer: Alter
    changes: tuple[Change, ...]
    horizon: int

    def rows(self, number: int, generator: np.random.Generator, change: Change | None = None) -> pd.DataFrame:
        """Return rows: features, `score` and `label`."""
        drawn = self.draw(number, generator)
        if change is None:
            return self.answer(drawn, generator)
        if change.shows == "outcomes":
            return change.alter(self.answer(drawn, generator), generator)
        return self.answer(change.alter(drawn, generator), generator)


def made(features: int) -> World:
    """Return a world of independent standard normal features and two categories, and a model that is right on average.

    Its scores are the true probabilities, so a shift of a feature moves them too, and their errors hardly.
    """
    numbers = tuple(f"x{number}" for number in range(features))
    steepness = _steepness()

    def draw(number: int, generator: np.random.Generator) -> pd.DataFrame:
        drawn = pd.DataFrame(generator.normal(size=(number, features)), columns=list(numbers))
        for name, shares in SHARES.items():
            drawn[name] = np.array(list(shares), object)[generator.choice(len(shares), number, p=list(shares.values()))]
        return drawn

    def answer(drawn: pd.DataFrame, generator: np.random.Generator) -> pd.DataFrame:
        score = 1 / (1 + np.exp(-steepness * drawn[list(numbers)].sum(axis=1) / np.sqrt(features)))
        return drawn.assign(score=score, label=(generator.random(len(drawn)) < score).astype(np.float64))

    changes = (
        *(Change(f"one feature +{size:g} sd", shifted("x0", size)) for size in (0.25, 0.5, 1.0)),
        Change("category 5 % -> 10 %", _doubled("c0", "e")),
        Change("category 2 % -> 4 %", _doubled("c1", "d")),
        *(Change(f"error rate 0.10 -> {error:.2f}", _wrong(error), "outcomes") for error in (0.15, 0.20)),
    )
    return World(f"normal, {features} features", numbers, tuple(SHARES), draw, answer, changes, horizon=200)


def shifted(name: str, size: float) -> Alter:
    """Move a number by so much."""
    return lambda drawn, _: drawn.assign(**{name: drawn[name] + size})


def errors(rows: pd.DataFrame) -> Sequence[int]:
    """Return which answers were wrong, 1 or 0 [rows]."""
    wrong = (rows["score"].to_numpy() >= 0.5) != (rows["label"].to_numpy() > 0.5)
    return [int(one) for one in wrong]


def _doubled(name: str, category: str) -> Alter:
    """Turn other categories into this one as often as it takes to double its share."""
    share = SHARES[name][category]

    def alter(drawn: pd.DataFrame, generator: np.random.Generator) -> pd.DataFrame:
        is_turned = (drawn[name] != category) & (generator.random(len(drawn)) < share / (1 - share))
        return drawn.assign(**{name: drawn[name].where(~is_turned, category)})

    return alter


def _wrong(error: float) -> Alter:
    """Turn labels around as often as it takes to make the model wrong so often."""

    def alter(rows: pd.DataFrame, generator: np.random.Generator) -> pd.DataFrame:
        is_turned = generator.random(len(rows)) < (error - ERROR) / (1 - 2 * ERROR)
        return rows.assign(label=np.where(is_turned, 1 - rows["label"], rows["label"]))

    return alter


def _steepness() -> float:
    """Return how steep a logistic curve of a standard normal is whose rounded answers are wrong in `ERROR` of the rows."""
    grid = np.linspace(-8, 8, 4_001)
    weights: Floats = np.exp(-(grid**2) / 2)
    steep = np.linspace(0.5, 20, 2_000)
    wrong = [float((weights / (1 + np.exp(one * np.abs(grid)))).sum() / weights.sum()) for one in steep]
    return float(np.interp(-ERROR, -np.array(wrong), steep))
