"""What the two environments tell each other: rows in Parquet files, the plan and what was found in JSON files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from tests.bench.monitors.rivals.scoring import ROWS

PLAN, FOUND = "plan.json", "found"
BEFORE = 24
"""Calm buckets between the history and a change."""


Delayed = dict[str, list[int | None]]
"""After how many buckets each stream's change was found, by change; None where it wasn't in time."""


class Told(NamedTuple):
    """A world as the other environment knows it: where its rows lie, and `changes` by number, each with what it shows in.

    Stream `number` goes on from the history `number % histories`.
    """

    name: str
    folder: str
    numbers: list[str]
    categories: list[str]
    changes: list[tuple[str, str]]
    horizon: int
    histories: int
    streams: int
    months: int
    """Of the calm stream that settings are fitted on; the one they are checked on has half as many."""

    def history(self, stream: int) -> Path:
        """Return where the history of a stream lies."""
        return Path(self.folder) / f"history-{stream % self.histories}.parquet"

    def change(self, change: int, stream: int) -> Path:
        """Return where a stream with a change lies, `BEFORE` calm buckets first."""
        return Path(self.folder) / f"change-{change}-{stream}.parquet"

    def calm(self, use: str) -> Path:
        """Return where a calm stream lies, to `fit` or to `check`."""
        return Path(self.folder) / f"calm-{use}.parquet"


class Asked(NamedTuple):
    """A tool in a world: its setting and, by default and at that setting, the alarms in calm months and the delays."""

    world: str
    tool: str
    shows: str
    setting: float
    months: tuple[float, float]
    alarms: tuple[int, int]
    delays: tuple[Delayed, Delayed]


def write_plan(folder: Path, worlds: list[Told]) -> None:
    """Write down what is to be asked."""
    (folder / FOUND).mkdir(parents=True, exist_ok=True)
    (folder / PLAN).write_text(json.dumps([world._asdict() for world in worlds]), "utf-8")


def read_plan(folder: Path) -> list[Told]:
    """Read it."""
    return [Told(**one) for one in json.loads((folder / PLAN).read_text("utf-8"))]


def write_found(folder: Path, name: str, found: Asked) -> None:
    """Write down what one tool said."""
    (folder / FOUND / f"{name}.json").write_text(json.dumps(found._asdict()), "utf-8")


def read_found(folder: Path) -> list[Asked]:
    """Read what all tools said."""
    return [Asked(**_loaded(file)) for file in sorted((folder / FOUND).glob("*.json"))]


def read_rows(file: Path, buckets: int | None = None) -> pd.DataFrame:
    """Read rows, or those of the first buckets."""
    rows = pd.read_parquet(file)
    return rows if buckets is None else rows.iloc[: buckets * ROWS]


def _loaded(file: Path) -> dict[str, Any]:
    return json.loads(file.read_text("utf-8"))
