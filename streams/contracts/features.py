"""Feature specs: features are data, never code.

An *expression* is stateless and becomes ONNX nodes inside the model's graph; a *window* aggregates what
was known before a row, per key, and is computed in columns (offline), in incremental state (online) and in SQL.
"""

from __future__ import annotations

import hashlib
from typing import Literal

import msgspec

from streams.contracts.errors import ContractError
from streams.contracts.schema import ModelSchema

Aggregate = Literal["count", "sum", "mean"]
Source = Literal["requests", "outcomes"]

LABEL = "label"


class Window(msgspec.Struct, frozen=True, kw_only=True, tag="window"):
    """An aggregate of past facts, per key, over a range of time that ends before the row.

    A fact of `requests` is a valid request at its event time; a fact of `outcomes` is a label at the time
    it was *known*. For a row at time t, with delay d = `delay_ms` + the model's allowed skew and range r,
    exactly the facts with time f in [t - d - r, t - d) count, online and offline alike. Of all facts with the
    row's key: `count` counts them (0 when there are none), `sum` and `mean` are over `column` (facts where
    it is missing are left out; the sum of nothing is 0, the mean of nothing is missing). A row with a
    missing key has a missing value. An empty `by` means all rows share one key.
    """

    aggregate: Aggregate
    source: Source
    column: str | None = None
    by: tuple[str, ...] = ()
    range_ms: int
    delay_ms: int = 0

    def __post_init__(self) -> None:
        """Refuse what has no meaning."""
        if self.range_ms <= 0 or self.delay_ms < 0:
            raise ContractError(
                f"window: range_ms must be positive and delay_ms not negative, got {self.range_ms} and {self.delay_ms}"
            )
        if (self.column is None) != (self.aggregate == "count"):
            raise ContractError(f"window: {self.aggregate} {'takes no' if self.aggregate == 'count' else 'needs a'} column")

    @property
    def name(self) -> str:
        """A stable column name, unique for the spec: `w_` and 12 hex digits of its digest."""
        canonical = msgspec.json.encode(self, order="deterministic")
        return "w_" + hashlib.sha256(canonical).hexdigest()[:12]

    @property
    def text(self) -> str:
        """The form people read, for instance `mean(outcome.label) by origin over 2h`."""
        facts = "outcomes" if self.source == "outcomes" else "requests"
        column = facts if self.column is None else ("outcome." if self.source == "outcomes" else "") + self.column
        by = f" by {', '.join(self.by)}" if self.by else ""
        delay = f" known {duration_text(self.delay_ms)} before" if self.delay_ms else ""
        return f"{self.aggregate}({column}){by} over {duration_text(self.range_ms)}{delay}"

    def check(self, schema: ModelSchema) -> None:
        """Check the spec against a model's schema.

        Raises:
            ContractError: a key or column isn't declared, is tagged, or has the wrong kind.
        """
        for key in self.by:
            schema.column(key)
        if self.column is None or (self.source == "outcomes" and self.column == LABEL):
            return
        if schema.column(self.column).kind != "number":
            raise ContractError(f"window {self.text}: column {self.column!r} isn't a number")


class Expression(msgspec.Struct, frozen=True, kw_only=True, tag="expression"):
    """A stateless feature computed inside the model's graph from the row alone.

    `text` is a formula in the small expression language (`streams/inference/expressions.py`), over numeric columns,
    window names and `time` parts; no Python is ever evaluated.
    """

    name: str
    text: str


Feature = Window | Expression


def duration_text(milliseconds: int) -> str:
    """Write a duration the way people do: `90s`, `2h`, `7d`."""
    for unit, size in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000)):
        if milliseconds >= size and milliseconds % size == 0:
            return f"{milliseconds // size}{unit}"
    return f"{milliseconds}ms"
