"""Settings of the door for callers who wait."""

from __future__ import annotations

from pydantic import Field

from streams.runtime.config import Section
from streams.runtime.durations import Duration
from streams.runtime.telemetry import LOOPBACK


class CallingConfig(Section):
    """The Open Inference Protocol over HTTP, for callers who can't wait for a topic."""

    host: str = LOOPBACK
    """Where it listens. Who reaches it may ask, so open it only behind something that knows who asks."""

    port: int = Field(default=0, ge=0, le=65_535)
    """Port of the first worker here, the next ones take those above it; 0 takes free ones, which the log names."""

    patience: Duration = Duration.of("10s")
    """How long a caller waits; what is answered later is among the predictions."""

    most_rows: int = Field(default=2_000, ge=1, le=1_000_000)
    """Rows of a model that may wait at once; who comes then is told to come back (503), and nothing of his is written."""
