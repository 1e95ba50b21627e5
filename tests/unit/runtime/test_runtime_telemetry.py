import re
import urllib.request

import pytest

from streams.contracts.errors import StreamsError
from streams.contracts.events import KINDS
from streams.runtime.metrics import FREE, TABLE
from streams.runtime.telemetry import Telemetry, serving_metrics

UNITS = {"seconds", "bytes", "records", "ratio", "total", "info", "generation", "facts", "quality", "incidents", "frozen"}


def value(telemetry: Telemetry, name: str, **labels: str) -> float | None:
    return telemetry.registry.get_sample_value(name, labels)


def test_names_follow_the_practice():
    assert TABLE
    for name, metric in TABLE.items():
        assert re.fullmatch(r"driftwake_[a-z]+_[a-z_]+", name)
        assert name.rpartition("_")[2] in UNITS
        assert (metric.kind == "counter") == name.endswith("_total")
        assert (metric.kind == "histogram") == bool(metric.buckets)
        assert metric.help.endswith(".")
        assert list(metric.buckets) == sorted(metric.buckets)
        assert all(values is FREE or values for values in metric.labels.values())


def test_the_table_knows_every_kind_of_event():
    assert TABLE["driftwake_monitoring_events_total"].labels["kind"] == frozenset(KINDS)


def test_counting_setting_and_observing():
    telemetry = Telemetry(models=["one"])
    telemetry.count("driftwake_serving_batches_total", 3, model="one")
    telemetry.set("driftwake_serving_generation", 7, model="one")
    telemetry.observe("driftwake_serving_batch_seconds", 0.02, model="one")
    with telemetry.timing("driftwake_serving_batch_seconds", model="one"):
        pass
    telemetry.count("driftwake_daemon_audit_records_total")
    assert value(telemetry, "driftwake_serving_batches_total", model="one") == 3
    assert value(telemetry, "driftwake_serving_generation", model="one") == 7
    assert value(telemetry, "driftwake_serving_batch_seconds_count", model="one") == 2
    assert value(telemetry, "driftwake_daemon_audit_records_total") == 1


def test_values_outside_a_closed_set_count_as_other():
    telemetry = Telemetry(models=["one"])
    for number in range(1_000):
        telemetry.count("driftwake_serving_rejected_total", model=f"m{number}", reason=f"r{number}")
        telemetry.count("driftwake_monitoring_tests_total", model="one", detector=f"d{number}")
    assert value(telemetry, "driftwake_serving_rejected_total", model="other", reason="other") == 1_000
    assert value(telemetry, "driftwake_monitoring_tests_total", model="one", detector="other") == 800


def test_two_telemetries_share_nothing():
    one, two = Telemetry(), Telemetry()
    one.count("driftwake_daemon_audit_records_total")
    assert value(two, "driftwake_daemon_audit_records_total") == 0


@pytest.mark.parametrize("name", ["driftwake_nothing_total", "driftwake_serving_generation"])
def test_an_unknown_counter_is_a_defect(name: str):
    with pytest.raises(KeyError):
        Telemetry().count(name)


def test_metrics_are_served_on_loopback_and_the_port_is_freed():
    telemetry = Telemetry(models=["one"])
    telemetry.set("driftwake_serving_generation", 7, model="one")
    with serving_metrics(telemetry) as port:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
            text = answer.read().decode()
        assert 'driftwake_serving_generation{model="one"} 7.0' in text
        assert "process_resident_memory_bytes" in text
        with pytest.raises(StreamsError, match="choose another"), serving_metrics(telemetry, port=port):
            pass
    with serving_metrics(telemetry, port=port) as again:
        assert again == port
