"""Requests that a logger sent as events."""

from __future__ import annotations

from collections.abc import Sequence

from streams.contracts.schema import ModelSchema
from streams.dialects._cloudevents import event_of, time_ms_of
from streams.dialects._payloads import asked_of
from streams.dialects._rows import Rows
from streams.dialects.base import Limits, Message, Refusal, Row


class LoggedRequests:
    """Reads the requests of one model.

    Args:
        schema: its columns.
        limits: of a request.
        types: of the events that are requests.
        ids: attributes that name a request; the first that an event has counts.
    """

    def __init__(self, schema: ModelSchema, limits: Limits, *, types: Sequence[str], ids: Sequence[str]) -> None:
        self._schema = schema
        self._rows = Rows(schema, limits)
        self._types = frozenset(types)
        self._ids = tuple(ids)

    def decode(self, message: Message) -> Row | Refusal:
        """Decode one record; never raises."""
        value = self._rows.readable(message.value)
        if isinstance(value, Refusal):
            return value
        event = event_of(message, value)
        if isinstance(event, Refusal):
            return event
        if event.type not in self._types:
            return Refusal("not_a_request", f"the event's type isn't {' or '.join(sorted(self._types))}")
        identity = next((event.attributes[name] for name in self._ids if name in event.attributes), None)
        if identity is None:
            return Refusal("missing_field", f"the event has no {' or '.join(self._ids)}")
        time_ms = time_ms_of(event, message)
        if isinstance(time_ms, Refusal):
            return time_ms
        asked = asked_of(event.data, self._schema)
        return asked if isinstance(asked, Refusal) else self._rows.of(identity, time_ms, asked.features)
