"""Whether what served is what training would see: windows of some predictions, computed again from what is archived.

Training, judging and the replay of an incident trust that they are the same; here that is looked at while it serves. What differs
is a bug, or a fact that came later than the model's allowed skew: a label, say, that is told hours after it was known.
"""

from __future__ import annotations

import functools
import hashlib
import math
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from streams.archiving.config import ArchivingConfig
from streams.contracts.bundle import Manifest
from streams.contracts.events import DriftEvent, Evidence, Transition
from streams.contracts.features import Window
from streams.contracts.schema import OWN_FACTS, ModelSchema
from streams.lake.lake import Lake
from streams.lake.tables import PREDICTIONS, fact_table, table_schema
from streams.windows.facts import columns_of, time_column
from streams.windows.offline import window_values

KIND: Final = "serving"
DETECTOR: Final = "parity"
_MOST_MANIFESTS: Final = 32
_LONGEST_KEYLESS_MS: Final = 86_400_000
_RELATIVE, _ABSOLUTE = 1e-6, 1e-9
_MIX: Final = np.uint64(0x9E3779B97F4A7C15)


class Checked(NamedTuple):
    """How many values were computed again, how many of them differ, and what is to be said of it."""

    values: int
    different: int
    events: tuple[DriftEvent, ...]


class Parity:
    """Looks at one model, once for each span of event time.

    Args:
        model: the model's name.
        schema: its columns.
        lake: where its tables are.
        manifest: returns that of a bundle by its digest.
        config: how often, and of how many predictions.
    """

    def __init__(
        self, model: str, schema: ModelSchema, *, lake: Lake, manifest: Callable[[str], Manifest], config: ArchivingConfig
    ) -> None:
        self._model = model
        self._schema = schema
        self._lake = lake
        self._manifest = functools.lru_cache(_MOST_MANIFESTS)(manifest)
        self._config = config
        self._looked_ms: int | None = None
        self._differing: set[str] = set()

    def is_due(self, boundary_ms: int) -> bool:
        """Say whether the span since the last look is over; `boundary_ms` is the time before which all is archived."""
        every_ms = self._config.parity_every.ms
        return self._config.parity_rows > 0 and (self._looked_ms is None or boundary_ms - self._looked_ms >= every_ms)

    def look(self, boundary_ms: int) -> Checked:
        """Compute windows of some predictions of the newest span again.

        Raises:
            LakeError: the tables can't be read.
            BundleRefused: a bundle that answered can't be read.
        """
        since_ms = max(0, boundary_ms - self._config.parity_every.ms)
        self._looked_ms = boundary_ms
        values, different, events = 0, 0, list[DriftEvent]()
        rows = self._sampled(since_ms, boundary_ms)
        for digest in sorted(set(rows.column("digest").to_pylist())):
            manifest = self._manifest(digest)
            # Without keys, every fact of a long range would have to be read.
            windows = [window for window in manifest.windows if window.by or window.range_ms <= _LONGEST_KEYLESS_MS]
            if windows:
                some = rows.filter(pc.equal(rows.column("digest"), digest))
                found = self._compared(some, windows, manifest.skew_ms, boundary_ms)
                values += some.num_rows * len(windows)
                different += sum(round(evidence.effect * some.num_rows) for evidence in found)
                events += self._said(digest, found, some.num_rows, (since_ms, boundary_ms))
        return Checked(values, different, tuple(events))

    def _sampled(self, since_ms: int, until_ms: int) -> pa.Table:
        """Some predictions of a span: which, goes by their position alone."""
        declared = [column.name for column in self._schema.columns]
        wanted = ["id", "partition", "offset", "time_ms", "windows", "digest", *declared]
        rows = self._lake.read(self._model, PREDICTIONS, wanted, since_ms=since_ms, until_ms=until_ms, keys=declared)
        rows = rows.filter(pc.not_equal(rows.column("digest"), ""))  # no bundle answered what was imported
        offsets, partitions = (rows.column(name).to_numpy().astype(np.uint64) for name in ("offset", "partition"))
        order = np.argsort((offsets + (partitions << np.uint64(48))) * _MIX, kind="stable")
        return rows.take(np.sort(order[: self._config.parity_rows]))

    def _compared(self, rows: pa.Table, windows: Sequence[Window], skew_ms: int, until_ms: int) -> list[Evidence]:
        """What differs, window by window."""
        reach_ms = max(window.range_ms + window.delay_ms for window in windows) + skew_ms
        since_ms = max(0, pc.min(rows.column("time_ms")).as_py() - reach_ms)
        served = [dict(pairs) for pairs in rows.column("windows").to_pylist()]
        found = []
        for source, by in dict.fromkeys((window.source, window.by) for window in windows):
            some = [window for window in windows if (window.source, window.by) == (source, by)]
            facts = self._facts(some, rows, since_ms, until_ms)
            for window, values in window_values(some, self._schema, skew_ms, rows, {source: facts}):
                pairs = list(zip((row.get(window.name) for row in served), values.tolist(), strict=True))
                differing = [place for place, pair in enumerate(pairs) if not _is_same(*pair)]
                if differing:
                    found.append(_evidence(window, pairs[differing[0]], len(differing) / len(pairs)))
        return found

    def _facts(self, windows: Sequence[Window], rows: pa.Table, since_ms: int, until_ms: int) -> pa.Table:
        """What some windows over one source and key read of it, for the rows' keys alone."""
        source, by = windows[0].source, windows[0].by
        table, time = fact_table(source), time_column(source)
        if not self._lake.exists(self._model, table):
            return table_schema(self._schema, table).empty_table()
        read = {name for window in windows for name in (*by, *columns_of(window, self._schema))}
        flags = ["flags"] if source in OWN_FACTS else []
        wanted = [time, *flags, *sorted(read)]
        among = {name: set(rows.column(name).to_pylist()) - {None} for name in by}
        facts = self._lake.read(
            self._model, table, wanted, since_ms=since_ms, until_ms=until_ms, time_column=time, among=among, keys=by
        )
        return facts.filter(pc.equal(pc.list_value_length(facts.column("flags")), 0)) if flags else facts

    def _said(self, digest: str, found: Sequence[Evidence], rows: int, span: tuple[int, int]) -> list[DriftEvent]:
        if not found and digest not in self._differing:
            return []
        transition: Transition = "confirmed" if found else "cleared"
        (self._differing.add if found else self._differing.discard)(digest)
        stated = f"{self._model}\n{digest}\n{DETECTOR}\n{transition}\n{span[1]}"
        return [
            DriftEvent(
                id=hashlib.sha256(stated.encode()).hexdigest()[:32],
                kind=KIND,
                transition=transition,
                model=self._model,
                digest=digest,
                detector=DETECTOR,
                time_ms=span[1],
                bucket_start_ms=span[0],
                bucket_end_ms=span[1],
                rows=rows,
                evidence=tuple(found),
            )
        ]


def _is_same(served: float | None, computed: float) -> bool:
    if served is None or math.isnan(served):
        return math.isnan(computed)
    return math.isclose(served, computed, rel_tol=_RELATIVE, abs_tol=_ABSOLUTE)


def _evidence(window: Window, pair: tuple[float | None, float], share: float) -> Evidence:
    served, computed = pair
    return Evidence(
        watched=window.name,
        method=f"computed again from the lake: {window.text}",
        p_value=0.0,
        effect=share,
        effect_unit="share of predictions",
        before={} if served is None else {"served": served},
        after={} if math.isnan(computed) else {"computed": computed},
    )
