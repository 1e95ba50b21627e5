"""Settings of the archiving stage alone; what several stages share (topics, partitions, replay) comes with the model."""

from __future__ import annotations

from pydantic import Field, field_validator

from streams.runtime.config import Section
from streams.runtime.durations import Duration


class ArchivingConfig(Section):
    """When predictions and outcomes move from the log to the lake."""

    flush_every: Duration = Duration.of("1d")
    """Event time between two boundaries. At each the lake is complete up to it, which is how far training and judging read;
    shorter ones make more and smaller files."""

    flush_rows: int = Field(default=50_000, ge=1, le=1_000_000)
    """Rows held in memory at most before they are written."""

    flush_bytes: int = Field(default=64 << 20, ge=1 << 20)
    """Bytes of records held in memory at most before they are written: rows can be wide."""

    flush_seconds: float = Field(default=10.0, gt=0)
    """Live: wall time that a row waits at most. In a replay only event time counts, so that each run makes the same files."""

    max_records: int = Field(default=4_096, ge=1, le=65_536)
    """Records read ahead per partition."""

    @field_validator("flush_every")
    @classmethod
    def _check_flush_every(cls, flush_every: Duration) -> Duration:
        if flush_every.ms < 1_000:
            raise ValueError(f"must be at least 1s, not {flush_every}")
        return flush_every
