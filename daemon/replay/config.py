"""Settings of `driftwake replay`: which columns of a recorded log hold what."""

from __future__ import annotations

from typing import Annotated

from pydantic import StringConstraints

from streams.runtime.config import Section

ColumnName = Annotated[str, StringConstraints(min_length=1)]


class LogConfig(Section):
    """Column roles of a recorded log. Times are timestamps (UTC unless they say otherwise) or epoch milliseconds."""

    id: ColumnName | None = None
    """What a request and its label have in common; without it rows are numbered."""

    time: ColumnName = "time"
    """When it was asked."""

    label: ColumnName = "label"
    """The truth; null where it never became known."""

    label_time: ColumnName = "label_time"
    """When the truth became known. It decides what a replay may know when; without it nothing can be said honestly."""

    score: ColumnName | None = None
    """What a model that is served elsewhere has answered, for `driftwake adopt`."""

    received: ColumnName | None = None
    """When the broker got the request, by its record's timestamp; what `driftwake calibrate` needs for `requests_clock` and
    `serving_latency`."""

    answered: ColumnName | None = None
    """When the broker got the prediction, for `serving_latency`."""
