"""The one table of metrics: every name, unit, meaning and label that any process of driftwake shows.

Names follow Prometheus: base units, `_total` for counters. Each label takes its values from a closed set; `FREE` stands for a
set that the config or a family's folder closes. When each is counted:

- `serving`, `joining`, `measuring`, `monitoring`, `archiving`: after the transaction that holds the outputs.
- `daemon`: after the ledger's transaction.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal, NamedTuple

from streams.contracts.events import KINDS

OTHER = "other"
FREE: Collection[str] = frozenset({"*"})

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
_LONG_SECONDS = (1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3_600.0)

_MEASURES = frozenset({"auc", "log_loss", "brier", "squared_error"})
_STAGES = frozenset({"noting", "observing", "serving", "rekey", "joining", "measuring", "monitoring", "archiving", "daemon"})
_REASONS = frozenset(
    {
        "not_json",
        "missing_field",
        "missing_column",
        "wrong_type",
        "not_finite",
        "absurd_time",
        "bad_id",
        "too_large",
        "unknown_column",
        "bad_label",
        "not_scored",
        "several_rows",
        "not_a_request",
        "not_an_answer",
        "bad_score",
    }
)
_INCONCLUSIVE = frozenset({"expected", "not_learnt", "too_few_rows", "no_outcomes", "nothing_counted"})
_STATES = frozenset(
    {
        "open", "diagnosed", "planned", "awaiting_approval", "running", "judged", "shadowing", "promoting", "probation",
        "closed", "no_action", "refused", "rolled_back", "failed", "expired",
    }
)  # fmt: skip


class Metric(NamedTuple):
    """One row of the table. `labels` maps each label to its closed set of values."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    help: str
    labels: dict[str, Collection[str]]
    buckets: tuple[float, ...] = ()


_MODEL: dict[str, Collection[str]] = {"model": FREE}
_TABLE: dict[str, Collection[str]] = {**_MODEL, "table": frozenset({"predictions", "labels", "outcomes"})}

_ROWS = (
    # Every stage
    Metric("driftwake_build_info", "gauge", "Always 1; the label says which version runs.", {"version": FREE}),
    Metric(
        "driftwake_stage_transactions_total", "counter", "Micro-batches by how their transaction ended.",
        {"stage": _STAGES, **_MODEL, "result": frozenset({"committed", "aborted"})},
    ),
    Metric("driftwake_stage_lag_records", "gauge", "Records that wait to be read.", {"stage": _STAGES, **_MODEL}),
    Metric(
        "driftwake_stage_watermark_seconds", "gauge", "How far the stage has come in event time, as seconds since 1970.",
        {"stage": _STAGES, **_MODEL},
    ),
    # Observing
    Metric(
        "driftwake_observing_halves_total", "counter", "Requests and answers of another server, by what became of them.",
        {**_MODEL, "result": frozenset({"paired", "repeated", "unanswered", "unasked", "shed"})},
    ),
    Metric(
        "driftwake_observing_rejected_total", "counter", "Requests and answers of another server in quarantine.",
        {**_MODEL, "reason": _REASONS},
    ),
    Metric("driftwake_observing_waiting_records", "gauge", "Requests and answers remembered for their other half.", _MODEL),
    # Serving
    Metric(
        "driftwake_serving_records_total", "counter", "Requests answered, by the route that answered.",
        {**_MODEL, "route": frozenset({"champion", "canary"})},
    ),
    Metric("driftwake_serving_batches_total", "counter", "Micro-batches scored.", _MODEL),
    Metric("driftwake_serving_flagged_total", "counter", "Requests scored but held out as suspect.", _MODEL),
    Metric("driftwake_serving_rejected_total", "counter", "Requests in quarantine.", {**_MODEL, "reason": _REASONS}),
    Metric("driftwake_serving_batch_seconds", "histogram", "Time from reading a micro-batch to its answers.", _MODEL, _SECONDS),
    Metric("driftwake_serving_latency_seconds", "histogram", "Wait of a micro-batch's oldest request.", _MODEL, _SECONDS),
    Metric("driftwake_serving_generation", "gauge", "Generation of the deployment that serves.", _MODEL),
    Metric("driftwake_serving_swaps_total", "counter", "Deployments that took effect.", _MODEL),
    Metric("driftwake_serving_refused_bundles_total", "counter", "Bundles that failed a check and were not loaded.", _MODEL),
    Metric(
        "driftwake_serving_ignored_deployments_total", "counter", "Deployment records that weren't believed, by why.",
        {**_MODEL, "reason": frozenset({"unsigned", "unreadable", "invalid", "old"})},
    ),
    Metric("driftwake_serving_failed_shadows_total", "counter", "Batches that a shadow or a canary couldn't score.", _MODEL),
    Metric(
        "driftwake_serving_dropped_shadow_scores_total", "counter", "Scores of shadows that were left out, by why.",
        {**_MODEL, "reason": frozenset({"late", "busy", "lag"})},
    ),
    Metric("driftwake_serving_window_facts", "gauge", "Facts held in memory for window features.", _MODEL),
    Metric("driftwake_serving_backfill_ratio", "gauge", "Share of the archived facts that the newest windows have.", _MODEL),
    Metric("driftwake_serving_snapshot_seconds", "histogram", "Time to write what windows hold to a file.", _MODEL, _SECONDS),
    Metric("driftwake_serving_snapshot_bytes", "gauge", "Size of the newest file of what windows hold.", _MODEL),
    # Joining
    Metric(
        "driftwake_joining_labels_total", "counter", "Labels, by what became of them.",
        {**_MODEL, "result": frozenset({"joined", "corrected", "repeated", "unknown", "late", "never", "rejected"})},
    ),
    Metric("driftwake_joining_waiting_records", "gauge", "Predictions that wait for their label.", _MODEL),
    Metric("driftwake_joining_coverage_ratio", "gauge", "Share of predictions past their horizon that got a label.", _MODEL),
    # Measuring and monitoring
    Metric(
        "driftwake_measuring_summaries_total", "counter", "Summaries written.",
        {**_MODEL, "kind": frozenset({"inputs", "losses"})},
    ),
    Metric(
        "driftwake_monitoring_events_total", "counter", "Events raised, by kind and transition.",
        {
            **_MODEL,
            "kind": frozenset(KINDS),
            "transition": frozenset({"suspected", "confirmed", "cleared"}),
        },
    ),
    Metric(
        "driftwake_monitoring_quality", "gauge", "Newest windowed quality of the champion, by measure.",
        {**_MODEL, "measure": _MEASURES | {f"estimated_{one}" for one in _MEASURES} | {"estimated_accuracy"}},
    ),
    Metric("driftwake_monitoring_tests_total", "counter", "Tests made, by detector.", {**_MODEL, "detector": FREE}),
    Metric(
        "driftwake_monitoring_inconclusive_total", "counter", "Buckets of which a detector could say nothing, by reason.",
        {**_MODEL, "detector": FREE, "reason": _INCONCLUSIVE},
    ),
    # Archiving
    Metric("driftwake_archiving_rows_total", "counter", "Rows written to the lake.", _TABLE),
    Metric("driftwake_archiving_commit_seconds", "histogram", "Time of one commit to the lake.", _MODEL, _SECONDS),
    Metric(
        "driftwake_archiving_maintenance_seconds", "histogram", "Time of one look after a table's files.",
        {**_MODEL, "work": frozenset({"compaction", "retention"})}, _SECONDS,
    ),
    Metric("driftwake_archiving_merged_files_total", "counter", "Small files of the lake merged into larger ones.", _TABLE),
    Metric("driftwake_archiving_deleted_files_total", "counter", "Files of the lake deleted that no kept version needs.", _TABLE),
    Metric(
        "driftwake_archiving_parity_total", "counter", "Window values computed again from the lake, by what came of it.",
        {**_MODEL, "result": frozenset({"same", "different"})},
    ),
    # The daemon
    Metric("driftwake_daemon_incidents", "gauge", "Incidents by the state they are in.", {**_MODEL, "state": _STATES}),
    Metric("driftwake_daemon_moves_total", "counter", "Moves of incidents, by new state.", {**_MODEL, "state": _STATES}),
    Metric(
        "driftwake_daemon_steps_total", "counter", "Steps ended, by skill and result.",
        {**_MODEL, "skill": FREE, "result": frozenset({"done", "failed"})},
    ),
    Metric("driftwake_daemon_step_seconds", "histogram", "Wall time of a step.", {"skill": FREE}, _LONG_SECONDS),
    Metric(
        "driftwake_daemon_verdicts_total", "counter", "Verdicts on challengers.",
        {**_MODEL, "verdict": frozenset({"pass", "fail", "inconclusive"})},
    ),
    Metric("driftwake_daemon_promotions_total", "counter", "Challengers that became champion.", _MODEL),
    Metric("driftwake_daemon_rollbacks_total", "counter", "Champions taken back.", _MODEL),
    Metric("driftwake_daemon_audit_records_total", "counter", "Records added to the audit chain.", {}),
    Metric("driftwake_daemon_frozen", "gauge", "1 while changes are frozen by people.", _MODEL),
)  # fmt: skip

TABLE: dict[str, Metric] = {metric.name: metric for metric in _ROWS}
