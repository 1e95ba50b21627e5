"""The metrics that a goal can name: which way is better, what they count, and for which tasks they make sense.

All but the latencies are measured by comparisons (`skills/_kit/measures.py`); a threshold is the one that the bundle has.
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


_LATENCIES = "(latency|latencies|lat|response time|response times)"
_MEDIANS = (
    f"median [prediction|scoring|serving|inference|request] {_LATENCIES}",
    f"{_LATENCIES} median",
    f"median of [the] {_LATENCIES}",
)


def _latencies(part: str) -> tuple[str, ...]:
    """Return how people call a percentile of the latency, `p99` for instance."""
    percentile = f"(p{part}|{part}th percentile|{part} percentile)"
    return (
        f"p{part}", f"{percentile} [prediction|scoring|serving|inference|request] {_LATENCIES}",
        f"{percentile} of [the] {_LATENCIES}", f"{_LATENCIES} {percentile}", f"{_LATENCIES} (at|in|of) [the] {percentile}",
        f"{_LATENCIES} 's {percentile}",
    )  # fmt: skip


_ALL: tuple[Metric, ...] = (
    Metric("precision", "higher", "share", _BINARY, ("precision", "prec", "precision rate", "positive predictive value", "ppv")),
    Metric(
        "recall", "higher", "share", _BINARY,
        ("recall", "recall rate", "sensitivity", "true positive[s] rate", "rate of true positives", "tpr", "hit rate"),
    ),
    Metric(
        "specificity", "higher", "share", _BINARY,
        ("specificity", "true negative[s] rate", "rate of true negatives", "tnr", "selectivity"),
    ),
    Metric("f1", "higher", "share", _BINARY, ("F1", "F1 score", "F1 measure", "F 1")),
    Metric("accuracy", "higher", "share", _BINARY, ("accuracy", "acc", "accuracy rate", "(overall|classification) accuracy")),
    Metric(
        "error_rate", "lower", "share", _BINARY,
        ("error rate", "err rate", "misclassification rate", "(misclassification|classification) error [rate]", "rate of errors"),
    ),
    Metric(
        "false_positive_rate", "lower", "share", _BINARY,
        ("false positive rate", "false positives rate", "rate of false positives", "fpr", "fall out", "fallout",
        "type (i|1) error rate"),
    ),
    Metric(
        "false_negative_rate", "lower", "share", _BINARY,
        ("false negative rate", "false negatives rate", "rate of false negatives", "fnr", "miss rate", "type (ii|2) error rate"),
    ),
    Metric(
        "auc", "higher", "share", _BINARY,
        (
            "AUC", "(ROC|AU) AUC", "AUC ROC", "AUROC", "AU ROC", "ROCAUC", "AUCROC", "area under [the] curve",
            "AUC of the ROC [curve]",
            "area under [the] (ROC|receiver operating characteristic) [curve]",
        ),
    ),
    Metric(
        "log_loss", "lower", "number", _BINARY,
        ("log loss", "logloss", "logarithmic loss", "[binary] cross entropy [loss]", "binary log loss"),
    ),
    Metric("brier", "lower", "number", _BINARY, ("Brier score", "Brier", "Brier loss")),
    Metric(
        "calibration_error", "lower", "share", _BINARY,
        ("calibration error", "expected calibration error", "ECE", "error of calibration"),
    ),
    Metric(
        "rmse", "lower", "number", _REGRESSION,
        ("RMSE", "root mean (squared|square|squares) (error|deviation)", "RMS error", "RMSD"),
    ),
    Metric("mae", "lower", "number", _REGRESSION, ("MAE", "(mean|average|avg) (absolute|abs) error")),
    Metric("r2", "higher", "number", _REGRESSION, ("R2", "R²", "R ^ 2", "R (squared|square)", "coefficient of determination")),
    *(
        Metric(f"latency_p{part}", "lower", "ms", _BOTH, (*first, *_latencies(part)))
        for part, first in (("50", ("median latency", *_MEDIANS)), ("95", ("p95 latency",)), ("99", ("p99 latency",)))
    ),
)  # fmt: skip

METRICS: Final[dict[str, Metric]] = {metric.name: metric for metric in _ALL}

AMBIGUOUS: Final[dict[str, str]] = {
    "quality": "say which metric, accuracy or AUC for instance",
    "performance": "say which metric, accuracy or AUC for instance",
    "loss": "say log loss or Brier score",
    "error": "say error rate, RMSE or mean absolute error",
    "errors": "say error rate, RMSE or mean absolute error",
    f"[mean|average|maximum|max|tail] {_LATENCIES}": "say median latency, p95 latency or p99 latency",
    "false positives": "say false positive rate if they are counted among all negatives, precision if among all alarms",
    "false negatives": "say false negative rate if they are counted among all positives, recall for the others",
    "false alarms": "say false positive rate if they are counted among all negatives, precision if among all alarms",
    "false alarm (rate|ratio)": "say false positive rate if they are counted among all negatives, precision if among all alarms",
    "calibration": "say calibration error or Brier score",
}
"""What people say that may be several metrics, and what to say instead."""

UNKNOWN: Final[tuple[str, ...]] = (
    "(PR|precision recall) AUC",
    "AUC PR",
    "AUPRC",
    "area under the (PR|precision recall) curve",
    "average precision",
    "mean average precision",
    "AP",
    "MAPE",
    "SMAPE",
    "WAPE",
    "MSE",
    "mean squared error",
    "RMSLE",
    "NPV",
    "negative predictive value",
    "FDR",
    "false discovery rate",
    "MCC",
    "matthews correlation",
    "gini",
    "kappa",
    "F2",
    "Fbeta",
    "throughput",
    "(median|max|maximum) absolute error",
    "adjusted (R2|R²|R squared)",
    "explained variance",
    "(cohen|cohens) kappa",
    "uptime",
    "availability",
    "(p90|p75|p999|p25) [latency]",
)
"""Metrics that goals don't know, so that they aren't taken for one that they do."""


def metrics_of(task: Task) -> tuple[Metric, ...]:
    """Return the metrics that make sense for a task."""
    return tuple(metric for metric in _ALL if task in metric.tasks)
