"""Who else plays in the demo: plain monthly retraining, the champion left alone, and somebody with a bad model.

They order through the same topic as people do; what they train, they train with the same skills by hand.
"""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from daemon.demo.calendar import DAY_MS
from daemon.demo.flights import MODEL
from daemon.demo.setting import ALONE, MONTHLY
from daemon.replay.by_hand import ByHand
from daemon.replay.stage import Stage
from streams.contracts.records import Command
from streams.transport.records import Output

TRAIN_MS = 60 * DAY_MS
# The newest day is left out, as a team would that trains on finished days.
NEWEST_MS = DAY_MS


class Players:
    """Orders and trainings of everybody but the daemon.

    Args:
        by_hand: the skills.
        stage: what the replay plays on.
    """

    def __init__(self, by_hand: ByHand, stage: Stage) -> None:
        self._by_hand = by_hand
        self._stage = stage

    async def take_seats(self, champion: str) -> None:
        """Put the first champion into the slots of both policies."""
        for name in (ALONE, MONTHLY):
            await self._stage.seats.put(name, champion)

    async def retrain(self, month: str, start_ms: int) -> str:
        """Retrain on the last 60 finished days, without any window, and put the result into the monthly slot."""
        digest = await self._trained(f"{MONTHLY}-{month.lower()}", start_ms)
        await self._stage.seats.put(MONTHLY, digest)
        return digest

    async def submit_bad_model(self, now_ms: int) -> str:
        """Train on labels that were shuffled, and ask the daemon to make the result champion."""
        digest = await self._trained("bad", now_ms, shuffle=True)
        command = Command(id="bad-model", kind="challenge", model=MODEL, by="demo", arguments={"digest": digest})
        await self._stage.lockstep.settled(self._stage.seats.order(command))
        return digest

    async def send_bad_records(self, requests: str, time_ms: int) -> None:
        """Write what no request looks like into the requests: each must end in quarantine, and nowhere else."""
        late = msgspec.json.encode({"id": "no-columns", "time_ms": time_ms, "features": {}})
        never = msgspec.json.encode({"id": "no-time", "time_ms": -1, "features": {}})
        outputs = [Output(requests, 0, b"bad", value) for value in (b"{not json", b"\xff\xfe", late, never)]
        await self._stage.publisher.send_many(outputs)

    async def _trained(self, name: str, now_ms: int, *, shuffle: bool = False) -> str:
        until_ms = now_ms - now_ms % DAY_MS
        await self._stage.lockstep.archived(until_ms)
        data = await self._by_hand.dataset(name, until_ms, TRAIN_MS, NEWEST_MS)
        table = str(_shuffled(Path(data["train"]))) if shuffle else str(data["train"])
        return await self._by_hand.train(name, table)


def _shuffled(table: Path) -> Path:
    """Write the table again with its labels in random order: a model fitted on it has learned nothing."""
    rows = pq.read_table(table)
    labels = rows.column("label").to_numpy()
    mixed = np.random.default_rng(0).permutation(labels)
    bad = table.with_name("shuffled.parquet")
    pq.write_table(rows.set_column(rows.schema.get_field_index("label"), "label", pa.array(mixed)), bad)
    return bad
