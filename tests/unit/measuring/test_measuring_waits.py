"""When requests came and how long answers took is counted where a detector asks, by the timestamps of both records."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from streams.contracts.summaries import InputSummary
from streams.model import ModelSettings
from streams.monitoring.config import CLOCK, LATENCY
from streams.runtime.plugins import kinds_of
from streams.statistics.arrivals import count_arrivals
from streams.statistics.waits import count_waits
from tests.kit.measured import DAY, START, give, log_of, prediction, task_of


def test_times_are_counted_of_rows_that_say_when_they_were_received() -> None:
    task, noon, waits, behind = task_of(), DAY // 2, (5, 40, 5_000, -3), (0, 5_000, -100_000, 90_000)
    rows = [
        msgspec.structs.replace(prediction(place, noon - by, flags=["range"] * (place == 1)), received_ms=START + noon)
        for place, by in enumerate(behind)
    ]
    records = [
        msgspec.structs.replace(record, timestamp_ms=START + noon + wait)
        for record, wait in zip(log_of("preds", rows), waits, strict=True)
    ]
    unnoted = log_of("preds", [0, 0, 0, 0, prediction(4, 9)])[4:]
    give(task, log_of("outs", [DAY]))
    ((summary,), _) = give(task, [*records, *unnoted, *log_of("preds", [0, 0, 0, 0, 0, DAY])[5:]])
    assert isinstance(summary, InputSummary)
    assert summary.rows == 5
    assert summary.waits == count_waits(np.array(waits)).tolist()
    assert summary.arrivals == count_arrivals(np.array(behind)).tolist()


@pytest.mark.parametrize("detectors", [[], [LATENCY], [CLOCK], [CLOCK, LATENCY]])
def test_nobody_notes_or_counts_what_no_detector_asks_for_or_a_replay_would_make_up(detectors: list[str]) -> None:
    assert {CLOCK, LATENCY} <= set(kinds_of("streams.detectors"))
    schema = {"columns": [{"name": "size", "kind": "number"}]}
    monitoring = {"detectors": ["loss_mean", *detectors]}
    model, replayed = (
        ModelSettings.model_validate({"name": "m", "schema": schema, "replay": replay, "monitoring": monitoring})
        for replay in (False, True)
    )
    assert model.served(None).notes_receipt == bool(detectors)
    assert not replayed.served(None).notes_receipt
    measured = model.measured()
    assert (measured.counts_waits, measured.counts_arrivals) == (LATENCY in detectors, CLOCK in detectors)
