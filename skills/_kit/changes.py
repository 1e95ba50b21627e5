"""When the newest change began, and how many labelled rows there are since: all, and those that a training would be given."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import msgspec
import numpy as np

from skills._kit.archives import Archive
from skills._kit.features import unflagged
from skills._kit.frames import floats, integers
from skills._kit.ranges import Lengths, since_change
from streams.contracts.events import DriftEvent

# What is said of the truth tells best when a change of it began.
_OF_TRUTH = frozenset({"loss_drift", "performance", "label_drift"})


class Changed(msgspec.Struct, frozen=True, kw_only=True):
    """When the newest confirmed change began, and how many rows that a plan is about have labels.

    `rows` were asked since then, and long enough ago that most labels have come; `rare` of them are of the rarer class, all where
    there are no classes. A training would be given
    `train_rows`, those before the judge's whose labels were known when the judge's begin; None where nobody said how plans
    split rows.
    """

    since_ms: int
    rows: int
    rare: int = 0
    train_rows: int | None = None


class Delays(NamedTuple):
    """How long half of the labels take, and most of them, in ms."""

    half_ms: float
    most_ms: float


def began_ms(events: Sequence[DriftEvent], delays: Delays) -> int | None:
    """Say when the newest change began in requests, by what is confirmed; None when no event says so.

    What is said of the truth shows in labels from when they are known: half of those that came then were asked so long before.
    """
    began = [(event.kind, event.evidence[0].since_ms) for event in events if event.transition == "confirmed" and event.evidence]
    of_truth = [max(since_ms - round(delays.half_ms), 1) for kind, since_ms in began if kind in _OF_TRUTH and since_ms > 0]
    return max(of_truth or [since_ms for _, since_ms in began if since_ms > 0], default=None)


def change_of(
    archive: Archive, events: Sequence[DriftEvent], delays: Delays, lengths: Lengths | None, task: str
) -> Changed | None:
    """Count the labelled rows since the newest change, whenever their labels became known; None when no event says when it began.

    Args:
        archive: where the rows are, and up to when they count.
        events: to explain.
        delays: of the labels.
        lengths: of the parts into which plans split rows.
        task: of the model.

    Raises:
        LakeError: the rows can't be read.
    """
    since_ms = began_ms(events, delays)
    if since_ms is None:
        return None
    wait_ms, rows, positive, given = math.ceil(delays.most_ms), 0, 0, 0
    ranges = None if lengths is None else since_change(since_ms, archive.now_ms, wait_ms, lengths)
    columns = ["time_ms", "known_ms", "revision", "label", "flags"]
    until_ms = max(archive.now_ms - wait_ms, since_ms)
    is_there = archive.lake.exists(archive.model, "outcomes")
    parts = archive.lake.scan(archive.model, "outcomes", columns, since_ms=since_ms, until_ms=until_ms) if is_there else ()
    for part in parts:
        sound = unflagged(part)
        times, known = integers(sound, "time_ms"), integers(sound, "known_ms")
        # Corrections are rows of their own; the first of each id says when it had a label.
        is_first = (integers(sound, "revision") == 0) & (known < archive.now_ms)
        rows += int(is_first.sum())
        positive += int(np.sum(is_first & (floats(sound, "label") > 0.5)))
        if ranges is not None:
            first_ms, last_ms = ranges.train
            is_given = (times >= first_ms) & (times < last_ms) & (known < archive.now_ms - ranges.sealed_ms)
            given += int(np.sum(is_first & is_given))
    rare = min(positive, rows - positive) if task == "binary" else rows
    return Changed(since_ms=since_ms, rows=rows, rare=rare, train_rows=None if lengths is None else given)
