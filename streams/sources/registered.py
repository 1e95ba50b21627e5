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

    `key` is the installation's, 32 bytes, where columns are protected: what is equal in requests and here stays equal.
    """

    name: str
    topic: str
    columns: tuple[Column, ...]
    dialect: str = "native"
    dialect_options: Mapping[str, Any] = {}
    key: bytes | None = None

    def open(self) -> Dialect:
        """Return what decodes its records, with the protected columns protected.

        Raises:
            ContractError: the dialect's options have no meaning.
        """
        schema = ModelSchema(columns=self.columns)
        dialect: Dialect = load_kind("streams.dialects", self.dialect).open_dialect(schema, Limits(), self.dialect_options)
        return dialect if self.key is None else _Protected(dialect, Protection(schema, self.key))


class _Protected:
    def __init__(self, dialect: Dialect, protection: Protection) -> None:
        self._dialect = dialect
        self._protection = protection

    def decode(self, message: Message) -> Row | Refusal:
        """Decode one record; never raises."""
        row = self._dialect.decode(message)
        if not isinstance(row, Refusal):
            self._protection.protect(row.features)
        return row
