"""How fast features are computed, on one core: `python -m tests.bench.features`.

- Online: ten windows over a million keys, batches of rows that are folded and read at once.
- Offline: 31 windows for every one of 1.2 million card payments, point in time.
- A training set: a month of them with 16 windows, out of the lake.
- Archiving: predictions as they come from the log, decoded and committed to the lake.

Beside each stands a plain way of doing a part of it, in the same run, because machines are now fast, now slow: deques per key,
pandas' rolling windows, rows parsed one by one. Seconds are of the processor. Ends with 1 while a bar is missed.
"""

from __future__ import annotations

import argparse
import atexit
import gc
import json
import sys
import tempfile
import time
from collections import defaultdict, deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from rich.console import Console

from skills import build_dataset, import_history
from streams.app import spare_collector
from streams.archiving.decoding import Decoder
from streams.contracts.records import Prediction
from streams.contracts.schema import Column, ModelSchema
from streams.features.text import parse_window
from streams.lake.lake import Lake
from streams.lake.tables import PREDICTIONS
from streams.serving.feed import MOST_AT_ONCE
from streams.transport.records import Record
from streams.windows.offline import window_values
from streams.windows.online import WindowState
from tests.bench.bars import Bar, show
from tests.kit import recorded
from tests.kit.recorded import DAY_MS, Recorded

ONLINE_ROWS, ARCHIVED_ROWS = 100_000.0, 100_000.0
OFFLINE_SECONDS, TRAINING_SECONDS = 20.0, 15.0
KEYS = 1_000_000
TOLD_KEYS = 2_000_000
READ_ROWS = 400_000
BATCH = 4_000
START_MS = 1_700_000_000_000
CARDS = ModelSchema(columns=(Column(name="card", kind="category", role="key"), Column(name="amount", kind="number")))
TEN = tuple(
    parse_window(f"{text} by card over {size}")
    for text, size in (
        ("count(requests)", "10m"),
        ("count(requests)", "1h"),
        ("count(requests)", "1d"),
        ("mean(amount)", "1h"),
        ("mean(amount)", "1d"),
        ("mean(amount)", "7d"),
        ("sum(amount)", "7d"),
        ("max(amount)", "1d"),
        ("last(amount)", "7d"),
        ("since(requests)", "7d"),
    )
)

screen = Console(highlight=False, soft_wrap=True)


def times(ratio: float) -> str:
    """Say how many times the plain way it is."""
    return f"{ratio:.1f} times the plain way"


class Took:
    """Seconds of this process's processors."""

    seconds = 0.0


@contextmanager
def taking() -> Iterator[Took]:
    """Measure a block."""
    took, begin = Took(), time.process_time()
    yield took
    took.seconds = time.process_time() - begin


def online() -> Bar:
    """Fold and read rows of a million keys, of which each was seen twice."""
    rng = np.random.default_rng(0)
    names = np.array([f"card-{number:07d}" for number in range(KEYS)], dtype=object)
    state = WindowState(TEN, CARDS, 60_000)

    def batch(first: int, which: NDArray[np.int64]) -> tuple[NDArray[np.int64], dict[str, Any]]:
        amounts = np.round(rng.lognormal(3, 1, len(which)), 2)
        return START_MS + first + np.arange(len(which)), {"card": names[which].tolist(), "amount": amounts}

    for first in range(0, TOLD_KEYS, 100_000):
        state.add_requests(*batch(first, np.arange(first, first + 100_000) % KEYS))
    batches = [batch(TOLD_KEYS + first, rng.integers(0, KEYS, BATCH)) for first in range(0, READ_ROWS, BATCH)]
    # As live serving does: large merges are made beside, which costs as much, but no batch waits for them.
    state.defer(MOST_AT_ONCE)
    state.arrays(*batches[0])
    longest = 0.0
    with taking() as took:
        for times, columns in batches:
            with taking() as one:
                state.add_requests(times, columns)
                state.arrays(times, columns)
                state.evict(int(times[0]) - 60_000)
            longest = max(longest, one.seconds)
            while (upkeep := state.due()) is not None:
                upkeep.make()
                upkeep.settle()
    plain = _plain_rows(batches[:5])
    screen.print(
        f"online: {len(state):,} facts of {KEYS:,} keys; the longest batch of {BATCH:,} rows took {longest * 1e3:.0f} ms"
    )
    rate = READ_ROWS / took.seconds
    return Bar("online, ten windows over a million keys", rate, ONLINE_ROWS, "rows/s", times(rate / plain))


def _plain_rows(batches: list[tuple[NDArray[np.int64], dict[str, Any]]]) -> float:
    """The counts and means alone, row by row: a deque of facts per key, walked at each read. Returns rows a second."""
    facts: dict[str, deque[tuple[int, float]]] = defaultdict(deque)
    ranges = sorted({window.range_ms for window in TEN})
    rows = 0
    with taking() as took:
        for times, columns in batches:
            for time_ms, card, amount in zip(times.tolist(), columns["card"], columns["amount"].tolist(), strict=True):
                of_card = facts[card]
                while of_card and of_card[0][0] < time_ms - ranges[-1]:
                    of_card.popleft()
                for size in ranges:
                    values = [value for at, value in of_card if time_ms - size <= at < time_ms]
                    _ = (len(values), sum(values) / len(values) if values else None, max(values, default=None))
                of_card.append((time_ms, amount))
                rows += 1
    return rows / took.seconds


def offline(stream: Recorded) -> Bar:
    """Compute all windows for every row; pandas does one kind of them, counts per customer."""
    rows = stream.requests.num_rows
    with taking() as took:
        for _, values in window_values(stream.windows, stream.schema, 0, stream.requests, stream.facts):
            assert len(values) == rows
    table = stream.requests.to_pandas()
    table.index = pd.to_datetime(table["time_ms"], unit="ms")
    with taking() as plain:
        for size in ("10min", "1h", "1D", "7D", "30D"):
            table.groupby("customer")["amount"].rolling(size, closed="left").count()
    share = len(stream.windows) / 5
    name = f"offline, {len(stream.windows)} windows for {rows:,} rows"
    return Bar(name, took.seconds, OFFLINE_SECONDS, "s", times(plain.seconds * share / took.seconds))


def training(stream: Recorded, folder: Path) -> Bar:
    """Build the set of days 60 to 90 with 16 windows that reach back 30 days."""
    count = stream.requests.num_rows
    begin_ms = int(stream.requests.column("time_ms")[0].as_py())
    label = stream.outcomes.column("label")
    rows = {name: stream.requests.column(name) for name in stream.requests.column_names}
    rows |= {"id": pa.array([f"{number:07d}" for number in range(count)]), "label": label}
    rows["known_ms"] = stream.outcomes.column("known_ms")
    pq.write_table(pa.table(rows), folder / "past.parquet")
    common: dict[str, Any] = {"lake": str(folder / "lake"), "model": "payments"}
    past = import_history.Input(**common, schema=stream.schema, table=str(folder / "past.parquet"), name="past")
    import_history.run(past, folder)
    request = build_dataset.Input(
        **common,
        registry=str(folder / "registry"),
        schema=stream.schema,
        until_ms=begin_ms + 97 * DAY_MS,
        train_ms=37 * DAY_MS,
        sealed_ms=7 * DAY_MS,
        label_delay_ms=7 * DAY_MS,
        windows=stream.windows[:16],
    )
    with taking() as took:
        made = build_dataset.run(request, folder)
    with taking() as again:
        pd.read_parquet(folder / "past.parquet").sort_values(["time_ms", "id"])
    name = f"training set, 16 windows for {made.rows_train + made.rows_sealed:,} rows"
    return Bar(name, took.seconds, TRAINING_SECONDS, "s", times(again.seconds / took.seconds))


def archiving(folder: Path) -> Bar:
    """Decode and commit predictions of six columns and ten windows, 50,000 at a time."""
    columns = tuple(Column(name=f"c{number}", kind="number") for number in range(4))
    schema = ModelSchema(columns=(*columns, Column(name="card", kind="category"), Column(name="shop", kind="category")))
    records = [Record("t", 0, number, b"k", _prediction(number), (), 0) for number in range(200_000)]
    lake, decoder = Lake(folder / "archive"), Decoder(schema, PREDICTIONS)
    with taking() as took:
        for first in range(0, len(records), 50_000):
            decoded = decoder.decode(records[first : first + 50_000])
            assert not decoded.undecodable
            lake.append("payments", PREDICTIONS, decoded.rows, {"t/0": first + 50_000})
    with taking() as plain:
        pa.Table.from_pylist([json.loads(record.value or b"") for record in records[:20_000]])
    rate = len(records) / took.seconds
    return Bar("archiving", rate, ARCHIVED_ROWS, "rows/s", times(rate / (20_000 / plain.seconds)))


def _prediction(number: int) -> bytes:
    columns = {**{f"c{one}": number / 7 + one for one in range(4)}, "card": f"card-{number % 5_000}", "shop": f"s{number % 900}"}
    return msgspec.json.encode(
        Prediction(
            id=f"{number:09d}",
            partition=0,
            offset=number,
            time_ms=START_MS + number,
            columns=columns,
            windows={window.name: float(number % 9) for window in TEN},
            score=0.25,
            digest="d" * 64,
            generation=1,
            flags=[],
        )
    )


def main() -> int:
    """Measure everything; return the exit status."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    spare_collector()  # as every process of the product does
    atexit.register(gc.unfreeze)  # else DuckDB lists what was never let go of
    bars = [online()]
    with tempfile.TemporaryDirectory(prefix="driftwake-features-") as folder:
        bars.append(archiving(Path(folder)))
        if recorded.DATA.is_dir():
            stream = recorded.fraud()
            bars += [offline(stream), training(stream, Path(folder))]
        else:
            screen.print("the card payments aren't beside the checkout: offline columns and training sets aren't measured")
    return show(bars, screen)


if __name__ == "__main__":
    sys.exit(main())
