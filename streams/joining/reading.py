"""What the two inputs of the join look like, and why a record can't be used."""

from __future__ import annotations

from typing import Annotated, Literal, TypeVar

import msgspec

from streams.contracts.records import Label, Prediction
from streams.contracts.schema import Task
from streams.transport.quarantine import refused
from streams.transport.records import Output, Record

SOURCE_HEADER = "dw_source"
LONGEST_ID = 256
# 1980 and 2100: seconds or microseconds given as milliseconds fall outside.
EARLIEST_MS = 315_532_800_000
LATEST_MS = 4_102_444_800_000
LARGEST_BYTES = 1 << 20

AnyStruct = TypeVar("AnyStruct", bound=msgspec.Struct)
Reason = Literal["not_json", "too_large", "bad_id", "absurd_time", "wrong_type", "bad_label"]
Id = Annotated[str, msgspec.Meta(min_length=1, max_length=LONGEST_ID)]
Time = Annotated[int, msgspec.Meta(ge=EARLIEST_MS, le=LATEST_MS)]


class Head(msgspec.Struct, gc=False):
    """What matching needs of a prediction: the rest stays bytes."""

    id: Id
    time_ms: Time


class LabelHead(Label, gc=False):
    """A label within its bounds."""

    id: Id
    label: float | None
    time_ms: Time


class Unusable(msgspec.Struct, frozen=True):
    """Why a record goes to quarantine. `detail` names fields and types, never values."""

    reason: Reason
    detail: str


_PREDICTIONS = msgspec.json.Decoder(Prediction)
_HEADS = msgspec.json.Decoder(Head)
_LABELS = msgspec.json.Decoder(LabelHead)
_BINARY = (0.0, 1.0)
_FIELDS: tuple[tuple[str, Reason], ...] = (("id", "bad_id"), ("time_ms", "absurd_time"))


def prediction_id(value: bytes | None) -> str | Unusable:
    """Return the id of a prediction whose every field has its type."""
    found = _decoded(_PREDICTIONS, value, "wrong_type")
    if isinstance(found, Unusable):
        return found
    return found.id if 1 <= len(found.id) <= LONGEST_ID else Unusable("bad_id", f"id must have 1 to {LONGEST_ID} characters")


def head_of(value: bytes | None) -> Head | Unusable:
    """Return a prediction's id and time."""
    return _decoded(_HEADS, value, "wrong_type")


def label_of(value: bytes | None, task: Task) -> LabelHead | Unusable:
    """Return a label; of a binary task it must be 0, 1 or null."""
    found = _decoded(_LABELS, value, "bad_label")
    if isinstance(found, LabelHead) and task == "binary" and found.label is not None and found.label not in _BINARY:
        return Unusable("bad_label", "label of a binary task must be 0, 1 or null")
    return found


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


def _decoded(decoder: msgspec.json.Decoder[AnyStruct], value: bytes | None, otherwise: Reason) -> AnyStruct | Unusable:
    if value is None:
        return Unusable(otherwise, "the record has no value")
    if len(value) > LARGEST_BYTES:
        return Unusable("too_large", f"the record has {len(value)} bytes, more than {LARGEST_BYTES}")
    try:
        return decoder.decode(value)
    except msgspec.ValidationError as error:
        detail = str(error)
        return Unusable(next((reason for field, reason in _FIELDS if detail.endswith(f"`$.{field}`")), otherwise), detail)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return Unusable("not_json", str(error))
