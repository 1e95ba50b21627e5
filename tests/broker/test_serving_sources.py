"""A registered source on a real broker: what it said last is a feature, from the log, the lake and a snapshot alike."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import structlog.testing

from streams.archiving.config import ArchivingConfig
from streams.archiving.looked_up import SourceDecoder
from streams.archiving.stage import ArchivingStage
from streams.archiving.tables import Filed
from streams.contracts.features import Window
from streams.contracts.schema import Column, SourceSchema
from streams.contracts.topics import TABLE
from streams.dialects import native
from streams.features.text import parse_window
from streams.lake.lake import Lake
from streams.runtime.clock import SystemClock
from streams.runtime.durations import Duration
from streams.runtime.protection import Protection
from streams.runtime.telemetry import Telemetry
from streams.runtime.watermark import SOURCE, watermark_record
from streams.serving.config import ServedModel
from streams.sources.registered import Registered
from streams.transport.admin import ensure_topics
from streams.transport.records import Output
from tests.kit.bundles import SCHEMA, START_MS, make_bundle
from tests.kit.serving import SKEW_MS, Bench, deploy, number_of, running, served, stage_of

WEATHER = (
    Column(name="owner", kind="category", role="key", tags=("pii",), protect="hash"),
    Column(name="wind", kind="number", unit="km/h"),
)
WIND: Window = parse_window("last(weather.wind) by owner over 1h")
STORMS: Window = parse_window("count(weather) by owner over 1h where wind > 50")
PARTITIONS = 3
KEY = b"k" * 32


def described(model: str) -> ServedModel:
    """The tests' model, whose owners are persons, with a source that knows them too."""
    owners = tuple(
        msgspec.structs.replace(column, tags=("pii",), protect="hash") if column.name == "owner" else column
        for column in SCHEMA.columns
    )
    schema = msgspec.structs.replace(SCHEMA, columns=owners, sources=(SourceSchema(name="weather", columns=WEATHER),))
    sources = (Registered("weather", f"{model}.weather", WEATHER, key=KEY),)
    return served(model, replay=False)._replace(schema=schema, sources=sources, protection=Protection(schema, KEY))


class Weather:
    """Writes to the source's topic, and remembers what it said."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._said: list[tuple[int, str, float]] = []

    async def say(self, time_ms: int, owner: str, wind: float) -> None:
        self._said.append((time_ms, owner, wind))
        value = native.example(f"w{len(self._said)}", time_ms, {"owner": owner, "wind": wind}).value
        await self.write(value or b"")

    async def write(self, value: bytes) -> None:
        await self._bench.send(Output(f"{self._bench.model}.weather", len(self._said) % 2, b"w", value))

    def seen(self, owner: str | None, time_ms: int) -> dict[str, float | None]:
        """Return what a request should see."""
        until = time_ms - SKEW_MS
        some = [(at, wind) for at, who, wind in self._said if who == owner and until - 3_600_000 <= at < until]
        known = None if owner is None else float(sum(wind > 50 for _, wind in some))
        return {WIND.name: max(some)[1] if some else None, STORMS.name: known}


@asynccontextmanager
async def archiving(bench: Bench, lake: Lake, model: ServedModel) -> AsyncIterator[None]:
    (source,) = model.sources
    decoder = SourceDecoder(model.schema, source.name, source.open())
    stage = ArchivingStage(
        model=model.name,
        tables={"source_weather": Filed(source.topic, PARTITIONS, decoder, writer=None)},
        bootstrap=bench.bootstrap,
        lake=lake,
        config=ArchivingConfig(flush_every=Duration.of("1s")),
        spared=dict,
        replay=False,
        epoch="e",
        clock=SystemClock(),
        telemetry=Telemetry([model.name]),
    )
    await stage.start()
    try:
        yield
    finally:
        await stage.stop()


async def until_seen(bench: Bench, weather: Weather, first: int, time_ms: int) -> int:
    """Ask again and again until an answer sees all that was said; return the next free number."""
    for number in range(first, first + 500):
        await bench.send(bench.request(number, time_ms))
        await bench.watcher.until(lambda w, number=number: len(w.predictions) == number + 1)
        (answer,) = [one for one in bench.watcher.predictions if number_of(one) == number]
        owner = bench.columns(number)["owner"]
        if answer.windows == weather.seen(owner, time_ms) and owner == "blue":
            return number + 1
    raise AssertionError("what was said was never seen")


async def test_what_a_source_said_last_is_seen_from_log_lake_and_snapshot(bench: Bench, tmp_path: Path) -> None:
    model, weather, lake = described(bench.model), Weather(bench), Lake(tmp_path / "lake")
    await ensure_topics(bench.bootstrap, {f"{bench.model}.weather": TABLE["labels"]}, PARTITIONS)
    for minute in range(30):
        await weather.say(START_MS - 60_000 * (minute + 2), ("blue", "green")[minute % 2], 40.0 + minute)
    await weather.write(b"{")
    digest = make_bundle(bench.registry, model=bench.model, schema=model.schema, windows=(STORMS, WIND), skew_ms=SKEW_MS)
    await deploy(bench.publisher, bench.model, 1, digest)

    def stage(name: str) -> object:
        return stage_of(
            bench.bootstrap, bench.model, bench.registry, replay=False, described=model, lake=lake, snapshot=tmp_path / name
        )

    with structlog.testing.capture_logs() as logs:
        async with running(stage("first")):
            done = await until_seen(bench, weather, 0, START_MS)
            await weather.say(START_MS, "blue", 99.0)  # comes late, and counts from when it is there
            done = await until_seen(bench, weather, done, START_MS + SKEW_MS + 1)
        async with running(stage("first")):
            done = await until_seen(bench, weather, done, START_MS + SKEW_MS + 2)
        async with archiving(bench, lake, model):
            await bench.watcher.until(lambda w: len(w.rejected) == 1)
        async with running(stage("second")):
            done = await until_seen(bench, weather, done, START_MS + SKEW_MS + 3)
    told = [entry for entry in logs if entry["event"] == "WindowsRestored"]
    assert [entry["facts"] for entry in told] == [49, 51, 51], "storms are facts of their own"
    assert told[1]["log_records"] < 31, "nothing that the source said is read again"
    archived = lake.read(bench.model, "source_weather", keys=["owner"])
    assert archived.num_rows == 31
    assert set(archived.column("wind").to_pylist()) >= {99.0}
    assert not {"blue", "green"} & {*archived.column("owner").to_pylist()}, "persons are hashed in the source too"
    assert bench.watcher.rejected[0].reason == "undecodable"
    assert "not_json" in bench.watcher.rejected[0].detail
    answers = sorted(bench.watcher.predictions, key=number_of)
    assert_right(answers, weather, bench)


def assert_right(answers: Sequence, weather: Weather, bench: Bench) -> None:
    """Whoever was asked about after all was said sees all of it."""
    late = [one for one in answers if one.time_ms > START_MS + SKEW_MS + 1]
    assert late
    for one in late:
        assert one.windows == weather.seen(bench.columns(number_of(one))["owner"], one.time_ms)


async def test_in_a_replay_a_row_waits_for_what_a_source_says(bench: Bench) -> None:
    model, weather = described(bench.model)._replace(replay=True), Weather(bench)
    await ensure_topics(bench.bootstrap, {f"{bench.model}.weather": TABLE["labels"]}, model.partitions)
    digest = make_bundle(bench.registry, model=bench.model, schema=model.schema, windows=(STORMS, WIND), skew_ms=SKEW_MS)
    await deploy(bench.publisher, bench.model, 1, digest)

    async def reach(time_ms: int) -> None:
        key, value, headers = watermark_record(SOURCE, time_ms)
        await bench.send(*(Output(f"{bench.model}.weather", number, key, value, headers) for number in range(model.partitions)))

    async with running(stage_of(bench.bootstrap, bench.model, bench.registry, replay=True, described=model)):
        await bench.send(*(bench.request(number, START_MS + number) for number in range(40)))
        await bench.reach(START_MS + SKEW_MS, "requests", "outcomes")
        await bench.reported(1)
        for owner in ("blue", "green"):
            await weather.say(START_MS - 2 * SKEW_MS, owner, 60.0)
        assert bench.watcher.predictions == []
        await reach(START_MS - SKEW_MS + 20)
        await bench.watcher.until(lambda w: len(w.predictions) >= 20)
        await reach(START_MS)
        await bench.watcher.until(lambda w: len(w.predictions) == 40)
    for one in bench.watcher.predictions:
        assert one.windows == weather.seen(bench.columns(number_of(one))["owner"], one.time_ms)
