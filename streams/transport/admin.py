"""Making topics, and checking those that exist."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, for_code

from streams.contracts.errors import TransportError
from streams.contracts.topics import TopicKind
from streams.transport.batches import BATCH_BYTES

SECONDS = 30.0
_EXISTS = 36
_ASKS = 500
_MOST_BYTES = 8 << 20
_MOST_SETTING = "max.message.bytes"


async def ensure_topics(bootstrap: str, names: Mapping[str, TopicKind], partitions: int) -> None:
    """Create what is missing with the table's settings, and check the partition counts of what exists.

    Args:
        bootstrap: `host:port` of the broker.
        names: topic name to its kind.
        partitions: how many partitions topics of kind `input` have.

    Raises:
        TransportError: no broker answers, a topic has another number of partitions or takes too small batches (the message says
            what to do), or the broker refuses to create one.
    """
    wanted = {name: partitions if kind.partitions == "input" else 1 for name, kind in names.items()}
    async with _admin(bootstrap) as admin:
        existing = await _counts(admin, list(names))
        wrong = [_wrong_count(name, existing[name], wanted[name]) for name in existing if existing[name] != wanted[name]]
        written = [name for name in existing if names[name].is_written]
        wrong += [_too_small(name, most) for name, most in (await _most_bytes(admin, written)).items() if most < BATCH_BYTES]
        if wrong:
            raise TransportError("\n".join(wrong))
        missing = [name for name in names if name not in existing]
        if missing:
            await _create(admin, [_new_topic(name, names[name], wanted[name]) for name in missing])
            await _until_known(admin, missing)


async def topic_partitions(bootstrap: str, topic: str) -> int:
    """Count the partitions of a topic.

    Raises:
        TransportError: there is no such topic, or no broker answers.
    """
    async with _admin(bootstrap) as admin:
        counts = await _counts(admin, [topic])
    if topic not in counts:
        raise TransportError(f"there is no topic {topic} at {bootstrap}: create it, or correct its name in the config")
    return counts[topic]


@asynccontextmanager
async def _admin(bootstrap: str) -> AsyncIterator[AIOKafkaAdminClient]:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap, client_id="driftwake.admin", request_timeout_ms=int(SECONDS * 1_000))
    try:
        async with asyncio.timeout(SECONDS):
            await admin.start()
            yield admin
    except (KafkaError, TimeoutError, OSError) as error:
        raise TransportError(f"no good answer from the broker at {bootstrap}: {error!r}") from error
    finally:
        await admin.close()


async def _counts(admin: AIOKafkaAdminClient, topics: Sequence[str]) -> dict[str, int]:
    # All topics are asked for, because asking for one by its name makes it on clusters that create topics by themselves.
    known = {topic["topic"]: topic for topic in await admin.describe_topics(None)}
    counts = {}
    for name in topics:
        if (topic := known.get(name)) is None:
            continue
        if topic["error_code"] != 0:
            raise TransportError(f"topic {name}: {for_code(topic['error_code'])()!r}")
        counts[name] = len(topic["partitions"])
    return counts


async def _most_bytes(admin: AIOKafkaAdminClient, topics: Sequence[str]) -> dict[str, int]:
    """Return how large a batch each topic takes."""
    if not topics:
        return {}
    asked = [ConfigResource(ConfigResourceType.TOPIC, name, {_MOST_SETTING: None}) for name in topics]
    found: dict[str, int] = {}
    for response in await admin.describe_configs(asked):
        for code, _, _, name, entries in response.resources:
            if code != 0:
                raise TransportError(f"the broker doesn't tell the settings of topic {name}: {for_code(code)()!r}")
            found[name] = next(int(value) for setting, value, *_ in entries if setting == _MOST_SETTING)
    return found


def _too_small(name: str, most: int) -> str:
    return (
        f"topic {name} takes batches of at most {most} bytes, and up to {BATCH_BYTES} are written: "
        f"set its {_MOST_SETTING} to {_MOST_BYTES}"
    )


def _wrong_count(name: str, found: int, wanted: int) -> str:
    return (
        f"topic {name} has {found} partitions, not {wanted}: set `partitions` to what the requests topic has, or, "
        f"if the topic is driftwake's own and holds nothing worth keeping, delete it and start again"
    )


def _new_topic(name: str, kind: TopicKind, partitions: int) -> NewTopic:
    settings = {"message.timestamp.type": "LogAppendTime", _MOST_SETTING: str(_MOST_BYTES)}
    if kind.compacted:
        # Small segments are compacted soon, so that reading from the beginning stays quick.
        settings |= {"cleanup.policy": "compact", "segment.bytes": str(32 << 20), "min.cleanable.dirty.ratio": "0.2"}
    else:
        settings |= {"cleanup.policy": "delete", "retention.ms": str(kind.retention_ms)}
    # -1: as many replicas as the cluster's default says, one in the embedded broker and usually three elsewhere.
    topic = NewTopic(name, partitions, 1, topic_configs=settings)
    topic.replication_factor = -1
    return topic


async def _create(admin: AIOKafkaAdminClient, topics: Sequence[NewTopic]) -> None:
    response = await admin.create_topics(list(topics))
    for name, code, *_ in response.topic_errors:
        if code not in (0, _EXISTS):
            raise TransportError(f"the broker refuses to create topic {name}: {for_code(code)()!r}")


async def _until_known(admin: AIOKafkaAdminClient, topics: Sequence[str]) -> None:
    """Wait until the broker's own metadata shows the topics, each partition with a leader."""
    for _ in range(_ASKS):
        known = {topic["topic"]: topic for topic in await admin.describe_topics(None)}
        if all(name in known and _is_led(known[name]) for name in topics):
            return
        await asyncio.sleep(0.02)
    raise TransportError(f"the broker says it made {', '.join(topics)}, but does not show them")


def _is_led(topic: Mapping[str, Any]) -> bool:
    return topic["error_code"] == 0 and all(partition["leader"] >= 0 for partition in topic["partitions"])


async def count_brokers(bootstrap: str) -> int:
    """Count the brokers that the cluster's metadata shows.

    Raises:
        TransportError: none answers.
    """
    async with _admin(bootstrap) as admin:
        return len((await admin.describe_cluster())["brokers"])
