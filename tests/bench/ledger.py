"""What the ledger costs: `python -m tests.bench.ledger`.

- An audited change, durable on disk: median and 99th percentile, in SQLite and PostgreSQL, beside a plain commit of its bytes.
- A chain of ten thousand records, verified from its first to its last.
- A thousand events in one hour, taken in and decided on: how long, and whether they become the incidents that they should.

Figures of PostgreSQL have no bar, since its server shares the machine here and doesn't in production. Ends with 1 while a bar is
missed.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import importlib.util
import itertools
import logging
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import structlog
from rich.console import Console

from daemon.ledger.canonical import canonical
from daemon.ledger.ledger import Ledger, open_ledger
from streams.contracts.events import DriftEvent
from tests.bench.bars import Bar, show
from tests.kit.control import MODEL, START, Control, comparison, event
from tests.kit.postgres import Cluster, binaries

APPEND_MS, VERIFY_SECONDS, BURST_SECONDS = 2.0, 5.0, 15.0
RECORDS = 10_000
SERVED_RECORDS = 2_000
EVENTS = 1_000
HOUR_MS = 3_600_000
# What a move of an incident says, more or less.
DATA = {"from": "running", "to": "judged", "reason": "all claims hold", "rule": "sealed_pass", "details": comparison(0.05)}

# Broken data, what it moves in the inputs, a loss, and a serving fault: three repairs, so three incidents.
KINDS = ("data_quality", "feature_drift", "score_drift", "loss_drift", "performance", "serving")
CAUSES = {"data_quality", "loss_drift", "serving"}
TRANSITIONS = ("confirmed", "suspected", "confirmed", "cleared", "confirmed")

screen = Console(highlight=False, soft_wrap=True)


def timed(act: Callable[[], None]) -> float:
    """Milliseconds of wall time that an act takes."""
    begin = time.perf_counter()
    act()
    return 1_000 * (time.perf_counter() - begin)


def appended(ledger: Ledger, count: int) -> list[float]:
    """Milliseconds of each of so many audited changes."""
    return [timed(lambda number=number: ledger.note("noted", MODEL, f"s{number}", number, **DATA)) for number in range(count)]


def verified(ledger: Ledger, count: int) -> float:
    """Seconds of a walk along the whole chain, which must be sound."""
    begin = time.perf_counter()
    found = ledger.examine()
    took = time.perf_counter() - begin
    assert (found.fault, found.head.number) == (None, count)
    return took


def told(times: list[float]) -> str:
    """Say how they spread."""
    return f"99 of 100 within {statistics.quantiles(times, n=100)[98]:.2f}"


def plain(folder: Path, count: int) -> float:
    """Median milliseconds of a durable commit of the same bytes, with no chain and nothing between: what the disk takes."""
    data = canonical(DATA)
    with contextlib.closing(sqlite3.connect(folder / "plain.sqlite", isolation_level=None)) as database:
        for statement in ("PRAGMA journal_mode=WAL", "PRAGMA synchronous=FULL", "CREATE TABLE audit (data BLOB)"):
            database.execute(statement)

        def commit() -> None:
            database.execute("BEGIN IMMEDIATE")
            database.execute("INSERT INTO audit VALUES (?)", (data,))
            database.execute("COMMIT")

        return statistics.median(timed(commit) for _ in range(count))


def appending(folder: Path) -> list[Bar]:
    """Write a chain to disk, and verify it."""
    with open_ledger(folder / "ledger.sqlite") as ledger:
        times = appended(ledger, RECORDS)
        took = verified(ledger, RECORDS)
    note = f"({statistics.median(times):.2f}; {told(times)}; a plain commit {plain(folder, SERVED_RECORDS):.2f})"
    return [
        Bar("An audited change, SQLite, median", statistics.median(times), APPEND_MS, "ms", note),
        Bar(f"{RECORDS:,} records verified, SQLite", took, VERIFY_SECONDS, "s", f"({took:.2f})"),
    ]


def burst() -> Iterator[DriftEvent]:
    """Events of one hour: each kind is confirmed first, then all is said again and again."""
    told_of = itertools.product(TRANSITIONS, KINDS)
    for number, (transition, kind) in enumerate(itertools.islice(itertools.cycle(told_of), EVENTS)):
        yield event(START + number * HOUR_MS // EVENTS, kind, transition, f"e{number}")


async def decided(folder: Path, place: str | Path) -> float:
    """Seconds until a burst is taken in and decided on; the incidents must be the right ones, and no event be left."""
    control = Control(folder, diagnose_drift="no_data")
    await control.world.publish(control.first_deployment())
    events = list(burst())
    with open_ledger(place) as ledger:
        loop = control.loop(ledger)
        begin = time.perf_counter()
        for one in events:
            loop.on_event(one)
        await loop.on_watermark(START + HOUR_MS)
        took = time.perf_counter() - begin
        assert ledger.new_events(MODEL, START + HOUR_MS) == []
        causes = [incident.cause for incident in ledger.incidents(MODEL)]
        assert sorted(causes) == sorted(CAUSES), causes
        assert len({one.id for incident in ledger.incidents(MODEL) for one in ledger.events_of(incident.id)}) == EVENTS
        assert ledger.verify() is None
    return took


def on_postgresql(folder: Path) -> None:
    """Say what it is on PostgreSQL, where there is one."""
    if binaries() is None or importlib.util.find_spec("psycopg") is None:
        screen.print("PostgreSQL isn't installed (bash deploy/system.sh): not measured")
        return
    with Cluster() as cluster:
        place = cluster.database()
        with open_ledger(place) as ledger:
            times = appended(ledger, SERVED_RECORDS)
            took = verified(ledger, SERVED_RECORDS)
        screen.print(f"An audited change, PostgreSQL, median: {statistics.median(times):.2f} ms ({told(times)})")
        screen.print(f"{SERVED_RECORDS:,} records verified, PostgreSQL: {took:.2f} s")
        took = asyncio.run(decided(folder / "served", cluster.database()))
        screen.print(f"{EVENTS:,} events in a burst, PostgreSQL: {took:.1f} s")


def main() -> int:
    """Measure everything; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=Path(".driftwake"), help="A folder on the disk that counts.")
    given = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    given.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="ledger-", dir=given.folder) as name:
        folder = Path(name).resolve()
        bars = appending(folder)
        took = asyncio.run(decided(folder / "burst", folder / "burst.sqlite"))
        bars.append(Bar(f"{EVENTS:,} events in a burst become {len(CAUSES)} incidents, SQLite", took, BURST_SECONDS, "s"))
        on_postgresql(folder)
    return show(bars, screen)


if __name__ == "__main__":
    sys.exit(main())
