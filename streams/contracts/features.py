"""Feature specs: features are data, never code.

An *expression* is stateless and becomes ONNX nodes inside the model's graph; a *window* aggregates what
was known before a row, per key, and is computed in columns (offline), in incremental state (online) and in SQL.
"""

from __future__ import annotations

import hashlib
from typing import Literal

import msgspec

from streams.contracts.errors import ContractError
from streams.contracts.schema import OWN_FACTS, ModelSchema

Aggregate = Literal["count", "sum", "mean", "min", "max", "std", "distinct", "last", "lag", "since", "ratio", "trend"]
Source = str
"""`requests`, `outcomes`, or the name of a registered source."""

LABEL = "label"
MOST_BACK = 32

_OF_FACTS = ("count", "since")
_OF_ANY_KIND = ("distinct",)


class Window(msgspec.Struct, frozen=True, kw_only=True, tag="window"):
    """An aggregate of past facts, per key, over a range of time that ends before the row.

    A fact of `requests` is a valid request at its event time; a fact of `outcomes` is a label at the time it was *known*; a fact
    of a registered source is a record of it at its time, so that `last(weather.wind) by origin over 6h` is an as-of join. For a
    row at time t, with delay d = `delay_ms` + the model's allowed skew and range r, exactly the facts with time f in [t - d - r,
    t - d) count, online and offline alike, of those the ones with the row's key for which `where` is true. A row with a missing
    key has a missing value. An empty `by` means all rows share one key. Facts where `column` is missing are left out, of `count`
    and `since` none. Then an aggregate is

    - `count`: how many there are; 0 when there are none;
    - `sum`, `mean`, `min`, `max` of the values; the sum of nothing is 0, the others are missing;
    - `std`: their standard deviation with n - 1 below; missing of fewer than two; less than a billionth of the mean is 0;
    - `distinct`: how many different values there are, of a number or a category; 0 when there are none;
    - `last`: the value at the latest time; `lag`: that at the `back`-th latest time; of several at one time the largest;
    - `since`: seconds from the latest fact to the row; missing when there is none;
    - `ratio`: the row's own value of `column` over the mean of the others; missing where either is, or the mean is 0;
    - `trend`: the slope of the least-squares line through the values, in units an hour; missing unless there are two times.
    """

    aggregate: Aggregate
    source: Source
    column: str | None = None
    by: tuple[str, ...] = ()
    range_ms: int
    delay_ms: int = 0
    where: str | None = None
    back: int = 1

    def __post_init__(self) -> None:
        """Refuse what has no meaning."""
        if self.range_ms <= 0 or self.delay_ms < 0:
            raise ContractError(
                f"window: range_ms must be positive and delay_ms not negative, got {self.range_ms} and {self.delay_ms}"
            )
        if (self.column is None) != (self.aggregate in _OF_FACTS):
            raise ContractError(f"window: {self.aggregate} {'takes no' if self.aggregate in _OF_FACTS else 'needs a'} column")
        if not 1 <= self.back <= MOST_BACK or (self.back > 1 and self.aggregate != "lag"):
            raise ContractError(f"window: back is for lag, from 1 to {MOST_BACK}, got {self.back} for {self.aggregate}")
        if self.aggregate == "ratio" and self.source == "outcomes" and self.column == LABEL:
            raise ContractError("window: a row has no label of its own to put over the mean of others")
        if self.aggregate == "ratio" and self.source not in OWN_FACTS:
            raise ContractError(f"window: a row has no value of {self.source} of its own to put over the mean of others")

    @property
    def name(self) -> str:
        """A stable column name, unique for the spec: `w_` and 12 hex digits of its digest."""
        # What came later to the language counts only where it is used, so names in older bundles stay.
        said = {key: value for key, value in msgspec.to_builtins(self).items() if (key, value) not in _LATER.items()}
        canonical = msgspec.json.encode(said)
        return "w_" + hashlib.sha256(canonical).hexdigest()[:12]

    @property
    def text(self) -> str:
        """The form people read and write, for instance `mean(outcome.label) by origin over 2h`."""
        prefix = {"requests": "", "outcomes": "outcome."}.get(self.source, f"{self.source}.")
        column = self.source if self.column is None else prefix + self.column
        back = f", {self.back}" if self.aggregate == "lag" else ""
        by = f" by {', '.join(self.by)}" if self.by else ""
        delay = f" known {duration_text(self.delay_ms)} before" if self.delay_ms else ""
        where = f" where {self.where}" if self.where is not None else ""
        return f"{self.aggregate}({column}{back}){by} over {duration_text(self.range_ms)}{delay}{where}"

    def check(self, schema: ModelSchema) -> None:
        """Check the spec against a model's schema; what its filter means is checked where filters are read.

        Raises:
            ContractError: a key or column isn't declared, has the wrong kind, or is a tagged column that nobody has granted (as
                a key it may be).
        """
        schema.columns_of(self.source)
        for key in self.by:
            of_row, of_facts = schema.column(key), schema.column_of(self.source, key)
            if of_row.kind != of_facts.kind:
                raise ContractError(
                    f"window {self.text}: {key} is a {of_row.kind} of the row and a {of_facts.kind} of {self.source}"
                )
        if self.column is None or (self.source == "outcomes" and self.column == LABEL):
            return
        schema.check_granted([self.column], f"window {self.text}", self.source)
        if schema.column_of(self.source, self.column).kind != "number" and self.aggregate not in _OF_ANY_KIND:
            raise ContractError(f"window {self.text}: column {self.column!r} isn't a number")


_LATER = {"where": None, "back": 1}


class Expression(msgspec.Struct, frozen=True, kw_only=True, tag="expression"):
    """A stateless feature computed inside the model's graph from the row alone.

    `text` is a formula in the language of `streams/features/expressions.py`, over columns,
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
