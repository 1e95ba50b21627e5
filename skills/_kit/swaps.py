"""Did it begin with our own deployment? The loss just before and just after, the inputs too, and how soon after it began.

Who is served differently may ask differently: a deployment can move the inputs that it is judged by. It can also be worse than
what it replaced. Monitors begin anew with each bundle, so that whatever was there before seems to have begun with it: what speaks
for the deployment is that the loss rose from the rows just before it to those just after, as they were served.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from skills._kit.evidence import BLOCKS, LEAST_LABELS, row_losses
from skills._kit.features import unflagged
from skills._kit.frames import Floats, floats, integers, row_blocks
from skills._kit.recent import Range
from skills._kit.shifts import number_shares
from skills._kit.sources import newest_known
from streams.contracts.bundle import Profile
from streams.contracts.events import DriftEvent
from streams.contracts.schema import ModelSchema
from streams.statistics.distances import psi

DAY_MS = 86_400_000
# From here on a beginning is no news so soon after a deployment, and nothing is read of it.
LATE = 0.2
_TINY = 1e-12


class Swap(NamedTuple):
    """What speaks of the newest deployment of another bundle.

    `days` is how long after it the first change began, and `chance` how often that would be so soon of a change that begins at
    any time since; 1 where nothing is known to have begun after it. `loss_z` and `loss_change` are how far the loss of requests
    just after it lies above that of requests just before it, in standard errors (None of too few labels) and relatively; `psi` is
    how far the number that moved most was moved.
    """

    days: float
    chance: float
    loss_z: float | None
    loss_change: float
    psi: float


UNKNOWN = Swap(0.0, 1.0, None, 0.0, 0.0)


class Span(NamedTuple):
    """When the newest other bundle began to serve, what time it is, and how much before and after the deployment is compared."""

    deployed_ms: int
    now_ms: int
    length_ms: int


class Place(NamedTuple):
    """Where it is measured: what is read, the model's columns that the lake shows, and the bundle's reference."""

    of: Range
    schema: ModelSchema
    profile: Profile


def swap_of(events: Iterable[DriftEvent], place: Place, span: Span) -> Swap:
    """Say what speaks of a deployment; the lake is only read where something began soon after it.

    Raises:
        LakeError: the lake can't be read.
    """
    swap = soon_after(events, span)
    if swap.chance >= LATE:
        return swap
    length_ms = min(span.length_ms, span.now_ms - span.deployed_ms)
    ends_ms = max(span.deployed_ms - length_ms, 0), span.deployed_ms + length_ms
    loss_z, loss_change = _loss_jump(place, ends_ms, span)
    return swap._replace(loss_z=loss_z, loss_change=loss_change, psi=_moved(place, ends_ms, span.deployed_ms))


def soon_after(events: Iterable[DriftEvent], span: Span) -> Swap:
    """Say how soon after a deployment the first change began of those that are confirmed."""
    began = [
        (max(one.evidence[0].since_ms - span.deployed_ms, 0), one.bucket_end_ms - one.bucket_start_ms)
        for one in events
        if one.transition == "confirmed"
        and one.evidence
        # The bucket may have begun before the deployment.
        and one.evidence[0].since_ms + one.bucket_end_ms - one.bucket_start_ms > span.deployed_ms
    ]
    elapsed_ms = span.now_ms - span.deployed_ms
    if not began or elapsed_ms <= 0:
        return UNKNOWN
    after_ms, bucket_ms = min(began)
    return UNKNOWN._replace(days=after_ms / DAY_MS, chance=min((after_ms + bucket_ms) / elapsed_ms, 1.0))


def _loss_jump(place: Place, ends_ms: tuple[int, int], span: Span) -> tuple[float | None, float]:
    """Return (standard errors, relative change) of the loss of what was asked after the deployment against before.

    What was asked before counts with the labels that were known when it was as old as what was asked after is now: labels that
    come late, often those of one kind, would be on one side alone.
    """
    if not place.of.lake.exists(place.of.model, "outcomes"):
        return None, 0.0
    wanted = ["id", "time_ms", "known_ms", "revision", "label", "score", "flags"]
    known = place.of.read("outcomes", wanted, *ends_ms)
    sides = (
        (ends_ms[0], span.deployed_ms, span.now_ms - (ends_ms[1] - span.deployed_ms)),
        (span.deployed_ms, ends_ms[1], span.now_ms),
    )
    before, after = (_losses(place, newest_known(known, seen_ms), since_ms, until_ms) for since_ms, until_ms, seen_ms in sides)
    if min(len(before), len(after)) < LEAST_LABELS:
        return None, 0.0
    (usual, chance), (now, error) = _mean(before), _mean(after)
    return (now - usual) / max(float(np.hypot(chance, error)), _TINY), (now - usual) / max(usual, _TINY)


def _losses(place: Place, outcomes: pa.Table, since_ms: int, until_ms: int) -> Floats:
    """Return the losses of what was asked in [since_ms, until_ms), in order of time, as it was served."""
    rows = unflagged(outcomes).sort_by([("time_ms", "ascending"), ("id", "ascending")])
    times, scores = integers(rows, "time_ms"), floats(rows, "score")
    return row_losses(place.schema.task, rows.filter(pa.array((times >= since_ms) & (times < until_ms) & np.isfinite(scores))))


def _mean(losses: Floats) -> tuple[float, float]:
    """Return the mean of rows in order of time, and its standard error by blocks of them."""
    blocks = row_blocks(len(losses), min(BLOCKS, len(losses) // 10))
    means = np.bincount(blocks, losses) / np.bincount(blocks)
    return float(losses.mean()), float(means.std(ddof=1) / np.sqrt(len(means)))


def _moved(place: Place, ends_ms: tuple[int, int], deployed_ms: int) -> float:
    """Return the largest PSI of any number between requests just before and just after."""
    names = [name for name in place.schema.numbers if name in place.profile.numbers]
    rows = unflagged(place.of.read("predictions", ["time_ms", *names, "flags"], *ends_ms))
    is_after = integers(rows, "time_ms") >= deployed_ms
    if min(int(is_after.sum()), int((~is_after).sum())) < LEAST_LABELS:
        return 0.0
    values = {name: floats(rows, name) for name in names}
    shares = [
        [number_shares(place.profile.numbers[name], values[name][rows_of]) for rows_of in (is_after, ~is_after)] for name in names
    ]
    return max((psi(after, before) for after, before in shares), default=0.0)
