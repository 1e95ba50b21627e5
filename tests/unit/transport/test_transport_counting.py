from streams.runtime.telemetry import Telemetry
from streams.transport.counting import TaskMetrics
from streams.transport.processor import TaskCounters


def test_counters_of_all_tasks_are_told_once():
    telemetry = Telemetry(models=["one"])
    counters = {0: TaskCounters(transactions=3, aborted=1, lag=5), 1: TaskCounters(transactions=4, lag=6)}
    metrics = TaskMetrics(telemetry, "serving", "one", counters)
    metrics.refresh()
    counters[1].transactions += 2
    counters[0].lag = 0
    metrics.refresh()
    metrics.refresh()
    labels = {"stage": "serving", "model": "one"}
    value = telemetry.registry.get_sample_value
    assert value("driftwake_stage_transactions_total", {**labels, "result": "committed"}) == 9
    assert value("driftwake_stage_transactions_total", {**labels, "result": "aborted"}) == 1
    assert value("driftwake_stage_lag_records", labels) == 6
