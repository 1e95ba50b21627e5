"""Settings of the archiving stage alone; what several stages share (topics, partitions, replay) comes with the model."""

from __future__ import annotations

from typing import Final

from pydantic import Field, field_validator

from streams.runtime.config import Section
from streams.runtime.durations import Duration

HOUR_MS: Final = 3_600_000
DAY_MS: Final = 24 * HOUR_MS


class ArchivingConfig(Section):
    """When predictions, outcomes and labels move from the log to the lake."""

    flush_every: Duration = Duration.of("1d")
    """Event time between two boundaries. At each the lake is complete up to it, which is how far training and judging read
    (live but for the table `labels`, which has no event time that could be believed);
    shorter ones make more and smaller files."""

    flush_rows: int = Field(default=50_000, ge=1, le=1_000_000)
    """Rows held in memory at most before they are written."""

    flush_bytes: int = Field(default=64 << 20, ge=1 << 20)
    """Bytes of records held in memory at most before they are written: rows can be wide."""

    flush_seconds: float = Field(default=10.0, gt=0)
    """Live: wall time that a row waits at most. In a replay only event time counts, so that each run makes the same files."""

    max_records: int = Field(default=4_096, ge=1, le=65_536)
    """Records read ahead per partition."""

    keep_rows: Duration | None = None
    """Event time that rows stay in the lake, in whole days; none: for ever. What a bundle's lineage names stays readable at the
    version that it names. A replay keeps all."""

    keep_versions: Duration = Duration.of("7d")
    """Wall time for which every version of a table can be read. Older ones go, with the files that only they need, unless the
    lineage of a bundle names them. A replay keeps all."""

    parity_every: Duration = Duration.of("1h")
    """Live: event time after which windows of some predictions are computed again from the lake, and compared."""

    parity_rows: int = Field(default=100, ge=0, le=10_000)
    """Of how many predictions; 0 of none."""

    @field_validator("keep_rows")
    @classmethod
    def _check_keep_rows(cls, keep_rows: Duration | None) -> Duration | None:
        if keep_rows is not None and keep_rows.ms < DAY_MS:
            raise ValueError(f"must be at least 1d, not {keep_rows}")
        return keep_rows

    @field_validator("keep_versions")
    @classmethod
    def _check_keep_versions(cls, keep_versions: Duration) -> Duration:
        if keep_versions.ms < HOUR_MS:
            raise ValueError(f"must be at least 1h, so that nobody reads a file that goes, not {keep_versions}")
        return keep_versions

    @field_validator("flush_every")
    @classmethod
    def _check_flush_every(cls, flush_every: Duration) -> Duration:
        if flush_every.ms < 1_000:
            raise ValueError(f"must be at least 1s, not {flush_every}")
        return flush_every
