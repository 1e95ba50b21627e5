"""Durations as people write them in a config: `90s`, `1h`, `30d`. In code they are whole milliseconds."""

from __future__ import annotations

import re
from typing import Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema

_UNITS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_FORM = re.compile(r"([0-9]{1,15})(ms|s|m|h|d)")
_LONGEST_MS = 100 * 366 * 86_400_000


class Duration(int):
    """A length of time in milliseconds; an int in every other way.

    A number without a unit is refused, because nobody can say whether 30 means seconds or days; only 0 needs none.
    """

    @classmethod
    def of(cls, text: str) -> Duration:
        """Read `250ms`, `90s`, `15m`, `1h` or `30d`.

        Raises:
            ValueError: it has another form, or is longer than 100 years.
        """
        found = _FORM.fullmatch(text.strip())
        if found is None:
            raise ValueError(f"must be a duration with a unit, for instance 90s, 15m, 1h or 30d, not {text!r}")
        milliseconds = int(found[1]) * _UNITS[found[2]]
        if milliseconds > _LONGEST_MS:
            raise ValueError(f"must be at most 100 years, not {text!r}")
        return cls(milliseconds)

    @property
    def ms(self) -> int:
        """Milliseconds, as a plain int."""
        return int(self)

    @property
    def seconds(self) -> float:
        """Seconds."""
        return int(self) / 1_000

    def __str__(self) -> str:
        """Write it the way it is read."""
        for unit in ("d", "h", "m", "s"):
            if self and int(self) % _UNITS[unit] == 0:
                return f"{int(self) // _UNITS[unit]}{unit}"
        return f"{int(self)}ms"

    def __repr__(self) -> str:
        return f"Duration.of({str(self)!r})"

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            _validate, serialization=core_schema.plain_serializer_function_ser_schema(str, when_used="json")
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"type": "string", "pattern": f"^{_FORM.pattern}$", "examples": ["90s", "1h", "30d"]}


def _validate(value: object) -> Duration:
    if isinstance(value, Duration):
        return value
    if value == 0 and not isinstance(value, bool):
        return Duration(0)
    if isinstance(value, str):
        return Duration.of(value)
    raise ValueError(f"must be a duration with a unit, for instance 90s, 15m, 1h or 30d, not {value!r}")
