"""CloudEvents 1.0 over Kafka: attributes in headers and the data as the value, or all of it as one JSON object.

Source: cloudevents/spec, bindings/kafka-protocol-binding.md, 1.0.2.
"""

from __future__ import annotations

import base64
from typing import Any, NamedTuple

import msgspec

from streams.dialects._headers import texts_of
from streams.dialects._rows import UNREADABLE, unreadable
from streams.dialects._times import time_of
from streams.dialects.base import Message, Refusal

_STRUCTURED = "application/cloudevents"
_PREFIX = "ce_"
_NO_EVENT = "no event: there is no header ce_type, and the value isn't an object with a specversion"


class Event(NamedTuple):
    """An event's attributes and extensions by lower-case name, and its data."""

    attributes: dict[str, str]
    data: bytes

    @property
    def type(self) -> str:
        """What happened."""
        return self.attributes.get("type", "")


class _Structured(msgspec.Struct):
    data: msgspec.Raw = msgspec.Raw(b"")
    data_base64: str = ""


def event_of(message: Message, value: bytes) -> Event | Refusal:
    """Read an event in either mode.

    Args:
        message: whose headers say which.
        value: its value, not too large.
    """
    headers = texts_of(message.headers)
    attributes = {name.removeprefix(_PREFIX): text for name, text in headers.items() if name.startswith(_PREFIX)}
    if "type" in attributes and not headers.get("content-type", "").lower().startswith(_STRUCTURED):
        return Event(attributes, value)
    # The Python SDK writes structured events under the content-type of their data, so the value must say what it is.
    return _structured(value)


def time_ms_of(event: Event, message: Message) -> int | Refusal:
    """Return the event's time, or when the broker got the record where it has none."""
    told = event.attributes.get("time")
    return message.timestamp_ms if told is None else time_of(told, "rfc3339", "time")


def _structured(value: bytes) -> Event | Refusal:
    try:
        plain: dict[str, Any] = msgspec.json.decode(value, type=dict[str, Any])
        held = msgspec.json.decode(value, type=_Structured)
        data = base64.b64decode(held.data_base64, validate=True) if held.data_base64 else bytes(held.data)
    except msgspec.ValidationError:
        return Refusal("missing_field", _NO_EVENT)
    except UNREADABLE as error:
        return unreadable(error)
    except ValueError:
        return Refusal("wrong_type", "data_base64 isn't base64")
    if "specversion" not in plain:
        return Refusal("missing_field", _NO_EVENT)
    return Event({name: text for name, text in plain.items() if isinstance(text, str) and name != "data"}, data)
