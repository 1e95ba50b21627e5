"""From what the replay left behind to its report."""

from __future__ import annotations

from typing import NamedTuple

from daemon.demo.resources import MemoryWatch
from daemon.demo.setting import ALONE, MONTHLY
from daemon.replay.delivery import Delivery
from daemon.report.model import Slot

SLOTS = (
    Slot(name="driftwake", who="the champion that driftwake looks after"),
    Slot(name=ALONE, who="the first champion, left alone", bar=0.05),
    Slot(name=MONTHLY, who="plain retraining each month on the last 60 days", bar=0.02),
)
MOST_PROMOTIONS = 6
MOST_BYTES = 4 << 30
MOST_MINUTES = 10.0


class Told(NamedTuple):
    """What only the run knows: the bad model's digest, the proof of delivery, times and memory."""

    refused: str
    delivery: Delivery
    replay_seconds: float
    seconds: float = 0.0
    memory: MemoryWatch | None = None
