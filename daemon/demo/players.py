"""Who else plays in the demo: plain monthly retraining, the champion left alone, and somebody with a bad model.

They order through the same topic as people do; what they train, they train with the same skills by hand.
"""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from daemon.demo.by_hand import ByHand
from daemon.demo.calendar import DAY_MS
from daemon.demo.flights import MODEL
from daemon.demo.setting import ALONE, MONTHLY
from daemon.replay.source import Lockstep, ReplayStalledError
from streams.contracts.records import Command, Deployment
from streams.contracts.topics import topic_name
from streams.runtime.clock import WallClock
from streams.transport.follower import Follower
from streams.transport.publisher import Publisher
from streams.transport.records import Output

TRAIN_MS = 60 * DAY_MS
# The newest day is left out, as a team would that trains on finished days.
NEWEST_MS = DAY_MS
_PATIENCE_SECONDS = 120.0


class Players:
    """Orders and trainings of everybody but the daemon.

    Args:
        by_hand: the skills.
        lockstep: the replay, for how far the lake is.
        publisher: writes commands.
        deployments: follows what the daemon made of them.
        clock: for deadlines.
    """

    def __init__(
        self, *, by_hand: ByHand, lockstep: Lockstep, publisher: Publisher, deployments: Follower, clock: WallClock
    ) -> None:
        self._by_hand = by_hand
        self._lockstep = lockstep
        self._publisher = publisher
        self._deployments = deployments
        self._clock = clock
        self.deployed: Deployment | None = None

    async def take_seats(self, champion: str) -> None:
        """Put the first champion into the slots of both policies."""
        for name in (ALONE, MONTHLY):
            await self._shadow(name, champion, f"{name}-0")

    async def retrain(self, month: str, start_ms: int) -> str:
        """Retrain on the last 60 finished days, without any window, and put the result into the monthly slot."""
        until_ms = start_ms - start_ms % DAY_MS
        await self._lockstep.archived(until_ms)
        name = f"{MONTHLY}-{month.lower()}"
        data = await self._by_hand.dataset(name, until_ms, TRAIN_MS, NEWEST_MS)
        digest = await self._by_hand.train(name, str(data["train"]))
        await self._shadow(MONTHLY, digest, name)
        return digest

    async def submit_bad_model(self, now_ms: int) -> str:
        """Train on labels that were shuffled, and ask the daemon to make the result champion."""
        until_ms = now_ms - now_ms % DAY_MS
        await self._lockstep.archived(until_ms)
        data = await self._by_hand.dataset("bad", until_ms, TRAIN_MS, NEWEST_MS)
        digest = await self._by_hand.train("bad", str(_shuffled(Path(data["train"]))))
        command = Command(id="bad-model", kind="challenge", model=MODEL, by="demo", arguments={"digest": digest})
        await self._lockstep.settled(self._order(command))
        return digest

    async def send_bad_records(self, requests: str, time_ms: int) -> None:
        """Write what no request looks like into the requests: each must end in quarantine, and nowhere else."""
        late = msgspec.json.encode({"id": "no-columns", "time_ms": time_ms, "features": {}})
        never = msgspec.json.encode({"id": "no-time", "time_ms": -1, "features": {}})
        outputs = [Output(requests, 0, b"bad", value) for value in (b"{not json", b"\xff\xfe", late, never)]
        await self._publisher.send_many(outputs)

    async def look(self) -> Deployment | None:
        """Read the newest deployment."""
        for record in await self._deployments.poll(timeout_ms=0):
            if record.value and record.key == MODEL.encode():
                self.deployed = msgspec.json.decode(record.value, type=Deployment)
        return self.deployed

    async def _shadow(self, name: str, digest: str, order: str) -> None:
        arguments = {"name": name, "digest": digest}
        await self._order(Command(id=order, kind="shadow", model=MODEL, by="demo", arguments=arguments))
        deadline = self._clock.monotonic() + _PATIENCE_SECONDS
        while not self._holds(name, digest):
            await self._lockstep.breathe()
            await self.look()
            if self._clock.monotonic() > deadline:
                raise ReplayStalledError(f"the daemon didn't put {digest[:12]} into the slot {name}; its log says why")

    def _holds(self, name: str, digest: str) -> bool:
        """Whether the slot holds the bundle and serving knows it: the next bucket's rows must find it in place."""
        if self.deployed is None or self._lockstep.served_generation < self.deployed.generation:
            return False
        return any(slot.name == name and slot.digest == digest for slot in self.deployed.active)

    async def _order(self, command: Command) -> None:
        await self._publisher.send(Output(topic_name("commands"), 0, MODEL.encode(), msgspec.json.encode(command)))


def _shuffled(table: Path) -> Path:
    """Write the table again with its labels in random order: a model fitted on it has learned nothing."""
    rows = pq.read_table(table)
    labels = rows.column("label").to_numpy()
    mixed = np.random.default_rng(0).permutation(labels)
    bad = table.with_name("shuffled.parquet")
    pq.write_table(rows.set_column(rows.schema.get_field_index("label"), "label", pa.array(mixed)), bad)
    return bad
