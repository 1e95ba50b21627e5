"""The metrics that a goal can name: which way is better, what they count, and for which tasks they make sense.

That a metric stands here says what is meant by its name, not that something measures it already.
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

from streams.contracts.schema import Task

Better = Literal["higher", "lower"]
Counted = Literal["share", "number", "ms"]

_BINARY: tuple[Task, ...] = ("binary",)
_REGRESSION: tuple[Task, ...] = ("regression",)
_BOTH: tuple[Task, ...] = ("binary", "regression")


class Metric(NamedTuple):
    """One metric.

    `counted` says what its numbers are: a share of 1, which may be said in per cent; a number without a unit (the target's own,
    for errors of a regression); or milliseconds. `said` are the ways in which people call it; the first is how it is told back.
    """

    name: str
    better: Better
    counted: Counted
    tasks: tuple[Task, ...]
    said: tuple[str, ...]

    @property
    def most(self) -> float | None:
        """The largest value it can have, None where there is none."""
        return 1.0 if self.counted == "share" or self.name == "r2" else None


_ALL: tuple[Metric, ...] = (
    Metric("precision", "higher", "share", _BINARY, ("precision", "positive predictive value", "ppv")),
    Metric("recall", "higher", "share", _BINARY, ("recall", "sensitivity", "true positive rate", "tpr")),
    Metric("specificity", "higher", "share", _BINARY, ("specificity", "true negative rate", "tnr")),
    Metric("f1", "higher", "share", _BINARY, ("F1", "F1 score", "F1 measure")),
    Metric("accuracy", "higher", "share", _BINARY, ("accuracy",)),
    Metric("error_rate", "lower", "share", _BINARY, ("error rate", "misclassification rate")),
    Metric("false_positive_rate", "lower", "share", _BINARY, ("false positive rate", "fpr")),
    Metric("false_negative_rate", "lower", "share", _BINARY, ("false negative rate", "fnr", "miss rate")),
    Metric(
        "auc", "higher", "share", _BINARY,
        ("AUC", "ROC AUC", "AUC ROC", "AUROC", "area under the curve", "area under the ROC curve"),
    ),
    Metric("log_loss", "lower", "number", _BINARY, ("log loss", "logloss", "cross entropy")),
    Metric("brier", "lower", "number", _BINARY, ("Brier score", "Brier")),
    Metric("calibration_error", "lower", "share", _BINARY, ("calibration error", "expected calibration error", "ECE")),
    Metric("rmse", "lower", "number", _REGRESSION, ("RMSE", "root mean squared error", "root mean square error")),
    Metric("mae", "lower", "number", _REGRESSION, ("MAE", "mean absolute error")),
    Metric("r2", "higher", "number", _REGRESSION, ("R2", "R²", "R squared", "coefficient of determination")),
    Metric("latency_p50", "lower", "ms", _BOTH, ("median latency", "p50 latency", "latency p50", "50th percentile latency")),
    Metric("latency_p95", "lower", "ms", _BOTH, ("p95 latency", "latency p95", "95th percentile latency")),
    Metric("latency_p99", "lower", "ms", _BOTH, ("p99 latency", "latency p99", "99th percentile latency")),
)  # fmt: skip

METRICS: Final[dict[str, Metric]] = {metric.name: metric for metric in _ALL}

AMBIGUOUS: Final[dict[str, str]] = {
    "quality": "say which metric, accuracy or AUC for instance",
    "performance": "say which metric, accuracy or AUC for instance",
    "loss": "say log loss or Brier score",
    "error": "say error rate, RMSE or mean absolute error",
    "errors": "say error rate, RMSE or mean absolute error",
    "latency": "say median latency, p95 latency or p99 latency",
    "false positives": "say false positive rate if they are counted among all negatives, precision if among all alarms",
    "false negatives": "say false negative rate if they are counted among all positives, recall for the others",
    "false alarms": "say false positive rate if they are counted among all negatives, precision if among all alarms",
}
"""What people say that may be several metrics, and what to say instead."""


def metrics_of(task: Task) -> tuple[Metric, ...]:
    """Return the metrics that make sense for a task."""
    return tuple(metric for metric in _ALL if task in metric.tasks)
