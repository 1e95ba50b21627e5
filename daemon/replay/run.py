"""`driftwake replay`: what would driftwake have done on a recorded log?

The log goes through the same topics, stages and daemon as live requests do, on an embedded broker and in a folder of its own:
neither the config's broker nor its data is touched. The first champion is trained on the log's beginning and keeps a second
seat, where it is left alone; the report compares the two.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from rich.console import Console

from daemon.errors import LogRefusedError
from daemon.ledger.ledger import open_ledger
from daemon.replay.by_hand import ByHand
from daemon.replay.delivery import check_delivery
from daemon.replay.log import Log
from daemon.replay.resources import MemoryWatch
from daemon.replay.roles import read_log, read_sources
from daemon.replay.showing import Progress, empty
from daemon.replay.source import buckets
from daemon.replay.stage import Stage, staged
from daemon.report.collect import Collection, collect
from daemon.report.html import render
from daemon.report.model import Delivery, ReplayReport, Resources, Slot, encode_report
from daemon.report.outcome import outcome
from daemon.report.terminal import LiveView, print_report
from daemon.running import broker_of
from daemon.settings import DaemonSettings
from streams.contracts.topics import topic_name
from streams.inference.store import BundleStore
from streams.lake.lake import Lake
from streams.runtime.clock import SystemClock
from streams.runtime.config import load as load_config
from streams.runtime.documents import read_document
from streams.runtime.logging import logging_to

CONFIG_FILE = "replay.yaml"
ALONE = "alone"
DAY_MS = 86_400_000
_LOOK_EVERY = 24


class Request(NamedTuple):
    """What is replayed. `train_days` of the log train the first champion; one bucket of event time is released at a time.

    `sources` are the files of the model's registered sources by name.
    """

    config: Path
    model: str
    data: Path
    sources: Mapping[str, Path]
    data_dir: Path
    report: Path
    train_days: int
    bucket_ms: int


class Ready(NamedTuple):
    """What the replay starts from. Times are epoch ms."""

    settings: DaemonSettings
    config: Path
    log: Log
    champion: str
    start_ms: int
    end_ms: int


def run_replay(request: Request) -> int:
    """Replay a log and write its report; return the exit status, 0 when all was answered once and no promotion was worse.

    Raises:
        LogRefusedError: the log can't be replayed; nothing was started.
        DaemonError: something didn't come as far as it must.
        StreamsError: the config or the broker can't be used, or the folder holds something else.
    """
    console = Console()
    settings = load_config(DaemonSettings, request.config).settings
    model = next(one for one in settings.models if one.name == request.model)
    log = read_log(request.data, model.log, model.schema_contract())
    log = log._replace(sources=read_sources(request.data, request.sources, model.log, model.schema_contract()))
    start_ms, end_ms = _span(log, request)
    empty(request.data_dir, CONFIG_FILE)
    with (
        (request.data_dir / "replay.out").open("w", encoding="utf-8") as output,
        logging_to(request.data_dir / "logs", "replay", console=output),
    ):
        made = asyncio.run(_replay(request, log, start_ms, end_ms, console))
    request.report.write_text(render(made), encoding="utf-8")
    request.report.with_suffix(".json").write_bytes(encode_report(made))
    print_report(made, console)
    console.print(
        f"\nThe report: {request.report}\nThe data, for `driftwake incidents --config {request.data_dir / CONFIG_FILE}`"
    )
    return 0 if outcome(made).is_closed else 1


def _span(log: Log, request: Request) -> tuple[int, int]:
    """Return when the replay starts (on a day's boundary) and ends."""
    first, last = int(log.requests["time_ms"].iloc[0]), int(log.requests["time_ms"].iloc[-1])
    start_ms = -(-(first + request.train_days * DAY_MS) // DAY_MS) * DAY_MS
    if start_ms > last:
        days = (last - first) / DAY_MS
        raise LogRefusedError(request.data, [f"it spans {days:.1f} days, fewer than the {request.train_days} of --train-days"])
    return start_ms, last + 1


def _settings(request: Request, bundle: str) -> tuple[DaemonSettings, Path]:
    """Write the user's config as a replay needs it: its own folder and broker, one model, event time from the log alone."""
    document: dict[str, Any] = read_document(request.config).values
    wanted = next(model for model in document["models"] if model["name"] == request.model)
    wanted = {name: value for name, value in wanted.items() if name not in ("topics", "sidecar")}
    wanted |= {"replay": True, "partitions": 1, "bundle": bundle, "dialect": "native"}
    kept = {name: value for name, value in document.items() if name not in ("broker", "lake", "ledger", "mlflow")}
    named = load_config(DaemonSettings, request.config).settings.protection.key_file
    if named is not None:
        # The environment may have named it, which what is called by hand doesn't look at: all must hash by the same key.
        kept["protection"] = {"key_file": str(named.resolve())}
    if "sources" in wanted:
        # Written as driftwake writes them, whatever the log's own are.
        plain = {"dialect": "native", "dialect_options": {}}
        wanted["sources"] = {name: source | plain for name, source in wanted["sources"].items()}
    file = request.data_dir / CONFIG_FILE
    content = kept | {"data_dir": str(request.data_dir.resolve()), "models": [wanted]}
    file.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    return load_config(DaemonSettings, file, variables={}).settings, file


async def _replay(request: Request, log: Log, start_ms: int, end_ms: int, console: Console) -> ReplayReport:
    stopping, memory, clock = asyncio.Event(), MemoryWatch(), SystemClock()
    begun = clock.monotonic()
    async with asyncio.TaskGroup() as group:
        group.create_task(memory.run(stopping))
        try:
            ready = await _prepare(request, log, start_ms, end_ms, console)
            delivery = await _through_broker(request, ready, console)
        finally:
            stopping.set()
    resources = Resources(peak_memory_bytes=memory.peak_bytes, processes=memory.peak_processes)
    return await asyncio.to_thread(_report, request, ready, delivery, resources, clock.monotonic() - begun)


async def _prepare(request: Request, log: Log, start_ms: int, end_ms: int, console: Console) -> Ready:
    by_hand = ByHand(_settings(request, "0" * 64)[0], request.model)
    console.print(f"Training the first champion on {request.train_days} days …")
    await by_hand.import_history(await asyncio.to_thread(log.history, start_ms), "before-the-replay")
    first = int(log.requests["time_ms"].iloc[0])
    data = await by_hand.dataset("first", start_ms, start_ms - first + 1, 1)
    champion = await by_hand.train("first", str(data["train"]))
    settings, file = _settings(request, champion)
    return Ready(settings, file, log.played(start_ms, end_ms), champion, start_ms, end_ms)


async def _through_broker(request: Request, ready: Ready, console: Console) -> Delivery:
    model = ready.settings.model(request.model)
    console.print("Starting the data plane and the daemon …")
    async with broker_of(ready.settings) as bootstrap:
        async with staged(ready.settings, ready.config, request.model, bootstrap) as stage:
            await _play(request, ready, stage, console)
        return await check_delivery(
            bootstrap,
            requests=model.topic("requests"),
            predictions=model.topic("predictions"),
            quarantine=topic_name("quarantine"),
        )


async def _play(request: Request, ready: Ready, stage: Stage, console: Console) -> None:
    await stage.lockstep.advance(ready.start_ms)
    await stage.seats.put(ALONE, ready.champion)
    flush_ms = ready.settings.model(request.model).archiving.flush_every.ms
    last_label_ms = int(ready.log.labels["time_ms"].max()) + 1 if len(ready.log.labels) else ready.end_ms
    horizon_ms = ready.settings.model(request.model).label_horizon.ms
    stop_ms = -(-min(max(last_label_ms, ready.end_ms), ready.end_ms + horizon_ms) // flush_ms) * flush_ms
    span = {"since_ms": ready.start_ms, "until_ms": stop_ms, "bucket_ms": request.bucket_ms}
    cut = buckets(ready.log.requests, ready.log.labels, ready.log.sources, **span)
    with (
        LiveView(console, ready.start_ms, ready.end_ms) as view,
        open_ledger(ready.settings.ledger_place, read_only=True) as ledger,
    ):
        progress = Progress(view, stage.seats, ledger, request.model, SystemClock())
        for number, bucket in enumerate(cut):
            await stage.lockstep.release(bucket)
            progress.count(len(bucket.requests))
            if number % _LOOK_EVERY == 0:
                await progress.show(bucket.end_ms)
        await stage.lockstep.advance(stop_ms)
        await stage.lockstep.archived(stop_ms)


def _report(request: Request, ready: Ready, delivery: Delivery, resources: Resources, seconds: float) -> ReplayReport:
    with open_ledger(ready.settings.ledger_place, read_only=True) as ledger:
        return collect(
            Collection(
                title=f"{request.model}: a replay of {request.data.name}",
                data=request.data.name,
                model=request.model,
                ledger=ledger,
                lake=Lake(ready.settings.lake_place),
                store=BundleStore(ready.settings.folder("registry")),
                start_ms=ready.start_ms,
                end_ms=ready.end_ms,
                months=_months(ready.start_ms, ready.end_ms),
                slots=(
                    Slot(name="driftwake", who="the champion that driftwake looks after"),
                    Slot(name=ALONE, who="the first champion, left alone"),
                ),
                wall_seconds=seconds,
                rows=delivery.requests,
                delivery=delivery,
                resources=resources,
                task=ready.settings.model(request.model).schema_contract().task,
            )
        )


def _months(start_ms: int, end_ms: int) -> list[tuple[str, int, int]]:
    """Cut the replay at the calendar's months, in UTC."""
    edges, moment = [start_ms], dt.datetime.fromtimestamp(start_ms / 1_000, dt.UTC)
    while True:
        moment = (moment.replace(day=1) + dt.timedelta(days=32)).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        edge = int(moment.timestamp() * 1_000)
        edges.append(min(edge, end_ms))
        if edge >= end_ms:
            break
    names = [f"{dt.datetime.fromtimestamp(edge / 1_000, dt.UTC):%B %Y}" for edge in edges]
    return [(names[place], edges[place], edges[place + 1]) for place in range(len(edges) - 1)]
