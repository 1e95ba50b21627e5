"""What another tool is to this bench: something that says of each bucket of rows whether it alarms, and how strongly."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple, Protocol

import pandas as pd

from tests.bench.monitors.rivals.scoring import Flags, Floats


class Columns(NamedTuple):
    """What of the rows is what. Beside them each row has a `score`, which is watched like a number, and a `label`."""

    numbers: tuple[str, ...]
    categories: tuple[str, ...]

    @property
    def watched(self) -> list[str]:
        """Every column that a tool for inputs is given."""
        return [*self.numbers, "score", *self.categories]


class Said(NamedTuple):
    """Of each bucket [T]: what the tool's alarm depends on, the greater the stranger, and whether it alarms by default."""

    value: Floats
    by_default: Flags


class Statistic(Protocol):
    """A tool that judges each bucket by itself."""

    def say(self, rows: pd.DataFrame) -> Said:
        """Judge consecutive buckets."""
        ...


class Follower(Protocol):
    """A tool that remembers what it was shown."""

    def copy(self) -> Follower:
        """Return one that remembers the same."""
        ...

    def follow(self, rows: pd.DataFrame) -> Flags:
        """Take in consecutive buckets and return in which it alarmed [T]."""
        ...


class Judging(NamedTuple):
    """A kind of statistic: how it learns from a history, on how many months its threshold is fitted, and streams it is shown."""

    open: Callable[[Columns, pd.DataFrame], Statistic]
    months: int = 10
    streams: int = 50


class Following(NamedTuple):
    """A kind of follower: how it begins with a history, by a setting or its default (None).

    `grid` are settings from the most sensitive one on; `months` and `streams` as for `Judging`.
    """

    open: Callable[[Columns, pd.DataFrame, float | None], Follower]
    grid: tuple[float, ...]
    months: int = 10
    streams: int = 50


Kind = Judging | Following
Tools = Mapping[str, Kind]
