"""One registered source, and what reads its records: serving and archiving must agree on what they are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from streams.contracts.schema import Column, ModelSchema
from streams.dialects.base import Dialect, Limits, Message, Refusal, Row
from streams.runtime.plugins import load_kind
from streams.runtime.protection import Protection


class Registered(NamedTuple):
    """A source: its name, its columns, its topic, and how its records look on the wire, which is as requests may look.

    `ahead_ms` is how far a record's time may lie after its timestamp, None for any: it would be held in memory until then.
    `key` is the installation's, 32 bytes, where columns are protected: what is equal in requests and here stays equal.
    """

    name: str
    topic: str
    columns: tuple[Column, ...]
    dialect: str = "native"
    dialect_options: Mapping[str, Any] = {}
    ahead_ms: int | None = None
    key: bytes | None = None

    def __repr__(self) -> str:
        """Say which source this is, without its key."""
        return f"Registered({self.name!r}, {self.topic!r})"

    def open(self) -> Dialect:
        """Return what decodes its records, with the protected columns protected.

        Raises:
            ContractError: the dialect's options have no meaning.
        """
        schema = ModelSchema(columns=self.columns)
        dialect: Dialect = load_kind("streams.dialects", self.dialect).open_dialect(schema, Limits(), self.dialect_options)
        return _Checked(dialect, self.ahead_ms, Protection(schema, self.key) if self.key is not None else None)


class _Checked:
    def __init__(self, dialect: Dialect, ahead_ms: int | None, protection: Protection | None) -> None:
        self._dialect = dialect
        self._ahead_ms = ahead_ms
        self._protection = protection

    def decode(self, message: Message) -> Row | Refusal:
        """Decode one record; never raises."""
        row = self._dialect.decode(message)
        if isinstance(row, Refusal):
            return row
        if self._ahead_ms is not None and row.time_ms - message.timestamp_ms > self._ahead_ms:
            return Refusal("absurd_time", f"time_ms: more than {self._ahead_ms} ms after the record's timestamp")
        if self._protection is not None:
            self._protection.protect(row.features)
        return row
