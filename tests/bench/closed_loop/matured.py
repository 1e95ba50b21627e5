"""Outcomes as policies see them: each row once, when its label has been joined, with the score of their own slot."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pandas as pd

from streams.contracts.records import ShadowScore
from streams.runtime.watermark import NEVER, read_watermark
from streams.transport.follower import Follower
from streams.transport.records import Record


class _Served(msgspec.Struct):
    id: str
    time_ms: int
    score: float
    shadows: list[ShadowScore] = []


class _Outcome(msgspec.Struct):
    prediction: _Served
    label: float
    known_ms: int


class Matured:
    """Follows the outcomes topic of a replay.

    Args:
        follower: of the outcomes, started.
        champion: the policy whose scores are the champion's own; all others are slots.
    """

    def __init__(self, follower: Follower, champion: str) -> None:
        self._follower = follower
        self._champion = champion
        self._decode = msgspec.json.Decoder(_Outcome).decode
        self._reached_ms = NEVER
        self._held: list[_Outcome] = []

    async def until(self, watermark_ms: int) -> None:
        """Read up to an event time, which the joining stage has committed already."""
        while self._reached_ms < watermark_ms:
            for record in await self._follower.poll(timeout_ms=1_000):
                self._take(record)

    def since_last(self, policies: Sequence[str]) -> dict[str, pd.DataFrame]:
        """Return what came since the last call, for each policy: id, time_ms, known_ms, label, score (NaN where it had none)."""
        held, self._held = self._held, []
        common = {
            "id": [one.prediction.id for one in held],
            "time_ms": [one.prediction.time_ms for one in held],
            "known_ms": [one.known_ms for one in held],
            "label": [one.label for one in held],
        }
        return {name: pd.DataFrame(common | {"score": self._scores(held, name)}) for name in policies}

    def _scores(self, held: Sequence[_Outcome], policy: str) -> list[float]:
        if policy == self._champion:
            return [one.prediction.score for one in held]
        found = ({shadow.name: shadow.score for shadow in one.prediction.shadows} for one in held)
        return [scores.get(policy, float("nan")) for scores in found]

    def _take(self, record: Record) -> None:
        watermark = read_watermark(record.key, record.headers)
        if watermark is not None:
            self._reached_ms = max(self._reached_ms, watermark[1])
        elif record.value:
            self._held.append(self._decode(record.value))
