"""Requests and answers that a logger sent as events."""

from __future__ import annotations

from collections.abc import Sequence

from streams.contracts.schema import ModelSchema
from streams.dialects._answers import Chosen, answer_of, given_in
from streams.dialects._cloudevents import Event, event_of, time_ms_of
from streams.dialects._payloads import asked_of
from streams.dialects._rows import Rows, readable
from streams.dialects.base import Answer, Limits, Message, Reason, Refusal, Row


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
        self._wanted = _Wanted(limits, types, ids, "not_a_request")

    def decode(self, message: Message) -> Row | Refusal:
        """Decode one record; never raises."""
        found = self._wanted.of(message)
        if isinstance(found, Refusal):
            return found
        event, identity = found
        time_ms = time_ms_of(event, message)
        if isinstance(time_ms, Refusal):
            return time_ms
        asked = asked_of(event.data, self._schema)
        return asked if isinstance(asked, Refusal) else self._rows.of(identity, time_ms, asked.features)


class LoggedAnswers:
    """Reads the answers of one model.

    Args:
        limits: of an answer.
        chosen: which number is the score.
        types: of the events that are answers.
        ids: attributes that name the request; the first that an event has counts.
    """

    def __init__(self, limits: Limits, chosen: Chosen, *, types: Sequence[str], ids: Sequence[str]) -> None:
        self._limits = limits
        self._chosen = chosen
        self._wanted = _Wanted(limits, types, ids, "not_an_answer")

    def decode(self, message: Message) -> Answer | Refusal:
        """Decode one record; never raises."""
        found = self._wanted.of(message)
        if isinstance(found, Refusal):
            return found
        event, identity = found
        given = given_in(event.data, self._chosen)
        return given if isinstance(given, Refusal) else answer_of(identity, given, self._chosen, self._limits)


class _Wanted:
    """Events of some types, with the first of some attributes, which names the request; others are refused as `otherwise`."""

    def __init__(self, limits: Limits, types: Sequence[str], ids: Sequence[str], otherwise: Reason) -> None:
        self._limits = limits
        self._types = frozenset(types)
        self._ids = tuple(ids)
        self._otherwise = otherwise

    def of(self, message: Message) -> tuple[Event, str] | Refusal:
        """Return a record's event and the request's id."""
        value = readable(message.value, self._limits)
        if isinstance(value, Refusal):
            return value
        event = event_of(message, value)
        if isinstance(event, Refusal):
            return event
        if event.type not in self._types:
            return Refusal(self._otherwise, f"the event's type isn't {' or '.join(sorted(self._types))}")
        identity = next((event.attributes[name] for name in self._ids if name in event.attributes), None)
        if identity is None:
            return Refusal("missing_field", f"the event has no {' or '.join(self._ids)}")
        return event, identity
