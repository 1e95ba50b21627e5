"""Transactions, as they are since Kafka 4.0 and as they were before: all or nothing, and one writer a name."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from aiokafka.errors import KafkaError, ProducerFenced

from streams.contracts.errors import TransportError
from streams.transport import transactions as transactions_module
from streams.transport.batches import BATCH_BYTES, packed
from streams.transport.broker import EmbeddedBroker
from streams.transport.protocol import has_new_transactions
from streams.transport.records import Output
from streams.transport.transactions import TransactionalProducer
from tests.kit.topics import make_topics, read_all

Unique = Callable[[str], str]


async def values(broker: EmbeddedBroker, topic: str) -> list[bytes | None]:
    return [record.value for record in await read_all(broker.bootstrap, topic)]


async def test_the_broker_of_the_tests_has_new_transactions(broker: EmbeddedBroker, unique: Unique) -> None:
    producer = TransactionalProducer(broker.bootstrap, unique("writer"))
    await producer.start()
    try:
        assert await has_new_transactions(producer.client, producer._coordinator)
    finally:
        await producer.close()


async def test_many_transactions_right_behind_each_other(broker: EmbeddedBroker, unique: Unique, transactions: str) -> None:
    one, other, state = await make_topics(broker.bootstrap, unique("one"), unique("other"), unique("state"), partitions=3)
    producer = TransactionalProducer(broker.bootstrap, unique("writer"))
    await producer.start()
    first = producer._producer
    try:
        for number in range(100):
            value = b"%d" % number
            outputs = [Output(one, number % 3, None, value), Output(other, None, b"k", value), Output(other, None, b"k", b"-")]
            producer._ready_at = 0.0  # no pause: the broker still writes the markers of the one before
            await producer.commit(outputs, Output(state, 0, b"s", value))
    finally:
        await producer.close()
    assert (producer._producer == first) is (transactions == "old")  # each new one has an epoch of its own
    assert sorted(await values(broker, one)) == sorted(b"%d" % number for number in range(100))
    assert await values(broker, other) == [part for number in range(100) for part in (b"%d" % number, b"-")]
    assert await values(broker, state) == [b"%d" % number for number in range(100)]


@pytest.mark.usefixtures("transactions")
async def test_what_is_larger_than_a_batch_is_written_in_order(broker: EmbeddedBroker, unique: Unique) -> None:
    (topic,) = await make_topics(broker.bootstrap, unique("large"))
    outputs = [Output(topic, 0, b"k", bytes([number]) * 900_000) for number in range(10)]
    assert len((await packed(outputs, {topic: 1}, is_transactional=True))[topic, 0]) > 1
    assert sum(len(output.value or b"") for output in outputs) > BATCH_BYTES
    producer = TransactionalProducer(broker.bootstrap, unique("writer"))
    await producer.start()
    try:
        for _ in range(2):
            await producer.commit(outputs, Output(topic, 0, b"s", b"end"))
    finally:
        await producer.close()
    assert await values(broker, topic) == [*(output.value for output in outputs), b"end"] * 2


@pytest.mark.usefixtures("transactions")
async def test_whoever_comes_later_ends_what_was_open_and_is_the_only_one(
    broker: EmbeddedBroker, unique: Unique, monkeypatch: pytest.MonkeyPatch
) -> None:
    (topic,) = await make_topics(broker.bootstrap, unique("out"))
    name = unique("writer")
    older, newer = TransactionalProducer(broker.bootstrap, name), TransactionalProducer(broker.bootstrap, name)
    await older.start()
    try:
        await older.commit([], Output(topic, 0, b"s", b"first"))
        end = older._end
        monkeypatch.setattr(older, "_end", _nothing)  # as if it had died here
        await older.commit([], Output(topic, 0, b"s", b"never ended"))
        await newer.start()
        await newer.commit([], Output(topic, 0, b"s", b"second"))
        with pytest.raises(ProducerFenced):
            await end()
        with pytest.raises(ProducerFenced):
            await older.commit([], Output(topic, 0, b"s", b"of a zombie"))
        await newer.commit([], Output(topic, 0, b"s", b"third"))
    finally:
        await older.close()
        await newer.close()
    assert await values(broker, topic) == [b"first", b"second", b"third"]


async def test_outputs_that_nobody_can_write(broker: EmbeddedBroker, unique: Unique) -> None:
    (topic,) = await make_topics(broker.bootstrap, unique("out"))
    producer = TransactionalProducer(broker.bootstrap, unique("writer"))
    await producer.start()
    try:
        with pytest.raises(TransportError, match="there is no partition 1"):
            await producer.commit([], Output(topic, 1, b"s", b""))
        with pytest.raises(KafkaError, match="nowhere"):
            await producer.commit([Output("nowhere", 0, b"s", b"")], Output(topic, 0, b"s", b""))
    finally:
        await producer.close()
    assert await values(broker, topic) == []


async def test_a_broker_that_reads_nothing_any_more_is_let_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transactions_module, "CLOSE_SECONDS", 0.2)
    async with EmbeddedBroker(tmp_path, brief=True) as stuck:
        (topic,) = await make_topics(stuck.bootstrap, "out", partitions=4)
        producer = TransactionalProducer(stuck.bootstrap, "writer")
        await producer.start()
        await producer.commit([], Output(topic, 0, b"s", b"first"))
        (java,) = psutil.Process(stuck.pid).children()
        java.suspend()
        try:
            outputs = [Output(topic, number % 4, b"k", os.urandom(900_000)) for number in range(16)]  # more than sockets hold
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(2):
                    await producer.commit(outputs, Output(topic, 0, b"s", b"never"))
            async with asyncio.timeout(2):
                await producer.close()
        finally:
            java.resume()


async def _nothing() -> None:
    """Nothing is done."""
