"""What a log lacks for a detector that nothing could be learnt of, in the words of the model's `log` section."""

from __future__ import annotations

import pyarrow as pa

from streams.contracts.summaries import ANSWERED, RECEIVED
from streams.monitoring.config import CLOCK, COVERAGE, LATENCY

# Of which nothing is known where no label is.
_OF_LABELS = frozenset({"label_drift", "loss_drift", "performance"})
_STAMPS = {LATENCY: {RECEIVED: "log.received", ANSWERED: "log.answered"}, CLOCK: {RECEIVED: "log.received"}}


def lacking_of(detector: str, kind: str, table: pa.Table, labelled: int) -> str:
    """Say what a log would need; empty where its columns are all there, so that only more of it would help.

    Args:
        detector: of which nothing was measured.
        kind: of its events.
        table: the log.
        labelled: how many of its rows have labels that count.
    """
    if detector == "requests_rejected":
        return "what was rejected, which no log holds"
    absent = [name for column, name in _STAMPS.get(detector, {}).items() if column not in table.column_names]
    if absent:
        return f"times of the broker: the column{'s' if len(absent) > 1 else ''} of {' and '.join(absent)}"
    if not labelled and (kind in _OF_LABELS or detector in {"labels_delay", COVERAGE}):
        return "labels: the columns of log.label and log.label_time"
    return ""
