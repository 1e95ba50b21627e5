"""Who plays beside driftwake: each policy has a slot, and the runner does for it what it decides."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import pyarrow.compute as pc
import pyarrow.parquet as pq

from daemon.replay.by_hand import ByHand
from daemon.replay.stage import Stage
from streams.contracts.features import Window
from tests.bench.closed_loop.policies.base import Moment, Policy, Retrain

# What a training is charged in event time before its bundle may serve (SCENARIOS.md), for everybody alike.
TRAINING_MS = 30 * 60_000


class Trained(NamedTuple):
    """A bundle that a policy trained: when it asked for it and why, when it may serve, and whether the policy's gate let it."""

    policy: str
    asked_ms: int
    ready_ms: int
    digest: str
    why: str
    is_accepted: bool


class Cast:
    """The policies of a replay, without driftwake.

    Args:
        policies: who decides.
        by_hand: the skills.
        stage: what the replay plays on.
        windows: what the first champion holds.
        flush_ms: event time between two boundaries at which the lake is complete.
    """

    def __init__(
        self, policies: Sequence[Policy], *, by_hand: ByHand, stage: Stage, windows: tuple[Window, ...], flush_ms: int
    ) -> None:
        self._policies = tuple(policies)
        self._by_hand = by_hand
        self._stage = stage
        self._windows = windows
        self._flush_ms = flush_ms
        self._wanted: dict[str, Retrain] = {}
        self._made: dict[tuple[int, int, int, tuple[Window, ...]], str] = {}
        self._seated: dict[str, str] = {}
        self._waiting: list[Trained] = []
        self.trained: list[Trained] = []

    async def take_seats(self, champion: str) -> None:
        """Put the first champion into every slot."""
        for policy in self._policies:
            self._seated[policy.name] = champion
            await self._stage.seats.put(policy.name, champion)

    async def swap_in(self, time_ms: int) -> None:
        """Put every bundle into its slot that may serve from this moment on."""
        due = [one for one in self._waiting if one.ready_ms <= time_ms]
        self._waiting = [one for one in self._waiting if one.ready_ms > time_ms]
        for one in due:
            self._seated[one.policy] = one.digest
            await self._stage.seats.put(one.policy, one.digest)

    async def decide(self, time_ms: int, requests: pd.DataFrame, matured: dict[str, pd.DataFrame]) -> None:
        """Ask every policy about the bucket that ended at this moment, and train what they want.

        A training that wants rows which the lake doesn't have yet waits for its next boundary.
        """
        for policy in self._policies:
            wanted = policy.decide(Moment(time_ms, requests, matured[policy.name]))
            if wanted is not None:
                self._wanted[policy.name] = wanted
        complete_ms = time_ms - time_ms % self._flush_ms
        for name, wanted in list(self._wanted.items()):
            if wanted.until_ms <= complete_ms:
                del self._wanted[name]
                trained = await self._train(name, time_ms, wanted)
                self.trained.append(trained)
                self._waiting += [trained] if trained.is_accepted else []

    async def _train(self, policy: str, time_ms: int, wanted: Retrain) -> Trained:
        name = f"{policy}-{len(self.trained)}"
        until_ms = time_ms - time_ms % self._flush_ms
        await self._stage.lockstep.archived(until_ms)
        windows = self._windows if wanted.windows is None else wanted.windows
        # Who asks for the same rows and windows at the same time gets the same bundle: it is trained once.
        asked = (until_ms, wanted.since_ms, wanted.until_ms, windows)
        if asked not in self._made:
            data = await self._by_hand.dataset(name, until_ms, until_ms - wanted.since_ms, 1, windows)
            table = before(Path(data["train"]), wanted.until_ms)
            self._made[asked] = await self._by_hand.train(name, str(table), windows)
        digest = self._made[asked]
        is_accepted = True
        if wanted.gate:
            # On the rows that came after those trained on, against what the policy has in its slot.
            held_out_ms = until_ms - wanted.until_ms
            newer = await self._by_hand.dataset(f"{name}-gate", until_ms, held_out_ms + self._flush_ms, held_out_ms, windows)
            is_accepted = await self._by_hand.is_better(name, self._seated[policy], digest, str(newer["sealed"]))
        return Trained(policy, time_ms, time_ms + TRAINING_MS, digest, wanted.why, is_accepted)


def before(table: Path, until_ms: int) -> Path:
    """Leave out rows from `until_ms` on: labels that come early would make a biased sample of them."""
    rows = pq.read_table(table)
    cut = table.with_name("before.parquet")
    pq.write_table(rows.filter(pc.less(rows.column("time_ms"), until_ms)), cut)
    return cut
