"""`driftwake demo`: prepares, replays half a year in lockstep, proves what came out, and reports.

Exit status 0 only when the loop really closed: every bar held, every request answered once.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import NamedTuple

from rich.console import Console

from daemon.demo.calendar import months, stop_ms
from daemon.demo.flights import MODEL, load
from daemon.demo.players import Players
from daemon.demo.setting import BUCKET_MS, CONFIG_FILE, write_config
from daemon.demo.telling import Told, tell
from daemon.ledger.ledger import open_ledger
from daemon.replay.by_hand import ByHand
from daemon.replay.delivery import check_delivery
from daemon.replay.log import Log
from daemon.replay.resources import MemoryWatch
from daemon.replay.showing import Progress, empty
from daemon.replay.source import buckets
from daemon.replay.stage import Stage, staged
from daemon.report.html import render
from daemon.report.model import Delivery, ReplayReport, encode_report
from daemon.report.outcome import outcome
from daemon.report.terminal import LiveView, print_report
from daemon.running import broker_of
from daemon.settings import DaemonSettings
from streams.contracts.topics import topic_name
from streams.runtime.clock import SystemClock
from streams.runtime.config import load as load_config
from streams.runtime.logging import logging_to

# When the bad model is submitted: in the middle of the fourth month, while nothing else must happen.
_BAD_MONTH, _BAD_AFTER_MS = 3, 10 * 86_400_000
_LOOK_EVERY = 24


class Ready(NamedTuple):
    """What the replay starts from."""

    settings: DaemonSettings
    config: Path
    log: Log
    by_hand: ByHand
    champion: str


def run_demo(data_dir: Path, report: Path) -> int:
    """Run the demo and return the exit status.

    Args:
        data_dir: emptied first; it must be empty, absent, or an earlier demo's.
        report: the HTML file; the same as JSON goes beside it.

    Raises:
        DaemonError: something didn't come as far as it must.
        StreamsError: the data, the broker or a folder can't be used.
    """
    console = Console()
    empty(data_dir, CONFIG_FILE)
    with (
        (data_dir / "demo.out").open("w", encoding="utf-8") as output,
        logging_to(data_dir / "logs", "demo", console=output),
    ):
        try:
            return asyncio.run(_demo(data_dir.resolve(), report.resolve(), console))
        except BaseExceptionGroup as errors:
            raise _first(errors) from errors


async def _demo(data_dir: Path, report: Path, console: Console) -> int:
    stopping, memory, clock = asyncio.Event(), MemoryWatch(), SystemClock()
    begun = clock.monotonic()
    async with asyncio.TaskGroup() as group:
        group.create_task(memory.run(stopping))
        try:
            ready = await _prepare(data_dir, console)
            async with broker_of(ready.settings) as bootstrap:
                played = await _replay(ready, bootstrap, console)
        finally:
            stopping.set()
    told = Told(played.bad_digest, played.delivery, clock.monotonic() - begun, memory)
    made = await asyncio.to_thread(tell, ready.settings, told)
    await asyncio.to_thread(_write, made, report)
    print_report(made, console)
    console.print(f"\nThe report: {report}\nThe data, for `driftwake incidents --config {ready.config}`: {data_dir}")
    return 0 if outcome(made).is_closed else 1


def _write(made: ReplayReport, report: Path) -> None:
    report.write_text(render(made), encoding="utf-8")
    report.with_suffix(".json").write_bytes(encode_report(made))


async def _prepare(data_dir: Path, console: Console) -> Ready:
    """Read the flights, import January and February, train the first champion."""
    console.print("Reading New York's flights of 2013 …")
    log = await asyncio.to_thread(load)
    first = months()[0]
    by_hand = ByHand(load_config(DaemonSettings, write_config(data_dir, bundle="0" * 64)).settings, MODEL)
    console.print("Importing January and February, training the first champion …")
    await by_hand.import_history(await asyncio.to_thread(log.history, first.start_ms), "before-the-replay")
    span_ms = first.start_ms - int(log.requests["time_ms"].iloc[0])
    data = await by_hand.dataset("first", first.start_ms, span_ms + 1, 1)
    champion = await by_hand.train("first", str(data["train"]))
    config = write_config(data_dir, bundle=champion)
    return Ready(load_config(DaemonSettings, config).settings, config, log, by_hand, champion)


class Played(NamedTuple):
    """What the replay gave besides what lies in the ledger and the lake."""

    bad_digest: str
    delivery: Delivery


async def _replay(ready: Ready, bootstrap: str, console: Console) -> Played:
    """Play March to August through all processes."""
    model = ready.settings.model(MODEL)
    console.print("Starting the data plane and the daemon …")
    async with staged(ready.settings, ready.config, MODEL, bootstrap) as stage:
        bad_digest = await _play(ready, stage, console)
    delivery = await check_delivery(
        bootstrap,
        requests=model.topic("requests"),
        predictions=model.topic("predictions"),
        quarantine=topic_name("quarantine"),
    )
    return Played(bad_digest, delivery)


async def _play(ready: Ready, stage: Stage, console: Console) -> str:
    """Release bucket after bucket; return the digest of the bad model."""
    calendar, players = months(), Players(ready.by_hand, stage)
    start_ms, end_ms = calendar[0].start_ms, calendar[-1].end_ms
    stop = stop_ms(end_ms)
    log = ready.log.played(start_ms, end_ms)
    await stage.lockstep.advance(start_ms)
    await players.take_seats(ready.champion)
    upcoming, bad_at_ms, bad = list(calendar[1:]), calendar[_BAD_MONTH].start_ms + _BAD_AFTER_MS, ""
    cut = buckets(log.requests, log.labels, since_ms=start_ms, until_ms=stop, bucket_ms=BUCKET_MS)
    with LiveView(console, start_ms, end_ms) as view, open_ledger(ready.settings.ledger_place, read_only=True) as ledger:
        progress = Progress(view, stage.seats, ledger, MODEL, SystemClock())
        for number, bucket in enumerate(cut):
            if upcoming and bucket.start_ms >= upcoming[0].start_ms:
                month = upcoming.pop(0)
                await players.retrain(month.label, month.start_ms)
                await players.send_bad_records(ready.settings.model(MODEL).topic("requests"), bucket.start_ms)
            if not bad and bucket.start_ms >= bad_at_ms:
                bad = await players.submit_bad_model(bucket.start_ms)
            await stage.lockstep.release(bucket)
            progress.count(len(bucket.requests))
            if number % _LOOK_EVERY == 0:
                await progress.show(bucket.end_ms)
        await stage.lockstep.advance(stop)
        await stage.lockstep.archived(stop)
    return bad


def _first(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    error = errors.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else error
