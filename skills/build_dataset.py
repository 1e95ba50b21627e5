"""Build the rows to train on and the sealed rows to judge on, as they were known at a moment.

No label counts before it was known: training rows whose label came only in the sealed range are left out, and a corrected
label counts as it stood when each range's labels are taken.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from skills._kit.errors import InputError, NoDataError
from skills._kit.features import Facts, longest_reach_ms, unflagged
from skills._kit.frames import floats, with_columns, write_table
from skills._kit.skill import Need, Spec
from skills._kit.sources import facts_of, keys_of, manifest_of, newest_known, schema_of, shown, source_tables, windows_of
from streams.contracts.features import Window
from streams.contracts.schema import ModelSchema, SourceSchema
from streams.lake.lake import Lake


class Input(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Train is event time [until - train, cut) with the labels known at until - sealed, where cut is until - delay - sealed.

    Sealed is [cut, until - delay) with the labels known at until. `label_delay_ms` is how long most labels take: newer rows have
    none yet, and the quick ones alone would be a biased sample. `windows` come on top of the champion's. Before there is a
    champion, `schema` and `skew_ms` say what its manifest would; `sources` are those that were registered since.
    """

    lake: str
    registry: str
    model: str
    champion: str | None = None
    until_ms: int
    train_ms: int
    sealed_ms: int
    label_delay_ms: int = 0
    windows: tuple[Window, ...] = ()
    schema: ModelSchema | None = None
    skew_ms: int = 0
    sources: tuple[SourceSchema, ...] | None = None


class Output(msgspec.Struct, frozen=True, kw_only=True):
    """Paths in the work folder; `positives` of the training rows; a digest of both files; the lake's table versions."""

    train: str
    sealed: str
    rows_train: int
    rows_sealed: int
    positives: int
    digest: str
    versions: dict[str, int]


SPEC = Spec(
    summary="Build training and sealed rows from the lake",
    input=Input,
    output=Output,
    need=Need(seconds=300, memory_mb=4_096),
)


def run(request: Input, work: Path) -> Output:
    """Build both tables into `work`.

    Raises:
        SkillError: the ranges have no meaning, no label is known, or the lake can't be read.
    """
    if not 0 < request.sealed_ms <= request.label_delay_ms + request.sealed_ms < request.train_ms <= request.until_ms:
        raise InputError("expected 0 < sealed_ms, 0 <= label_delay_ms, label_delay_ms + sealed_ms < train_ms <= until_ms")
    manifest = manifest_of(request.registry, request.model, request.champion) if request.champion else None
    skew_ms = manifest.skew_ms if manifest else request.skew_ms
    schema = schema_of(manifest, request.schema, request.sources)
    lake, windows = Lake(request.lake), windows_of(manifest, request.windows)
    since_ms, end_ms = request.until_ms - request.train_ms, request.until_ms - request.label_delay_ms
    cut_ms = end_ms - request.sealed_ms
    versions = {table: lake.version(request.model, table) for table in ("predictions", "outcomes")}
    versions |= {table: lake.version(request.model, table) for table in source_tables(lake, request.model, schema)}
    keys = keys_of(windows)
    outcomes = _outcomes(lake, request, schema, since_ms, keys)
    facts = facts_of(
        lake,
        request.model,
        schema,
        skew_ms,
        since_ms=max(0, since_ms - longest_reach_ms(windows, skew_ms)),
        until_ms=request.until_ms,
        keys=keys,
    )
    parts = {
        "train": _between(newest_known(outcomes, request.until_ms - request.sealed_ms), since_ms, cut_ms),
        "sealed": _between(newest_known(outcomes, request.until_ms), cut_ms, end_ms),
    }
    if not parts["train"].num_rows:
        raise NoDataError("no label of the training range is known yet")
    hidden = lake.hidden(request.model, "outcomes")
    made = {name: _without(rows, hidden) for name, rows in _with_windows(parts, facts, windows).items()}
    digests = {name: write_table(rows, work / f"{name}.parquet") for name, rows in made.items()}
    return Output(
        train=str(work / "train.parquet"),
        sealed=str(work / "sealed.parquet"),
        rows_train=parts["train"].num_rows,
        rows_sealed=parts["sealed"].num_rows,
        positives=int((floats(parts["train"], "label") > 0.5).sum()) if schema.task == "binary" else 0,
        digest=hashlib.sha256("".join(digests[name] for name in sorted(digests)).encode()).hexdigest(),
        versions=versions,
    )


def _outcomes(lake: Lake, request: Input, schema: ModelSchema, since_ms: int, keys: list[str]) -> pa.Table:
    declared = [column.name for column in shown(lake, request.model, schema, keys).columns]
    wanted = ["id", "time_ms", "known_ms", "revision", *declared, "label", "score", "digest", "flags"]
    # A label is known at its time or later, so the files of earlier days can be skipped.
    found = lake.read(
        request.model, "outcomes", wanted, since_ms=since_ms, until_ms=request.until_ms, time_column="known_ms", keys=keys
    )
    return unflagged(found).drop_columns(["flags"])


def _without(rows: pa.Table, hidden: frozenset[str]) -> pa.Table:
    """Leave out what windows were grouped by and nobody may see."""
    return rows.drop_columns([name for name in rows.column_names if name in hidden])


def _between(rows: pa.Table, since_ms: int, until_ms: int) -> pa.Table:
    time = rows.column("time_ms")
    inside = rows.filter(pc.and_(pc.greater_equal(time, since_ms), pc.less(time, until_ms)))
    return inside.drop_columns(["revision"]).sort_by([("time_ms", "ascending"), ("id", "ascending")])


def _with_windows(parts: dict[str, pa.Table], facts: Facts, windows: tuple[Window, ...]) -> dict[str, pa.Table]:
    """Append the windows' values to each part; the facts are sorted once for all."""
    rows = pa.concat_tables(parts.values())
    values = facts.columns(windows, rows)
    whole = with_columns(rows, [window.name for window in windows], list(values.T))
    ends = np.cumsum([part.num_rows for part in parts.values()])
    return {name: whole.slice(end - part.num_rows, part.num_rows) for (name, part), end in zip(parts.items(), ends, strict=True)}
