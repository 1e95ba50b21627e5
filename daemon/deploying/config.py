"""Settings of deploying."""

from __future__ import annotations

from pydantic import Field

from streams.runtime.config import Section
from streams.runtime.durations import Duration


class DeployingConfig(Section):
    """What is expected of the data plane, in wall-clock time."""

    partitions: int = Field(default=1, ge=1)
    """Partitions that serve the model: each must have a bundle ready before it is used."""

    ready_deadline: Duration = Duration.of("5m")
    """How long serving may take to verify, load, warm and backfill a bundle."""

    read_deadline: Duration = Duration.of("1m")
    """How long serving may take to read a deployment; after it the daemon goes on, because the record is durable."""

    archive_deadline: Duration = Duration.of("5m")
    """How long archiving may take to reach a boundary that has passed."""
