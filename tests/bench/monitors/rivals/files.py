"""Real rows, and what breaks in them. They are drawn from a file at random, so that nothing but the break changes."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier

from tests.bench.monitors.rivals.worlds import Alter, Change, World, shifted

_TRAINED_ON = 20_000


class File(NamedTuple):
    """A file, what of it is read, and the number and the category that break; None where none can, all being as frequent.

    `time` is the column of a stream that stays as it is from day to day, None where seasons or what people do change it.
    """

    name: str
    file: str
    numbers: tuple[str, ...]
    categories: tuple[str, ...]
    label: str
    number: str
    category: str | None
    time: str | None = None


class Opened(NamedTuple):
    """A file as a world, and all its rows that the model wasn't trained on, as they came."""

    world: World
    kept: pd.DataFrame


FILES = (
    File(
        "hotel",
        "hotel_bookings.parquet",
        ("lead_time", "adults", "stays_in_week_nights", "previous_cancellations", "total_of_special_requests", "adr"),
        ("meal", "country", "market_segment", "deposit_type", "agent"),
        "is_canceled",
        "adr",
        "market_segment",
    ),
    File(
        "flights",
        "nyc_flights_2013-01_08.parquet",
        ("distance", "sched_dep_time", "sched_arr_time"),
        ("carrier", "origin", "dest"),
        "late15",
        "distance",
        "carrier",
    ),
    File(
        "elec2",
        "elec2.parquet",
        ("period", "nswprice", "nswdemand", "vicprice", "vicdemand", "transfer"),
        (),
        "up",
        "nswdemand",
        None,
    ),
    File(
        "fraud", "fraud_handbook_2018-04_07.parquet", ("tx_amount",), ("weekday",), "tx_fraud", "tx_amount", None, "tx_datetime"
    ),
)


def read(folder: Path, file: File) -> Opened:
    """Make a world of a file. The model is trained on rows of their own, which are in no stream.

    Streams are drawn from the other rows at random. Those are also given in their order, with `time_ms`, where the file has a
    time.
    """
    rows = _table(folder, file)
    order = np.random.default_rng(0).permutation(len(rows))
    trained, kept = rows.iloc[order[:_TRAINED_ON]], rows.iloc[np.sort(order[_TRAINED_ON:])].reset_index(drop=True)
    drawable = kept[[*file.numbers, *file.categories, "label"]]
    codes = {name: {value: code for code, value in enumerate(sorted(rows[name].dropna().unique()))} for name in file.categories}

    def encoded(table: pd.DataFrame) -> pd.DataFrame:
        # `map` makes NaN of what is missing, which the model knows as such.
        return pd.DataFrame(
            {name: table[name].map(codes[name]) if name in codes else table[name] for name in (*file.numbers, *file.categories)}
        ).astype(np.float64)

    model = HistGradientBoostingClassifier(random_state=0).fit(encoded(trained), trained["label"])

    def draw(number: int, generator: np.random.Generator) -> pd.DataFrame:
        return drawable.iloc[generator.integers(0, len(drawable), number)].reset_index(drop=True)

    def answer(drawn: pd.DataFrame, _: np.random.Generator) -> pd.DataFrame:
        return drawn.assign(score=model.predict_proba(encoded(drawn))[:, 1])

    return Opened(World(file.name, file.numbers, file.categories, draw, answer, _breaks(file, rows), horizon=100), kept)


def _table(folder: Path, file: File) -> pd.DataFrame:
    rows = pd.read_parquet(folder / file.file)
    if file.name == "elec2":
        rows = rows[rows["ts"] >= "1997-05-06"]  # before, three columns are constant
    if file.name == "fraud":
        rows = rows.assign(weekday=rows["tx_datetime"].dt.dayofweek)
    rows = rows[rows[file.label].notna()]
    numbers = {name: rows[name].astype(np.float64) for name in file.numbers}
    texts = {name: rows[name].astype(object).where(rows[name].notna(), None).map(_text) for name in file.categories}
    times = {} if file.time is None else {"time_ms": rows[file.time].astype("datetime64[ms]").astype(np.int64)}
    return pd.DataFrame({**numbers, **texts, "label": rows[file.label].astype(np.float64), **times})


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _breaks(file: File, rows: pd.DataFrame) -> tuple[Change, ...]:
    number = rows[file.number]
    middle, deviation = float(number.median()), float(number.std())
    changes = [
        Change(f"{file.number} x 100", lambda drawn, _: drawn.assign(**{file.number: drawn[file.number] * 100})),
        Change(f"{file.number} constant", lambda drawn, _: drawn.assign(**{file.number: middle})),
        Change(f"{file.number} 30 % nulls", _nulls(file.number)),
        Change(f"{file.number} +0.5 sd", shifted(file.number, deviation / 2)),
    ]
    if file.category is not None:
        frequent = rows[file.category].value_counts().index
        changes.append(
            Change(f"{file.category}: two swapped", _swapped(file.category, frequent[0], frequent[len(frequent) // 2]))
        )
    return tuple(change._replace(shows="breaks") for change in changes)


def _nulls(name: str) -> Alter:
    return lambda drawn, generator: drawn.assign(**{name: drawn[name].mask(generator.random(len(drawn)) < 0.3)})


def _swapped(name: str, first: str, second: str) -> Alter:
    """Call two categories by each other's name: one as frequent as the other would be no change of the inputs."""
    names = {first: second, second: first}
    return lambda drawn, _: drawn.assign(**{name: drawn[name].map(lambda value: names.get(value, value))})
