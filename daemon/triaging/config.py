"""Settings of triage."""

from __future__ import annotations

from pydantic import Field

from streams.runtime.config import Section
from streams.runtime.durations import Duration


class TriagingConfig(Section):
    """When an event becomes an incident, and what is asked about it."""

    cooldown: Duration = Duration.of("7d")
    """After an incident has ended, events of the same cause are only noted for this long: what was done must show first."""

    reminder: Duration = Duration.of("28d")
    """Columns that people were told are broken open nothing more as long as they haven't been quiet for the cooldown, nor do
    those that moved without harm until they move half as far again; but people are reminded after this long."""

    recent: Duration = Duration.of("7d")
    """How much of the newest data the diagnosis compares with the reference."""

    recent_rows: int = Field(default=1_000, ge=0)
    """Where fewer requests came in `recent`, the diagnosis reaches back further, up to eight times as far. Twice what a loss and
    a training need (`policy.label_rows`), since not every request has a label."""

    label_wait: Duration = Duration.of("3d")
    """How long to wait for labels before asking again."""

    most_waits: int = Field(default=3, ge=0, le=100)
    """How often to wait for labels before giving up."""
