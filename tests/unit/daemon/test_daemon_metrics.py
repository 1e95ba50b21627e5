from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.ledger.ledger import Ledger, open_ledger
from daemon.ledger.records import Move
from daemon.metrics import DaemonMetrics
from streams.runtime.telemetry import Telemetry
from tests.kit.incidents import START_MS, opened, through


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with open_ledger(tmp_path / "ledger.sqlite") as ledger:
        yield ledger


def value(telemetry: Telemetry, name: str, **labels: str) -> float | None:
    return telemetry.registry.get_sample_value(f"driftwake_daemon_{name}", labels)


def test_what_is_on_the_record_is_counted_once(ledger: Ledger):
    telemetry = Telemetry(models=["parcels"])
    metrics = DaemonMetrics(ledger, telemetry, ["parcels"])
    through(ledger, opened(ledger, "e1", START_MS), until="closed")
    for _ in range(2):
        metrics.refresh()
    assert value(telemetry, "audit_records_total") == ledger.head().number
    assert value(telemetry, "promotions_total", model="parcels") == 1
    assert value(telemetry, "rollbacks_total", model="parcels") is None
    assert value(telemetry, "moves_total", model="parcels", state="judged") == 1
    assert value(telemetry, "verdicts_total", model="parcels", verdict="pass") == 2
    assert value(telemetry, "steps_total", model="parcels", skill="train_model", result="done") == 1
    assert value(telemetry, "step_seconds_count", skill="train_model") == 1
    assert value(telemetry, "incidents", model="parcels", state="closed") == 1
    assert value(telemetry, "frozen", model="parcels") == 0


def test_a_state_that_was_left_goes_back_to_zero(ledger: Ledger):
    telemetry = Telemetry(models=["parcels"])
    metrics = DaemonMetrics(ledger, telemetry, ["parcels"])
    incident = through(ledger, opened(ledger, "e1", START_MS), until="running")
    metrics.refresh()
    assert value(telemetry, "incidents", model="parcels", state="running") == 1
    ledger.move(incident, Move(to="failed", reason="out of memory", rule="run_failed"), incident.moved_ms + 1)
    opened(ledger, "e2", START_MS + 1)
    metrics.refresh()
    assert value(telemetry, "incidents", model="parcels", state="running") == 0
    assert value(telemetry, "incidents", model="parcels", state="open") == 1


def test_a_restart_counts_from_zero(ledger: Ledger):
    through(ledger, opened(ledger, "e1", START_MS), until="closed")
    telemetry = Telemetry(models=["parcels"])
    DaemonMetrics(ledger, telemetry, ["parcels"]).refresh()
    assert value(telemetry, "audit_records_total") == 0
    assert value(telemetry, "incidents", model="parcels", state="closed") == 1
