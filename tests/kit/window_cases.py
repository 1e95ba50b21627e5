"""Random windows over random streams, and a stream read bit by bit."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, get_args

import hypothesis.strategies as st
import pyarrow as pa

from streams.contracts.features import Aggregate, Window
from streams.contracts.schema import OWN_FACTS, Column, ModelSchema, SourceSchema
from streams.windows import snapshots
from streams.windows.facts import LARGEST_VALUE
from streams.windows.online import WindowState

HOUR_MS = 3_600_000
SCHEMA = ModelSchema(
    columns=(
        Column(name="place", kind="category"),
        Column(name="order", kind="category", role="key"),
        Column(name="size", kind="number"),
        Column(name="select", kind="number"),
    ),
    sources=(
        # Called as what a row is in SQL, and with the columns of requests, whose values are others here.
        SourceSchema(
            name="rows",
            columns=(
                Column(name="place", kind="category"),
                Column(name="order", kind="category"),
                Column(name="size", kind="number"),
                Column(name="select", kind="number"),
                Column(name="level", kind="number"),
            ),
        ),
    ),
)
TYPES = {"place": pa.string(), "order": pa.string(), "size": pa.float64(), "select": pa.float64()}
Row = dict[str, Any]
SPAN_MS = 60  # short streams over few times, so that ties are the rule

FILTERS = {
    "requests": [
        "size > 0",
        "not size <= 1",
        'place == "a"',
        'place in ("a", "b") or size < -1',
        'place not in ("A")',
        "is_missing(place)",
        "if_missing(size, 2) >= 1 and select != 1.5",
        "hour(time) == 0",
        "log(size) < 3",
        "size / select > 0",
    ],
    "outcomes": [
        "label > 0",
        'place == "a" and label <= 1',
        "is_missing(label)",
        "clip(size, 0, 1) == 1",
        "bucket(size, -1, 1) == 1",
    ],
    "rows": ["level > 0", 'place == "b"', "size >= level"],
}
OF_FACTS = ("count", "since")


class Shape(NamedTuple):
    """What is drawn of a window; what doesn't fit an aggregate is changed to what does."""

    aggregate: Any
    source: Any
    column: str
    by: list[str]
    range_ms: int
    delay_ms: int
    where: int
    back: int

    def window(self) -> Window:
        """Return the window."""
        filters = FILTERS[self.source]
        has_own = self.source in OWN_FACTS
        return Window(
            aggregate=self.aggregate if has_own or self.aggregate != "ratio" else "last",
            source=self.source,
            column=self._column(),
            by=tuple(self.by),
            range_ms=self.range_ms,
            delay_ms=self.delay_ms,
            where=filters[self.where] if self.where < len(filters) else None,
            back=self.back if self.aggregate == "lag" else 1,
        )

    def _column(self) -> str | None:
        if self.aggregate in OF_FACTS:
            return None
        if self.aggregate == "distinct":
            return "place" if self.column == "label" and self.source != "outcomes" else self.column
        if self.source == "rows":
            return "level" if self.column == "label" else "size"
        has_label = self.source == "outcomes" and self.column == "label" and self.aggregate != "ratio"
        return "label" if has_label else "size"


texts = st.sampled_from(["a", "b", "", "A", "é\0x", None])
numbers = st.one_of(
    st.sampled_from([None, 0.0, -0.0, 1.0, 1.5, -2.25, math.nan, math.inf, 1e30, 1e31, -1e300, 1e-12, -1e-30, 9e-31, 5e-324]),
    st.floats(-1e6, 1e6, allow_nan=False),
)
shapes = st.builds(
    Shape,
    st.sampled_from(get_args(Aggregate)),
    st.sampled_from(list(FILTERS)),
    st.sampled_from(["label", "size", "place"]),
    st.lists(st.sampled_from(list(TYPES)), max_size=2, unique=True),
    st.sampled_from([1, 2, 7, 30, 1_000]),
    st.sampled_from([0, 0, 1, 9]),
    st.integers(0, 19),
    st.sampled_from([1, 2, 3]),
)
windows = shapes.map(Shape.window)
rows = st.fixed_dictionaries(
    {
        "time": st.integers(0, SPAN_MS),
        "known": st.integers(0, 40),
        "late": st.integers(0, 100),
        "label": numbers,
        "place": texts,
        "order": texts,
        "size": numbers,
        "select": numbers,
    }
)


def everything() -> list[tuple[str, str, int]]:
    """Return each aggregate of each source with one of its filters, and so each filter too."""
    pairs = [(aggregate, source) for source in FILTERS for aggregate in get_args(Aggregate)]
    return [(aggregate, source, place % len(FILTERS[source])) for place, (aggregate, source) in enumerate(pairs)]


def windows_like(aggregate: str, source: str, where: int) -> st.SearchStrategy[Window]:
    """Windows of which so much is given."""
    return shapes.map(lambda shape: shape._replace(aggregate=aggregate, source=source, where=where).window())


@st.composite
def streams(draw: st.DrawFn, skew_ms: int) -> list[Row]:
    """Rows in any order, from some moment on; each fact comes at most `skew_ms` late."""
    begin = draw(st.sampled_from([0, 1_700_000_000_000]))
    drawn = draw(st.lists(rows, min_size=1, max_size=24))
    return [{**row, "time": begin + row["time"], "late": row["late"] * skew_ms // 100} for row in drawn]


@dataclass
class Covered:
    """What was drawn, so that a proof over too little fails."""

    seen: Counter[str] = field(default_factory=Counter)

    def note(self, specs: list[Window], stream: list[Row], partitions: int) -> None:
        """Count what a case has."""
        for spec in specs:
            self.seen["cases"] += 1
            self.seen[f"{spec.aggregate} of {spec.source}"] += 1
            self.seen[f"{len(spec.by)} keys"] += 1
            self.seen[f"where {spec.where}"] += spec.where is not None
            self.seen["delay"] += spec.delay_ms > 0
            self.seen["null key"] += any(row[key] is None for key in spec.by for row in stream)
            self.seen["number as key"] += "size" in spec.by or "select" in spec.by
        times = [row["time"] for row in stream]
        self.seen["tie"] += len(set(times)) < len(times)
        self.seen["late row"] += any(row["late"] for row in stream)
        self.seen["missing value"] += any(row["size"] is None for row in stream)
        self.seen["huge value"] += any(row["size"] is not None and abs(row["size"]) > LARGEST_VALUE for row in stream)
        self.seen[f"{partitions} partitions"] += 1

    def lacks(self, least: int) -> dict[str, int]:
        """Return what was drawn less than `least` times, and how often."""
        return {name: self.seen[name] for name in sorted(EXPECTED) if self.seen[name] < least}


EXPECTED = (
    {f"{aggregate} of {source}" for aggregate in get_args(Aggregate) for source in FILTERS} - {"ratio of rows"}
    | {f"where {text}" for texts in FILTERS.values() for text in texts}
    | {f"{number} keys" for number in (0, 1, 2)}
    | {"delay", "null key", "number as key", "tie", "late row", "missing value", "huge value", "1 partitions", "4 partitions"}
    | {"restored", "rebuilt", "merged"}
)


class Reader:
    """An online state that is now and then restored from a snapshot, or rebuilt from all that it was given.

    Its merges are left until someone makes them.
    """

    def __init__(self, specs: list[Window], skew_ms: int, folder: Path, covered: Covered) -> None:
        self._specs = specs
        self._skew_ms = skew_ms
        self._path = folder / "state"
        self._covered = covered
        self._given: list[tuple[str, list[Row]]] = []
        self._watermark_ms = 0
        self.state = WindowState(specs, SCHEMA, skew_ms)
        self.state.defer(1)

    def feed(self, kind: str, some: list[Row]) -> None:
        """Give it facts."""
        self._given.append((kind, some))
        self._fold(self.state, kind, some)

    def evict(self, watermark_ms: int) -> None:
        """Let it forget."""
        self._watermark_ms = watermark_ms
        self.state.evict(watermark_ms)

    def restart(self, how: str) -> None:
        """Stop, and begin again."""
        self._covered.seen[how] += 1
        if how == "restored":
            identity = snapshots.identity(self._specs, SCHEMA, self._skew_ms)
            snapshots.write(self._path, self.state.image(), identity, b"")
            self.state, _ = snapshots.read(self._path, self._specs, SCHEMA, self._skew_ms)
            self.state.defer(1)
        elif how == "merged":
            while (upkeep := self.state.due()) is not None:
                upkeep.make()
                upkeep.settle()
        elif how == "rebuilt":
            self.state = WindowState(self._specs, SCHEMA, self._skew_ms)
            self.state.evict(self._watermark_ms)
            for kind, some in self._given:
                self._fold(self.state, kind, some)

    def _fold(self, state: WindowState, kind: str, some: list[Row]) -> None:
        if kind == "request":
            state.add_requests([row["time"] for row in some], columns(some))
        elif kind == "outcome":
            state.add_outcomes([time_of("outcomes", row) for row in some], columns(some), [row["label"] for row in some])
        else:
            records = [as_fact("rows", row) for row in some]
            looked_up = {name: [record[name] for record in records] for name in (*TYPES, "level")}
            state.add_looked_up("rows", [time_of("rows", row) for row in some], looked_up)


def time_of(source: str, row: Row) -> int:
    """Return when what a row became as a fact was."""
    later: int = {"requests": 0, "outcomes": row["known"], "rows": row["known"] // 3}[source]
    return int(row["time"]) + later


def as_fact(source: str, row: Row) -> Row:
    """Return what a row became as a fact."""
    return {**row, "size": row["select"], "select": row["size"], "level": row["label"]} if source == "rows" else row


def read_online(reader: Reader, stream: list[Row], partitions: int, draw: st.DrawFn) -> dict[str, list[float | None]]:
    """Read every row in micro-batches of the merged stream, after random batches of what came before it, in random order.

    A fact comes any time before the first row that it is visible to is read: skew early to just in time.
    """
    events = [(row["time"], "read", i) for i, row in enumerate(stream)]
    events += [(row["time"] + row["late"], "request", i) for i, row in enumerate(stream)]
    events += [(time_of("outcomes", row) + row["late"], "outcome", i) for i, row in enumerate(stream)]
    events += [(time_of("rows", row) + row["late"], "record", i) for i, row in enumerate(stream)]
    by_partition = [[event for event in events if event[2] % partitions == p] for p in range(partitions)]
    found: dict[str, list[float | None]] = {spec.name: [None] * len(stream) for spec in reader.state.specs}
    order = sorted({time for time, _, _ in events})
    while order:
        size = draw(st.integers(1, len(order)))
        batch, order = set(order[:size]), order[size:]
        parts = [[e for e in part if e[0] in batch] for part in draw(st.permutations(by_partition))]
        facts = [e for part in parts for e in part if e[1] != "read"]
        if facts:
            facts = draw(st.permutations(facts))
        while facts:
            cut = draw(st.integers(1, len(facts)))
            for kind in ("request", "outcome", "record"):
                reader.feed(kind, [stream[i] for _, k, i in facts[:cut] if k == kind])
            facts = facts[cut:]
        reader.restart(draw(st.sampled_from(["", "restored", "rebuilt", "merged"])))
        reads = [i for part in parts for _, kind, i in part if kind == "read"]
        if reads:
            values = reader.state.values([stream[i]["time"] for i in reads], columns([stream[i] for i in reads]))
            for name, column in values.items():
                for i, value in zip(reads, column, strict=True):
                    found[name][i] = value
        if order:
            reader.evict(order[0])
    return found


def columns(some: list[Row]) -> Row:
    """Return rows as columns."""
    return {name: [row[name] for row in some] for name in TYPES}


def tables(stream: list[Row]) -> dict[str, pa.Table]:
    """Return rows, requests and outcomes as tables."""
    data = {name: pa.array([row[name] for row in stream], kind) for name, kind in TYPES.items()}
    times = pa.array([row["time"] for row in stream], pa.int64())
    known = pa.array([time_of("outcomes", row) for row in stream], pa.int64())
    label = pa.array([row["label"] for row in stream], pa.float64())
    row = pa.array(range(len(stream)), pa.int64())
    return {
        "rows": pa.table({"row": row, "time_ms": times, **data}),
        "requests": pa.table({"time_ms": times, **data}),
        "outcomes": pa.table({"known_ms": known, **data, "label": label}),
        "source_rows": pa.table(
            {
                "time_ms": pa.array([time_of("rows", row) for row in stream], pa.int64()),
                **data,
                "size": data["select"],
                "select": data["size"],
                "level": label,
            }
        ),
    }
