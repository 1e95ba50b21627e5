"""Earlier champions on the rows since a change: would one that was replaced serve better now?

They are measured on the first half of the time since the change; the second half is left to the judge.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from skills._kit.features import longest_reach_ms, unflagged
from skills._kit.frames import Floats, floats, integers, with_columns
from skills._kit.metrics import compared
from skills._kit.scoring import score_table
from skills._kit.sources import facts_of, keys_of, newest_known, shown
from streams.contracts.errors import BundleRefused, ContractError
from streams.contracts.events import DriftEvent
from streams.inference.session import Scorer, load
from streams.inference.store import BundleStore
from streams.lake.lake import Lake

LEAST_ROWS = 100
MOST_ROWS = 5_000
DRAWS = 300
# What is said of the truth tells best when a change of it began.
_OF_TRUTH = frozenset({"loss_drift", "performance", "label_drift"})


class Changed(msgspec.Struct, frozen=True, kw_only=True):
    """When the newest confirmed change began, and how many labelled rows were asked since, how many of them of the rarer class.

    Where there are no classes all rows count as of the rarer one.
    """

    since_ms: int
    rows: int
    rare: int = 0


class ArchivedGain(msgspec.Struct, frozen=True, kw_only=True):
    """An earlier champion: by how much it beats the present one in the metric, with the 95 % interval, on how many rows."""

    digest: str
    value: float
    low: float
    high: float
    rows: int


class Archive(NamedTuple):
    """Where to look: the lake, the bundles, and up to when."""

    lake: Lake
    store: BundleStore
    model: str
    now_ms: int


def change_of(events: Sequence[DriftEvent], outcomes: pa.Table, task: str) -> Changed | None:
    """Say when the newest change began by what is confirmed; None when no event says so.

    Args:
        events: to explain.
        outcomes: that became known recently, flagged ones among them.
        task: of the model.
    """
    began = [(event.kind, event.evidence[0].since_ms) for event in events if event.transition == "confirmed" and event.evidence]
    of_truth = [since_ms for kind, since_ms in began if kind in _OF_TRUTH and since_ms > 0]
    since_ms = max(of_truth or [since_ms for _, since_ms in began if since_ms > 0], default=None)
    if since_ms is None:
        return None
    rows = unflagged(outcomes)
    asked = rows.filter(pa.array(integers(rows, "time_ms") >= since_ms))
    number = int(pc.count_distinct(asked.column("id")).as_py())
    positive = int(pc.count_distinct(asked.filter(pc.greater(asked.column("label"), 0.5)).column("id")).as_py())
    return Changed(since_ms=since_ms, rows=number, rare=min(positive, number - positive) if task == "binary" else number)


def gains_of(
    archive: Archive, champion: Scorer, earlier: Sequence[str], change: Changed, *, delay_ms: float, seed: int
) -> list[ArchivedGain]:
    """Compare earlier champions with the present one; those that can't be loaded, or read something else, are left out.

    Args:
        archive: where they and the rows are.
        champion: the present one.
        earlier: digests, the newest first.
        change: since when.
        delay_ms: how long most labels take.
        seed: of the bootstrap.

    Raises:
        LakeError: the rows can't be read.
    """
    last_ms = int(archive.now_ms - delay_ms)
    until_ms = last_ms - (last_ms - change.since_ms) // 2
    if not change.rows or until_ms <= change.since_ms:
        return []
    others = [scorer for digest in earlier if (scorer := _loaded(archive, digest)) is not None and _fits(scorer, champion)]
    rows = _rows(archive, [champion, *others], change.since_ms, until_ms) if others else None
    if rows is None or rows.num_rows < LEAST_ROWS:
        return []
    labels, own = floats(rows, "label"), score_table(champion, rows)
    found = [_gain(scorer, champion, labels, (own, score_table(scorer, rows)), seed) for scorer in others]
    return [one for one in found if all(np.isfinite((one.value, one.low, one.high)))]


def surely_returned(found: Sequence[ArchivedGain]) -> float:
    """Return by how much the best of them is surely better, 0 when none is."""
    return max([0.0, *(one.low for one in found)])


def _loaded(archive: Archive, digest: str) -> Scorer | None:
    try:
        return load(archive.store, archive.model, digest)
    except BundleRefused:
        return None


def _fits(scorer: Scorer, champion: Scorer) -> bool:
    """Whether the columns are the same, and the sources that its windows read are still there."""
    manifest, schema = scorer.manifest, champion.manifest.schema
    try:
        for window in manifest.windows:
            window.check(schema)
    except ContractError:
        return False
    return manifest.schema.reads_like(schema) and not manifest.is_stand_in


def _rows(archive: Archive, scorers: Sequence[Scorer], since_ms: int, until_ms: int) -> pa.Table:
    """Read the labelled rows of a range, with every window that a bundle reads; the newest where there are too many."""
    manifest = scorers[0].manifest
    windows = list(dict.fromkeys(window for scorer in scorers for window in scorer.manifest.windows))
    keys = keys_of(windows)
    declared = [column.name for column in shown(archive.lake, archive.model, manifest.schema, keys).columns]
    wanted = ["id", "time_ms", "known_ms", "revision", *declared, "label", "flags"]
    known = archive.lake.read(
        archive.model, "outcomes", wanted, since_ms=since_ms, until_ms=archive.now_ms, time_column="known_ms", keys=keys
    )
    rows = unflagged(newest_known(known, archive.now_ms))
    times = integers(rows, "time_ms")
    rows = rows.filter(pa.array((times >= since_ms) & (times < until_ms)))
    rows = rows.sort_by([("time_ms", "ascending"), ("id", "ascending")])
    rows = rows.slice(max(0, rows.num_rows - MOST_ROWS))
    if not windows or not rows.num_rows:
        return rows
    reach_ms = longest_reach_ms(windows, manifest.skew_ms)
    facts = facts_of(
        archive.lake,
        archive.model,
        manifest.schema,
        manifest.skew_ms,
        since_ms=max(0, since_ms - reach_ms),
        until_ms=until_ms,
        keys=keys,
    )
    return with_columns(rows, [window.name for window in windows], list(facts.columns(windows, rows).T))


def _gain(scorer: Scorer, champion: Scorer, labels: Floats, scores: tuple[Floats, Floats], seed: int) -> ArchivedGain:
    task = champion.manifest.schema.task
    *_, difference = compared(task, labels, *scores, seed=seed, draws=DRAWS)
    value, low, high = difference.value, difference.low, difference.high
    if task != "binary":
        value, low, high = -value, -high, -low
    return ArchivedGain(digest=scorer.digest, value=value, low=low, high=high, rows=len(labels))
