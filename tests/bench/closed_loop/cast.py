"""Who plays beside driftwake: each policy has a slot, and the runner does for it what it decides."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import pyarrow.compute as pc
import pyarrow.parquet as pq

from daemon.errors import RunFailedError
from daemon.replay.by_hand import ByHand
from daemon.replay.stage import Stage
from streams.contracts.features import Window
from tests.bench.closed_loop.policies.base import Moment, Policy, Retrain

# What a training is charged in event time before its bundle may serve (SCENARIOS.md), for everybody alike.
TRAINING_MS = 30 * 60_000
# So many trainings run side by side: each takes one core.
AT_ONCE = 2


# Answers of the skills that say of the rows that nothing can be learned from them: no model, and no mistake.
_NO_MODEL = frozenset({"no_data", "diverged"})


class Trained(NamedTuple):
    """A bundle that a policy trained: when it asked for it and why, when it may serve, and whether the policy's gate let it.

    `digest` is empty where the rows wouldn't do for a model; `why` then says so.
    """

    policy: str
    asked_ms: int
    ready_ms: int
    digest: str
    why: str
    is_accepted: bool


class _Order(NamedTuple):
    """A training that is due: its name, up to when the lake is complete, what is wanted, and with which windows."""

    name: str
    until_ms: int
    wanted: Retrain
    windows: tuple[Window, ...]


class _Made(NamedTuple):
    """The bundle's digest, or an empty one and why there is none."""

    digest: str
    refused: str = ""


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
        self._made: dict[tuple[int, int, int, tuple[Window, ...]], asyncio.Task[_Made]] = {}
        self._at_once = asyncio.Semaphore(AT_ONCE)
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
        due = {name: wanted for name, wanted in self._wanted.items() if wanted.until_ms <= complete_ms}
        self._wanted = {name: wanted for name, wanted in self._wanted.items() if name not in due}
        if due:
            trained = await self._train(time_ms, complete_ms, due)
            self.trained += trained
            self._waiting += [one for one in trained if one.is_accepted]

    async def _train(self, time_ms: int, until_ms: int, due: dict[str, Retrain]) -> list[Trained]:
        """Train what is due side by side; which of them is ready first changes nothing."""
        await self._stage.lockstep.archived(until_ms)
        async with asyncio.TaskGroup() as group:
            gates = []
            for policy, wanted in due.items():
                number = sum(one.policy == policy for one in self.trained)
                windows = self._windows if wanted.windows is None else wanted.windows
                order = _Order(f"{policy}-{number}", until_ms, wanted, windows)
                # Who asks for the same rows and windows at the same time gets the same bundle: it is trained once.
                asked = (until_ms, wanted.since_ms, wanted.until_ms, windows)
                if asked not in self._made:
                    self._made[asked] = group.create_task(self._bundle(order))
                gates.append(group.create_task(self._let_through(order, self._made[asked], self._seated[policy])))
        trained = []
        for (policy, wanted), gate in zip(due.items(), gates, strict=True):
            made, is_accepted = gate.result()
            why = f"{wanted.why}; {made.refused}" if made.refused else wanted.why
            trained.append(Trained(policy, time_ms, time_ms + TRAINING_MS, made.digest, why, is_accepted))
        return trained

    async def _bundle(self, order: _Order) -> _Made:
        name, until_ms, wanted, windows = order
        async with self._at_once:
            try:
                data = await self._by_hand.dataset(name, until_ms, until_ms - wanted.since_ms, 1, windows)
                table = await asyncio.to_thread(before, Path(data["train"]), wanted.until_ms)
                return _Made(await self._by_hand.train(name, str(table), windows))
            except RunFailedError as error:
                if error.failure not in _NO_MODEL:
                    raise
                return _Made("", error.message)

    async def _let_through(self, order: _Order, making: asyncio.Task[_Made], seated: str) -> tuple[_Made, bool]:
        """Return what was made, and whether the gate lets it through.

        A gate compares on the rows that came after those trained on, with what the policy has in its slot.
        """
        name, until_ms, wanted, windows = order
        made = await making
        if not made.digest or not wanted.gate:
            return made, bool(made.digest)
        held_out_ms = until_ms - wanted.until_ms
        async with self._at_once:
            try:
                newer = await self._by_hand.dataset(f"{name}-gate", until_ms, held_out_ms + self._flush_ms, held_out_ms, windows)
                return made, await self._by_hand.is_better(name, seated, made.digest, str(newer["sealed"]))
            except RunFailedError as error:
                if error.failure not in _NO_MODEL:
                    raise
                return made._replace(refused=f"the gate has no rows to compare on: {error.message}"), False


def before(table: Path, until_ms: int) -> Path:
    """Leave out rows from `until_ms` on: labels that come early would make a biased sample of them.

    Who scored a row and how is left out too: nothing is trained on it, and without it equal rows are equal files.
    """
    rows = pq.read_table(table)
    kept = rows.select([name for name in rows.column_names if name not in ("score", "digest")])
    cut = table.with_name("before.parquet")
    # Read once and thrown away: smaller isn't better here.
    pq.write_table(kept.filter(pc.less(kept.column("time_ms"), until_ms)), cut, compression="lz4", use_dictionary=False)
    return cut
