"""A log to replay: what was asked and when, and what became known about it and when."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import pandas as pd


class Log(NamedTuple):
    """Requests (`id`, `time_ms`, the schema's columns) and labels (`id`, `time_ms` of knowing, `label`), each sorted by time.

    `sources` are the records of registered sources (`id`, `time_ms`, their columns) by name.
    """

    requests: pd.DataFrame
    labels: pd.DataFrame
    sources: Mapping[str, pd.DataFrame] = {}

    def played(self, start_ms: int, end_ms: int) -> Log:
        """Requests with event time in [start, end), the labels of those alone, whenever they become known, and all sources."""
        requests = self.requests[(self.requests["time_ms"] >= start_ms) & (self.requests["time_ms"] < end_ms)]
        return Log(requests, self.labels[self.labels["id"].isin(requests["id"])], self.sources)

    def history(self, until_ms: int) -> pd.DataFrame:
        """Labelled requests from before a time, as the skill `import_history` wants them: with `known_ms` and `label`."""
        rows = self.requests[self.requests["time_ms"] < until_ms]
        known = self.labels.rename(columns={"time_ms": "known_ms"})
        return pd.merge(rows, known, on="id", validate="one_to_one")
