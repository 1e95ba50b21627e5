"""The record that goes to quarantine in the same transaction as the outputs of its micro-batch."""

from __future__ import annotations

import msgspec

from streams.contracts.records import Rejected
from streams.contracts.topics import topic_name
from streams.transport.records import Output, position_key

MOST_BYTES = 256 * 1024
MOST_DETAIL = 2_000


def rejected_output(rejected: Rejected) -> Output:
    """Make the output for a record that could not be used.

    What comes from a topic is hostile: of the value at most `MOST_BYTES` are kept, of the detail `MOST_DETAIL` characters.
    The reason and the source position are headers too, so that they can be counted without decoding the value.
    """
    kept = msgspec.structs.replace(rejected, value=rejected.value[:MOST_BYTES], detail=rejected.detail[:MOST_DETAIL])
    headers = (
        ("dw_reason", rejected.reason.encode()),
        ("dw_source", f"{position_key(rejected.topic, rejected.partition)}/{rejected.offset}".encode()),
        ("dw_bytes", str(len(rejected.value)).encode()),
    )
    return Output(topic_name("quarantine"), None, rejected.model.encode(), msgspec.json.encode(kept), headers)
