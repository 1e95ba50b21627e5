"""Requests of strangers on a real broker, among honest ones: those are answered as ever, and logs and metrics repeat no text."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest_asyncio
from prometheus_client import generate_latest

from streams.inference.session import load
from streams.inference.store import BundleStore
from streams.runtime.watermark import SOURCE, watermark_record
from streams.serving.door import HEADER
from streams.transport.broker import EmbeddedBroker
from streams.transport.records import Output
from tests.kit.attacked import CONTROL, logged
from tests.kit.bundles import START_MS
from tests.kit.poisons import MARK, POISONS, UNWRITABLE, is_marked
from tests.kit.serving import PARTITIONS, Bench, deploy, make_topics, number_of, running, stage_of

PLACES: dict[str, Callable[[str, dict[str, Any]], dict[str, Any]]] = {
    "id": lambda text, row: {"id": text},
    "time_ms": lambda text, row: {"time_ms": text},
    "a field": lambda text, row: {text: text},
    "features": lambda text, row: {"features": text},
    "a column": lambda text, row: {"features": row | {text: text}},
    "a number": lambda text, row: {"features": row | {"weight": text}},
    "a category": lambda text, row: {"features": row | {"colour": text}},
    "a key": lambda text, row: {"features": row | {"owner": text}},
}
REASONS = {
    "not_json", "missing_field", "missing_column", "wrong_type", "bad_id", "absurd_time", "too_large", "not_finite",
}  # fmt: skip


@pytest_asyncio.fixture
async def bench(broker: EmbeddedBroker, unique: Callable[[str], str], tmp_path: Path) -> AsyncIterator[Bench]:
    made = Bench(broker.bootstrap, unique("attacked"), tmp_path / "registry")
    await make_topics(broker.bootstrap, made.model)
    await made.publisher.start()
    await made.watcher.start()
    yield made
    await made.watcher.stop()
    await made.publisher.stop()


def hostile(bench: Bench) -> list[tuple[bytes | None, bytes | None, Sequence[tuple[str, bytes]]]]:
    """Key, value and headers of everything that strangers try."""
    found: list[tuple[bytes | None, bytes | None, Sequence[tuple[str, bytes]]]] = []
    row = bench.columns(0)
    for text in (POISONS | UNWRITABLE).values():
        wild = text.encode(errors="surrogatepass")
        for change in PLACES.values():
            body = {"id": "a", "time_ms": START_MS, "features": row} | change(text, row)
            found.append((wild, json.dumps(body).encode(), ((MARK, wild), ("content-type", wild))))
        sound = json.dumps({"id": "b", "time_ms": START_MS, "features": row}).encode()
        found.append((wild, sound, ((HEADER, wild), (HEADER, b""))))
        found.append((None, wild, ()))
    key, value, headers = watermark_record(SOURCE, START_MS + 10**12)
    return [*found, (key, value, tuple(headers)), (b"k", None, ()), (b"k", b"[" * 200_000, ())]


async def test_strangers_change_no_honest_answer_and_are_repeated_nowhere(bench: Bench, tmp_path: Path) -> None:
    digest, attacks = bench.bundle(0), hostile(bench)
    strangers, outputs = iter(attacks), list[Output]()
    for number in range(2 * len(attacks)):  # in both partitions they stand side by side
        if number % 4 in {0, 3}:
            outputs.append(bench.request(number, START_MS + number))
        else:
            key, value, headers = next(strangers)
            outputs.append(Output(f"{bench.model}.requests", number % PARTITIONS, key, value, tuple(headers)))
    await deploy(bench.publisher, bench.model, 1, digest)
    with logged(tmp_path) as console:
        stage = stage_of(bench.bootstrap, bench.model, bench.registry, replay=False)
        async with running(stage):
            await bench.send(*outputs)
            await bench.watcher.until(lambda w: len(w.answered()) == len(outputs))
        metrics = generate_latest(stage._telemetry.registry).decode()
    assert bench.watcher.answered() == sorted((n % PARTITIONS, n // PARTITIONS) for n in range(len(outputs)))
    scorer = load(BundleStore(bench.registry), bench.model, digest)
    honest = {number_of(one): one for one in bench.watcher.predictions if number_of(one) % 4 in {0, 3}}
    assert len(honest) == len(attacks)
    for number, one in honest.items():
        assert (one.id, one.columns) == (f"r{number}", bench.columns(number))
        columns = {name: [value] for name, value in one.columns.items()}
        assert one.score == float(scorer.score(columns, {}, [one.time_ms])[0])
    for one in bench.watcher.predictions:
        assert list(one.columns) == [column.name for column in scorer.manifest.schema.columns]
    assert {one.reason for one in bench.watcher.rejected} <= REASONS
    assert len(bench.watcher.rejected) > len(POISONS)
    assert not any(is_marked(one.detail) for one in bench.watcher.rejected)
    logs = console.getvalue()
    assert "TaskAssigned" in logs
    assert not is_marked(logs)
    assert CONTROL.search(logs) is None
    assert f'model="{bench.model}"' in metrics
    assert not is_marked(metrics)
