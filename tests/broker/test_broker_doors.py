"""Topics made and checked, whole topics followed, quarantine written, large records carried."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from streams.contracts.errors import TransportError
from streams.contracts.records import Rejected, TaskState
from streams.contracts.topics import TABLE, topic_name
from streams.transport.admin import ensure_topics, topic_partitions
from streams.transport.batches import MOST_RECORD_BYTES
from streams.transport.broker import EmbeddedBroker
from streams.transport.commits import Committer, last_state
from streams.transport.follower import Follower
from streams.transport.publisher import Publisher
from streams.transport.quarantine import MOST_BYTES, MOST_DETAIL, refused
from streams.transport.records import Output, Record
from tests.kit.topics import make_topics, publish, read_all

Unique = Callable[[str], str]


async def test_topics_are_made_as_the_table_says_and_wrong_counts_are_refused(broker: EmbeddedBroker, unique: Unique) -> None:
    inputs, one = unique("in"), unique("one")
    names = {inputs: TABLE["requests"], one: TABLE["summaries"]}
    await ensure_topics(broker.bootstrap, names, 3)
    await ensure_topics(broker.bootstrap, names, 3)
    assert await topic_partitions(broker.bootstrap, inputs) == 3
    assert await topic_partitions(broker.bootstrap, one) == 1
    with pytest.raises(TransportError, match=f"{inputs} has 3 partitions, not 4"):
        await ensure_topics(broker.bootstrap, names, 4)
    with pytest.raises(TransportError, match="there is no topic"):
        await topic_partitions(broker.bootstrap, unique("missing"))


async def test_a_topic_that_takes_too_small_batches_is_refused_before_anything_is_lost_in_it(
    broker: EmbeddedBroker, unique: Unique
) -> None:
    predictions, requests = unique("predictions"), unique("requests")
    names = {predictions: TABLE["predictions"], requests: TABLE["requests"]}
    await ensure_topics(broker.bootstrap, names, 1)
    admin = AIOKafkaAdminClient(bootstrap_servers=broker.bootstrap)
    await admin.start()
    small = {"max.message.bytes": "1048588"}
    await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, name, small) for name in names])
    await admin.close()
    with pytest.raises(TransportError, match=f"topic {predictions} takes batches of at most 1048588 bytes") as refused:
        await ensure_topics(broker.bootstrap, names, 1)
    assert requests not in str(refused.value), "nothing large is written there"


async def test_nobody_at_the_address_is_a_transport_error() -> None:
    with pytest.raises(TransportError, match=r"127\.0\.0\.1:9"):
        await topic_partitions("127.0.0.1:9", "any")


async def test_a_follower_reads_to_the_end_then_what_comes(broker: EmbeddedBroker, unique: Unique) -> None:
    (topic,) = await make_topics(broker.bootstrap, unique("followed"), partitions=3)
    await publish(broker.bootstrap, [Output(topic, i % 3, None, b"%d" % i, (("n", b"%d" % i),)) for i in range(300)])
    follower = Follower(broker.bootstrap, [topic], start={f"{topic}/1": 90})
    records = await follower.start()
    found = {number: [int(r.value or b"") for r in records if r.partition == number] for number in range(3)}
    assert found == {0: list(range(0, 300, 3)), 1: list(range(271, 300, 3)), 2: list(range(2, 300, 3))}
    assert records[0].headers == (("n", records[0].value),)
    assert records[0].timestamp_ms > 1_700_000_000_000
    assert await follower.poll(20) == []
    await publish(broker.bootstrap, [Output(topic, None, b"key", None)])
    assert [(record.key, record.value) for record in await follower.poll(5_000)] == [(b"key", None)]
    await follower.stop()


async def test_a_follower_reads_a_partition_no_further_than_it_was_told(broker: EmbeddedBroker, unique: Unique) -> None:
    (topic,) = await make_topics(broker.bootstrap, unique("noted"), partitions=2)
    await publish(broker.bootstrap, [Output(topic, i % 2, None, b"%d" % i) for i in range(20)])
    follower = Follower(broker.bootstrap, [topic], start={f"{topic}/1": 4})
    await follower.open()
    assert follower.ahead == 10 + 6
    await publish(broker.bootstrap, [Output(topic, i % 2, None, b"%d" % i) for i in range(20, 400)])
    await follower.look_again(lambda name: name == f"{topic}/1")
    records = [record async for part in follower.parts() for record in part]
    follower.pause({f"{topic}/0"})
    await publish(broker.bootstrap, [Output(topic, i % 2, None, b"%d" % i) for i in range(400, 410)])
    polled: list[Record] = []
    while len(polled) < 5:
        polled += await follower.poll(5_000)
    assert {record.partition for record in polled} == {1}, "the other one is paused"
    follower.pause(set())
    other = [int(record.value or b"") for record in records if record.partition == 1]
    assert other == list(range(9, 400, 2))
    left = [record.value for record in records if record.partition == 0]
    while len(left) < 205:
        left += [record.value for record in await follower.poll(5_000)]
    assert [int(value or b"") for value in left] == list(range(0, 410, 2)), "it goes on where it was left"
    await follower.stop()


async def test_keys_choose_partitions_as_other_clients_do(broker: EmbeddedBroker, unique: Unique) -> None:
    (topic,) = await make_topics(broker.bootstrap, unique("keyed"), partitions=4)
    # What the Java client's Utils.toPositive(Utils.murmur2(key)) gives, from its own unit test.
    await publish(broker.bootstrap, [Output(topic, None, key, b"") for key in (b"21", b"foobar", b"a-little-bit-long-string")])
    found = {record.key: record.partition for record in await read_all(broker.bootstrap, topic)}
    assert found == {b"21": 1173551340 % 4, b"foobar": 1357151166 % 4, b"a-little-bit-long-string": 1161502112 % 4}


async def test_large_records_pass_and_too_large_ones_are_refused_before_sending(broker: EmbeddedBroker, unique: Unique) -> None:
    (topic,) = await make_topics(broker.bootstrap, unique("large"))
    values = [bytes([number]) * (MOST_RECORD_BYTES - 1) for number in range(3)]
    await publish(broker.bootstrap, [Output(topic, 0, b"k", value) for value in values])
    assert [record.value for record in await read_all(broker.bootstrap, topic)] == values
    publisher = Publisher(broker.bootstrap)
    for output in (Output(topic, 0, b"k", bytes(MOST_RECORD_BYTES)), Output(topic, 0, None, None), Output(topic, 5, b"k", b"")):
        with pytest.raises(TransportError):
            await publisher.send(output)
    await publisher.send(Output(topic, 0, b"k", b"still works"))
    await publisher.stop()


def refusal(**changes: Any) -> Output:
    given = {
        "topic": "a/b",
        "partition": 3,
        "offset": 42,
        "key": b"k",
        "value": b"v",
        "headers": (("h", b"\xff"),),
        "timestamp_ms": 7,
    }
    return refused(Record(**given | changes), model="m", reason="undecodable", detail="x" * 9_000, quarantined_ms=1)


async def test_quarantine_keeps_the_whole_record_as_far_as_it_is_bounded(broker: EmbeddedBroker) -> None:
    await ensure_topics(broker.bootstrap, {topic_name("quarantine"): TABLE["quarantine"]}, 1)
    many = tuple((f"header-{number}", b"x" * 100) for number in range(10_000))
    await publish(broker.bootstrap, [refusal(), refusal(value=b"\xff" * 9_000_000, headers=many, key=b"k" * 5_000)])
    whole, cut = (await read_all(broker.bootstrap, topic_name("quarantine")))[-2:]
    kept = msgspec.json.decode(whole.value or b"", type=Rejected)
    assert (kept.topic, kept.partition, kept.offset, kept.detail) == ("a/b", 3, 42, "x" * MOST_DETAIL)
    assert (kept.key, kept.value, kept.headers, kept.cut) == (b"k", b"v", [("h", b"\xff")], False)
    kept = msgspec.json.decode(cut.value or b"", type=Rejected)
    assert (kept.key, kept.value, kept.headers, kept.cut) == (None, b"\xff" * MOST_BYTES, [], True)
    assert dict(cut.headers) == {"dw_reason": b"undecodable", "dw_source": b"a/b/3/42", "dw_bytes": b"9000000"}


async def test_the_last_state_is_found_behind_aborted_ones(broker: EmbeddedBroker, unique: Unique) -> None:
    (topic,) = await make_topics(broker.bootstrap, unique("state"), partitions=2)
    assert await last_state(broker.bootstrap, topic, 0) is None
    committer = Committer(broker.bootstrap, unique("writer"), (topic, 0), "exactly_once")
    await committer.open()
    await committer.commit([], TaskState(positions={"a/0": 5}, details={"x": 1}))
    async with AIOKafkaProducer(bootstrap_servers=broker.bootstrap, transactional_id=unique("aborter")) as producer:
        for _ in range(30):
            await producer.begin_transaction()
            await producer.send_and_wait(topic, b"never", b"k", partition=0)
            await producer.abort_transaction()
    assert await last_state(broker.bootstrap, topic, 0) == TaskState(positions={"a/0": 5}, details={"x": 1})
    await committer.close()
    await publish(broker.bootstrap, [Output(topic, 0, b"k", b"not a state")])
    with pytest.raises(TransportError, match="isn't a task's state"):
        await last_state(broker.bootstrap, topic, 0)
