"""What the two inputs of the join look like, and why a record can't be used."""

from __future__ import annotations

import msgspec

from streams.contracts.labels import LONGEST_ID, Id, Time, Unusable, typed
from streams.contracts.records import Prediction
from streams.transport.quarantine import refused
from streams.transport.records import Output, Record

SOURCE_HEADER = "dw_source"


class Head(msgspec.Struct, gc=False):
    """What matching needs of a prediction: the rest stays bytes."""

    id: Id
    time_ms: Time


_PREDICTIONS = msgspec.json.Decoder(Prediction)
_HEADS = msgspec.json.Decoder(Head)


def prediction_id(value: bytes | None) -> str | Unusable:
    """Return the id of a prediction whose every field has its type."""
    found = typed(_PREDICTIONS, value, "wrong_type")
    if isinstance(found, Unusable):
        return found
    return found.id if 1 <= len(found.id) <= LONGEST_ID else Unusable("bad_id", f"id must have 1 to {LONGEST_ID} characters")


def head_of(value: bytes | None) -> Head | Unusable:
    """Return a prediction's id and time."""
    return typed(_HEADS, value, "wrong_type")


def rejected(model: str, record: Record, why: Unusable) -> Output:
    """Make the quarantine record. Its time is the broker's, so that a repeated micro-batch writes the same."""
    return refused(record, model=model, reason=why.reason, detail=why.detail, quarantined_ms=record.timestamp_ms)


def source_of(record: Record) -> tuple[int, int]:
    """Return where a re-keyed record came from, as (partition, offset); its own place when it doesn't say."""
    for name, value in record.headers:
        partition, _, offset = value.partition(b"/")
        if name == SOURCE_HEADER and partition.isdigit() and offset.isdigit() and len(value) < 32:
            return int(partition), int(offset)
    return record.partition, record.offset


class OutcomeRecord(msgspec.Struct, kw_only=True):
    """An `Outcome` on its way out: the prediction is passed through as the bytes it came in."""

    prediction: msgspec.Raw
    label: float
    known_ms: int
    label_partition: int
    label_offset: int
    revision: int = 0
