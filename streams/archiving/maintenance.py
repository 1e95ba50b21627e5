"""When a model's tables are put in order: files merged, old rows and versions let go. Event time says when."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection, Mapping, Sequence

from streams.archiving.config import DAY_MS, HOUR_MS, ArchivingConfig
from streams.contracts.errors import BundleRefused, LakeError
from streams.lake.compaction import compact
from streams.lake.lake import Lake
from streams.lake.retention import expire, vacuum
from streams.runtime.clock import WallClock
from streams.runtime.logging import Log
from streams.runtime.telemetry import Telemetry
from streams.runtime.watermark import NEVER

Spared = Callable[[], Mapping[str, Collection[int]]]
"""Return, by table, the versions that stay readable; `BundleRefused` when nobody can say."""

log = Log("streams.archiving")


class Maintenance:
    """Keeps a model's tables in order, between the appends of their one writer.

    Small files are looked for once an hour of event time; rows and versions let go once a day, and never in a replay, whose
    folder goes as a whole. So a replay's tables depend on event time alone. What fails is said, and tried an hour later.

    Args:
        lake: where the tables are.
        model: the model's name.
        tables: those to keep.
        config: how long rows and versions stay.
        spared: asked each time which versions stay readable however old.
        replay: whether only event time counts.
        clock: the wall clock.
        telemetry: where work is counted.
    """

    def __init__(
        self,
        lake: Lake,
        model: str,
        tables: Sequence[str],
        config: ArchivingConfig,
        *,
        spared: Spared,
        replay: bool,
        clock: WallClock,
        telemetry: Telemetry,
    ) -> None:
        self._lake = lake
        self._model = model
        self._tables = tuple(tables)
        self._config = config
        self._spared = spared
        self._replay = replay
        self._clock = clock
        self._telemetry = telemetry
        self._looked_ms = NEVER
        self._tidied_ms = NEVER

    def is_due(self, boundary_ms: int) -> bool:
        """Say whether there may be something to do, now that everything before a boundary is stored."""
        return boundary_ms // HOUR_MS > self._looked_ms // HOUR_MS

    def run(self, boundary_ms: int) -> None:
        """Do what is due; the caller runs this in a thread and appends nothing meanwhile."""
        self._looked_ms = boundary_ms
        try:
            for table in self._tables:
                self._compact(table, boundary_ms)
            if not self._replay and boundary_ms // DAY_MS > self._tidied_ms // DAY_MS:
                self._tidy(boundary_ms)
                self._tidied_ms = boundary_ms
        except (LakeError, BundleRefused) as error:
            log.warning("MaintenanceFailed", model=self._model, reason=str(error))

    def _compact(self, table: str, boundary_ms: int) -> None:
        with self._telemetry.timing("driftwake_archiving_maintenance_seconds", model=self._model, work="compaction"):
            found = compact(self._lake, self._model, table, left_ms=boundary_ms)
        if found.merged:
            self._telemetry.count("driftwake_archiving_merged_files_total", found.merged, model=self._model, table=table)
            log.info("FilesMerged", model=self._model, table=table, merged=found.merged, made=found.made)

    def _tidy(self, boundary_ms: int) -> None:
        spared = self._spared()
        with self._telemetry.timing("driftwake_archiving_maintenance_seconds", model=self._model, work="retention"):
            for table in self._tables:
                self._expire(table, boundary_ms)
                self._vacuum(table, spared.get(table, ()))

    def _expire(self, table: str, boundary_ms: int) -> None:
        if self._config.keep_rows is None:
            return
        # A source whose clock is ahead mustn't take all rows with it.
        newest_ms = min(boundary_ms, int(self._clock.now().timestamp() * 1_000))
        days = expire(self._lake, self._model, table, before_ms=newest_ms - self._config.keep_rows.ms)
        if days:
            log.info("RowsExpired", model=self._model, table=table, days=days)

    def _vacuum(self, table: str, spared: Collection[int]) -> None:
        keep = dt.timedelta(milliseconds=self._config.keep_versions.ms)
        found = vacuum(self._lake, self._model, table, keep=keep, spared=spared, now=self._clock.now())
        if found.lost:
            log.warning("VersionsLost", model=self._model, table=table, versions=found.lost[:20])
        if found.files or found.commits:
            self._telemetry.count("driftwake_archiving_deleted_files_total", found.files, model=self._model, table=table)
            log.info("VersionsExpired", model=self._model, table=table, files=found.files, commits=found.commits)
