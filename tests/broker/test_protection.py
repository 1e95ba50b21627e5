"""From a request to the lake, a training set and the summaries: what is protected is nowhere, and still groups."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import msgspec
import pyarrow.parquet as pq
import pytest

from daemon.topics import make_topics
from skills import build_dataset
from streams.app import Foreign, stages_of
from streams.contracts.errors import LakeError
from streams.contracts.features import Window
from streams.contracts.records import Label, Prediction, WorkerReport
from streams.contracts.summaries import InputSummary
from streams.contracts.topics import topic_name
from streams.dialects import native
from streams.inference.trial import Trials
from streams.lake.lake import Lake
from streams.runtime.telemetry import Telemetry
from streams.runtime.watermark import SOURCE, watermark_record
from streams.settings import StreamsSettings
from streams.transport.broker import EmbeddedBroker
from streams.transport.follower import Follower
from streams.transport.publisher import Publisher
from streams.transport.records import Output
from tests.kit.bundles import make_bundle
from tests.kit.serving import SIGNER, deploy

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
START = 19_700 * DAY
ROWS = 90
CARDS = ("4111-raw-card-0001", "4111-raw-card-0002", "4111-raw-card-0003")
SECRETS = (*CARDS, "raw-note-of-theirs", "raw-pin", "raw-street")
COUNT = Window(aggregate="count", source="requests", by=("card",), range_ms=HOUR)
BY_STREET = Window(aggregate="count", source="requests", by=("street",), range_ms=HOUR)
KINDS = ("predictions", "join_predictions", "join_labels", "outcomes", "summaries")
STATES = ("serving", "rekeying", "joining", "measuring", "monitoring")


def settings_of(model: str, bootstrap: str, folder: Path, street: str) -> StreamsSettings:
    columns = [
        {"name": "amount", "kind": "number"},
        {"name": "card", "kind": "category", "role": "key", "tags": ["pii"]},
        {"name": "street", "kind": "category", "role": "key", "tags": ["pii"], "protect": street},
        {"name": "note", "kind": "category", "role": "ignored", "tags": ["free_text"]},
        {"name": "pin", "kind": "category", "role": "ignored", "tags": ["pii", "secret"]},
    ]
    given = {"name": model, "schema": {"columns": columns}, "partitions": 1, "replay": True, "skew": "1m", "bucket": "1h"}
    return StreamsSettings.model_validate({
        "data_dir": folder,
        "broker": {"bootstrap": bootstrap},
        "trust": {"deployment_keys": [SIGNER.public]},
        "models": [{**given, "label_horizon": "1d"}],
    })  # fmt: skip


def card_of(number: int) -> str | None:
    return None if number % 7 == 0 else CARDS[number % 3]


def written(model: str) -> Iterator[Output]:
    """Requests keyed by what is protected in them, and labels ten minutes later, a minute of event time at once."""
    yield from watermarks(model, START)
    for number in range(ROWS + 10):
        time_ms = START + number * MINUTE
        if number < ROWS:
            card = card_of(number)
            columns = {"amount": 1.0 + number % 5, "card": card, "street": SECRETS[5], "note": SECRETS[3], "pin": SECRETS[4]}
            key = (card or CARDS[0]).encode()
            yield Output(topic_name("requests", model), 0, key, native.example(f"r{number}", time_ms + 1, columns).value)
        if number >= 10:
            label = Label(f"r{number - 10}", float(number % 2), time_ms + 1)
            yield Output(topic_name("labels", model), 0, b"k", msgspec.json.encode(label))
        yield from watermarks(model, time_ms + MINUTE)
    yield from watermarks(model, START + 2 * DAY)


def watermarks(model: str, time_ms: int) -> Iterator[Output]:
    for kind in ("requests", "labels"):
        yield Output(topic_name(kind, model), 0, *watermark_record(SOURCE, time_ms))


async def played(broker: EmbeddedBroker, settings: StreamsSettings, windows: tuple[Window, ...]) -> str:
    """Run all stages of the config's model over the requests, until the lake has them; return the champion."""
    model = settings.models[0]
    await make_topics(settings, broker.bootstrap)
    settings.make_hash_key()
    schema = model.schema_contract()
    digest = make_bundle(
        settings.folder("registry"), model=model.name, schema=schema, windows=windows, expressions=(), skew_ms=model.skew.ms
    )
    publisher = Publisher(broker.bootstrap)
    await publisher.start()
    await deploy(publisher, model.name, 1, digest)
    await publisher.send_many(list(written(model.name)))
    wiring = {"foreign": Foreign(1), "trials": Trials(), "telemetry": Telemetry([model.name]), "worker": None}
    async with AsyncExitStack() as stack:
        for stage in stages_of(model, settings, broker.bootstrap, **wiring):
            await stack.enter_async_context(stage)
        await until_archived(broker.bootstrap, model.name, START + 2 * DAY)
        await until_summed(broker.bootstrap, model.name)
    await publisher.stop()
    return digest


async def until_archived(bootstrap: str, model: str, boundary_ms: int) -> None:
    follower = Follower(bootstrap, [topic_name("workers")])
    records = await follower.start()
    async with asyncio.timeout(60):
        while not any(
            record.key == f"archiving/{model}/0".encode()
            and msgspec.json.decode(record.value or b"", type=WorkerReport).watermark_ms >= boundary_ms
            for record in records
        ):
            records = await follower.poll(500)
    await follower.stop()


async def until_summed(bootstrap: str, model: str) -> None:
    follower = Follower(bootstrap, [topic_name("summaries", model)])
    records, rows = await follower.start(), 0
    async with asyncio.timeout(60):
        while True:
            found = [record.value for record in records if record.value and b'"inputs"' in record.value]
            rows += sum(msgspec.json.decode(value, type=InputSummary).rows for value in found)
            if rows >= ROWS:
                break
            records = await follower.poll(500)
    await follower.stop()


async def everything(bootstrap: str, model: str) -> dict[str, list[bytes]]:
    """All bytes of all topics that driftwake writes of the model."""
    topics = [topic_name(kind, model) for kind in KINDS] + [topic_name("state", model, stage) for stage in STATES]
    topics += [topic_name(kind) for kind in ("events", "quarantine", "workers")]
    found: dict[str, list[bytes]] = {}
    for topic in topics:
        follower = Follower(bootstrap, [topic])
        for record in await follower.start():
            parts = [record.key or b"", record.value or b"", *(value for _, value in record.headers)]
            found.setdefault(topic, []).append(b"\n".join(parts))
        await follower.stop()
    return found


def leaks(data: bytes) -> list[str]:
    return [secret for secret in SECRETS if secret.encode() in data]


def expected_counts() -> dict[str, float | None]:
    """A row sees those of its card in the hour before it, less the minute of skew."""
    found: dict[str, float | None] = {}
    for number in range(ROWS):
        card = card_of(number)
        seen = [other for other in range(number - 61, number - 1) if other >= 0 and card_of(other) == card]
        found[f"r{number}"] = None if card is None else float(len(seen))
    return found


async def test_what_is_protected_is_nowhere_and_groups_all_the_same(
    broker: EmbeddedBroker, unique: Callable[[str], str], tmp_path: Path
):
    model = unique("pii").replace(".", "-")
    settings = settings_of(model, broker.bootstrap, tmp_path / "data", "hash")
    champion = await played(broker, settings, (COUNT, BY_STREET))
    topics = await everything(broker.bootstrap, model)
    assert {topic_name(kind, model) for kind in KINDS} <= topics.keys()
    assert {topic: found for topic, values in topics.items() for value in values if (found := leaks(value))} == {}
    predictions = [
        msgspec.json.decode(value.partition(b"\n")[2], type=Prediction)
        for value in topics[topic_name("predictions", model)]
        if b'"score"' in value
    ]
    assert {one.id: one.windows[COUNT.name] for one in predictions} == expected_counts()
    assert {one.columns["note"] for one in predictions} == {one.columns["pin"] for one in predictions} == {None}
    assert all(one.columns["card"] == hash_of(settings, card_of(int(one.id[1:]))) for one in predictions)

    lake = Lake(settings.lake_place)
    tables = {table: lake.read(model, table) for table in ("predictions", "outcomes", "labels")}
    assert [table.num_rows for table in tables.values()] == [ROWS, ROWS, ROWS]
    assert leaks(str([table.to_pylist() for table in tables.values()]).encode()) == []
    files = [file for file in settings.data_dir.rglob("*") if file.is_file()]
    assert len(files) > 10
    assert {file.name: found for file in files if (found := leaks(file.read_bytes()))} == {}

    rows = rows_to_train_on(settings, model, champion, tmp_path)
    assert {row["id"]: row[COUNT.name] for row in rows} == {row["id"]: expected_counts()[row["id"]] for row in rows}
    assert len(rows) > ROWS / 2
    assert leaks(str(rows).encode()) == []


def rows_to_train_on(settings: StreamsSettings, model: str, champion: str, folder: Path) -> list[dict]:
    request = build_dataset.Input(
        lake=settings.lake_place, registry=str(settings.folder("registry")), model=model, champion=champion,
        until_ms=START + DAY, train_ms=DAY, sealed_ms=DAY - HOUR,
    )  # fmt: skip
    made = build_dataset.run(request, folder)
    return [row for file in (made.train, made.sealed) for row in pq.read_table(file).to_pylist()]


def hash_of(settings: StreamsSettings, card: str | None) -> str | None:
    protection = settings.protection_of(settings.models[0])
    assert protection is not None
    return protection.texts([card])[0]


async def test_what_is_kept_and_not_granted_groups_and_is_handed_to_nobody(
    broker: EmbeddedBroker, unique: Callable[[str], str], tmp_path: Path
):
    model = unique("kept").replace(".", "-")
    settings = settings_of(model, broker.bootstrap, tmp_path / "data", "keep")
    champion = await played(broker, settings, (BY_STREET,))
    lake = Lake(settings.lake_place)
    assert lake.hidden(model, "predictions") == lake.hidden(model, "outcomes") == {"street"}
    assert "street" not in lake.read(model, "outcomes").column_names
    with pytest.raises(LakeError, match="granted: true"):
        lake.read(model, "predictions", ["id", "street"])
    rows = rows_to_train_on(settings, model, champion, tmp_path)
    served = {row["id"]: dict(row["windows"])[BY_STREET.name] for row in lake.read(model, "predictions").to_pylist()}
    assert {row["id"]: row[BY_STREET.name] for row in rows} == {row["id"]: served[row["id"]] for row in rows}
    assert max(served.values()) > 50
    assert leaks(str(rows).encode()) == []
