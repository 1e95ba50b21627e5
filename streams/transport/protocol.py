"""Requests of Kafka's protocol that the client library hasn't: transactions as they are since Kafka 4.0 (KIP-890).

Field by field as in the schemas of Kafka's own source (`clients/src/main/resources/common/message`).
"""

from __future__ import annotations

from io import BytesIO
from typing import Any, Self

from aiokafka.client import AIOKafkaClient
from aiokafka.errors import IncompatibleBrokerVersion
from aiokafka.protocol.api import RequestStruct, Response, ResponseHeader_v0
from aiokafka.protocol.types import (
    Boolean,
    CompactArray,
    CompactBytes,
    CompactString,
    Int16,
    Int32,
    Int64,
    Schema,
    TaggedFields,
)

_FINALIZED_FEATURES = 2
_TRANSACTIONS = ("transaction.version", 2)
_FEATURES = CompactArray(
    ("name", CompactString("utf-8")), ("max_version_level", Int16), ("min_version_level", Int16), ("tags", TaggedFields)
)


class _Exact(RequestStruct):
    """A request in this version and no other."""

    FLEXIBLE_VERSION = True
    API_KEY = -1
    API_VERSION = -1
    RESPONSE_TYPE = Response
    SCHEMA = Schema()

    def prepare(self, versions: dict[int, tuple[int, int]]) -> Self:
        """Return itself, as the library's connections ask of a request.

        Raises:
            aiokafka.errors.IncompatibleBrokerVersion: the broker doesn't know this version.
        """
        lowest, highest = versions.get(self.API_KEY, (0, -1))
        if not lowest <= self.API_VERSION <= highest:
            raise IncompatibleBrokerVersion(f"{type(self).__name__} {self.API_VERSION}: the broker knows {lowest} to {highest}")
        return self


class ApiVersionsAnswer(Response):
    """What a broker can; the features of its cluster are among the tags."""

    API_KEY = 18
    API_VERSION = 3
    SCHEMA = Schema(
        ("error_code", Int16),
        ("api_keys", CompactArray(("key", Int16), ("lowest", Int16), ("highest", Int16), ("tags", TaggedFields))),
        ("throttle_time_ms", Int32),
        ("tags", TaggedFields),
    )


class ApiVersions(_Exact):
    """Asks what a broker can."""

    API_KEY = 18
    API_VERSION = 3
    RESPONSE_TYPE = ApiVersionsAnswer
    SCHEMA = Schema(("software", CompactString("utf-8")), ("version", CompactString("utf-8")), ("tags", TaggedFields))

    def parse_response_header(self, read_buffer: BytesIO | bytes) -> ResponseHeader_v0:
        """Read the old header, the only one that a client understands who doesn't know the broker yet."""
        return ResponseHeader_v0.decode(read_buffer)


class ProduceAnswer(Response):
    """Which batches were written."""

    API_KEY = 0
    API_VERSION = 12
    SCHEMA = Schema(
        (
            "topics",
            CompactArray(
                ("topic", CompactString("utf-8")),
                (
                    "partitions",
                    CompactArray(
                        ("partition", Int32),
                        ("error_code", Int16),
                        ("offset", Int64),
                        ("timestamp", Int64),
                        ("log_start_offset", Int64),
                        (
                            "record_errors",
                            CompactArray(("index", Int32), ("message", CompactString("utf-8")), ("tags", TaggedFields)),
                        ),
                        ("error_message", CompactString("utf-8")),
                        ("tags", TaggedFields),
                    ),
                ),
                ("tags", TaggedFields),
            ),
        ),
        ("throttle_time_ms", Int32),
        ("tags", TaggedFields),
    )


class Produce(_Exact):
    """Writes batches, at most one a partition, and takes their partitions into the transaction."""

    API_KEY = 0
    API_VERSION = 12
    RESPONSE_TYPE = ProduceAnswer
    SCHEMA = Schema(
        ("transactional_id", CompactString("utf-8")),
        ("required_acks", Int16),
        ("timeout", Int32),
        (
            "topics",
            CompactArray(
                ("topic", CompactString("utf-8")),
                ("partitions", CompactArray(("partition", Int32), ("records", CompactBytes), ("tags", TaggedFields))),
                ("tags", TaggedFields),
            ),
        ),
        ("tags", TaggedFields),
    )


class EndTxnAnswer(Response):
    """With which id and epoch the next transaction is written."""

    API_KEY = 26
    API_VERSION = 5
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        ("error_code", Int16),
        ("producer_id", Int64),
        ("producer_epoch", Int16),
        ("tags", TaggedFields),
    )


class EndTxn(_Exact):
    """Ends a transaction."""

    API_KEY = 26
    API_VERSION = 5
    RESPONSE_TYPE = EndTxnAnswer
    SCHEMA = Schema(
        ("transactional_id", CompactString("utf-8")),
        ("producer_id", Int64),
        ("producer_epoch", Int16),
        ("committed", Boolean),
        ("tags", TaggedFields),
    )


async def has_new_transactions(client: AIOKafkaClient, node: int) -> bool:
    """Ask whether a broker's cluster takes partitions into a transaction by what is written, and gives each an epoch of its own.

    Raises:
        aiokafka.errors.KafkaError: no answer.
    """
    try:
        answer: Any = await client.send(node, ApiVersions("driftwake", "0", {}))
    except IncompatibleBrokerVersion:
        return False
    features = _FEATURES.decode(BytesIO(answer.tags.get(_FINALIZED_FEATURES, b"\x00"))) or ()
    name, wanted = _TRANSACTIONS
    return any(feature[0] == name and feature[1] >= wanted for feature in features)
