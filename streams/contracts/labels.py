"""What a record of a labels topic may be, and why one can't be used: joining and archiving must agree on it."""

from __future__ import annotations

from typing import Annotated, Literal, TypeVar

import msgspec

from streams.contracts.records import Label
from streams.contracts.schema import Task

LONGEST_ID = 256
# 1980 and 2100: seconds or microseconds given as milliseconds fall outside.
EARLIEST_MS = 315_532_800_000
LATEST_MS = 4_102_444_800_000
LARGEST_BYTES = 1 << 20

AnyStruct = TypeVar("AnyStruct", bound=msgspec.Struct)
Reason = Literal["not_json", "too_large", "bad_id", "absurd_time", "wrong_type", "bad_label"]
Id = Annotated[str, msgspec.Meta(min_length=1, max_length=LONGEST_ID)]
Time = Annotated[int, msgspec.Meta(ge=EARLIEST_MS, le=LATEST_MS)]


class LabelHead(Label, gc=False):
    """A label within its bounds."""

    id: Id
    label: float | None
    time_ms: Time


class Unusable(msgspec.Struct, frozen=True):
    """Why a record goes to quarantine. `detail` names fields and types, never values."""

    reason: Reason
    detail: str


_LABELS = msgspec.json.Decoder(LabelHead)
_BINARY = (0.0, 1.0)
_FIELDS: tuple[tuple[str, Reason], ...] = (("id", "bad_id"), ("time_ms", "absurd_time"))


def label_of(value: bytes | None, task: Task) -> LabelHead | Unusable:
    """Return a label; of a binary task it must be 0, 1 or null."""
    found = typed(_LABELS, value, "bad_label")
    if isinstance(found, LabelHead) and task == "binary" and found.label is not None and found.label not in _BINARY:
        return Unusable("bad_label", "label of a binary task must be 0, 1 or null")
    return found


def typed(decoder: msgspec.json.Decoder[AnyStruct], value: bytes | None, otherwise: Reason) -> AnyStruct | Unusable:
    """Decode a record's value; never raises.

    Args:
        decoder: of what it should be.
        value: of the record.
        otherwise: the reason where no better one is known.
    """
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
