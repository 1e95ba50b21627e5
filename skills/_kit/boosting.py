"""The one place where skills train XGBoost, and how a booster becomes ONNX trees.

Same matrix, parameters and seed give the same booster: histograms, one thread by default, no sampling by column unless asked.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnx
import xgboost
from onnxmltools import convert_xgboost
from onnxmltools.convert.common.data_types import FloatTensorType

from skills._kit.errors import DivergedError
from skills._kit.frames import Floats, Singles

DEFAULTS: dict[str, Any] = {
    "max_depth": 5,
    "eta": 0.06,
    "subsample": 0.8,
    "min_child_weight": 5.0,
    "lambda": 1.0,
    "max_bin": 256,
    "rounds": 300,
    "patience": 30,
    "threads": 1,
    "device": "auto",
}
_OBJECTIVES = {"binary": ("binary:logistic", "logloss"), "regression": ("reg:squarederror", "rmse")}
_OURS = ("rounds", "patience", "threads", "device")
_NVIDIA = Path("/proc/driver/nvidia/version")


class Fitted(NamedTuple):
    """A trained booster, how many rounds it has, and on which device it was trained."""

    booster: xgboost.Booster
    rounds: int
    device: str


class Fold(NamedTuple):
    """Rows to fit or to watch: matrix [rows, features], labels and weights [rows]."""

    matrix: Singles
    labels: Floats
    weights: Floats | None = None


def device_of(asked: str) -> str:
    """Return `cuda` or `cpu`: `auto` is CUDA where XGBoost was built with it and a driver is loaded."""
    if asked != "auto":
        return asked
    return "cuda" if xgboost.build_info().get("USE_CUDA") and _NVIDIA.exists() else "cpu"


def fit(task: str, train: Fold, parameters: Mapping[str, Any], seed: int, watch: Fold | None = None) -> Fitted:
    """Train a booster; with `watch`, stop when it got no better for `patience` rounds and keep the best round.

    Args:
        task: `binary` or `regression`.
        train: what to learn from.
        parameters: XGBoost's own and `DEFAULTS`' names; what is missing has its default.
        seed: for the sampling of rows.
        watch: later rows for early stopping.

    Raises:
        DivergedError: labels are of one class or not finite, or the loss isn't a number.
    """
    chosen = {**DEFAULTS, **parameters}
    _check_labels(task, train.labels)
    objective, metric = _OBJECTIVES[task]
    device = device_of(str(chosen["device"]))
    settings = {name: value for name, value in chosen.items() if name not in _OURS}
    settings |= {"objective": objective, "eval_metric": metric, "nthread": chosen["threads"], "seed": seed, "device": device}
    settings |= {"tree_method": "hist", "verbosity": 0}
    quantised = {"max_bin": chosen["max_bin"], "nthread": chosen["threads"]}
    data = xgboost.QuantileDMatrix(train.matrix, train.labels, weight=train.weights, **quantised)
    if watch is None:
        return _on_cpu(xgboost.train(settings, data, int(chosen["rounds"])), int(chosen["rounds"]), device)
    later = xgboost.QuantileDMatrix(watch.matrix, watch.labels, weight=watch.weights, ref=data, **quantised)
    booster = xgboost.train(
        settings,
        data,
        int(chosen["rounds"]),
        evals=[(later, "watch")],
        early_stopping_rounds=int(chosen["patience"]),
        verbose_eval=False,
    )
    if not np.isfinite(booster.best_score):
        raise DivergedError(f"the loss on later rows is {booster.best_score}; lower eta or look at the labels")
    rounds = int(booster.best_iteration) + 1
    return _on_cpu(booster[:rounds], rounds, device)


def _on_cpu(booster: xgboost.Booster, rounds: int, device: str) -> Fitted:
    # What is predicted afterwards lies in main memory, wherever the training was.
    booster.set_param({"device": "cpu"})
    return Fitted(booster, rounds, device)


def predict(booster: xgboost.Booster, matrix: Singles, *, margin: bool = False) -> Floats:
    """Return scores [rows] (probabilities or values), or margins (log odds or values)."""
    answers = booster.inplace_predict(matrix, predict_type="margin" if margin else "value")
    return np.asarray(answers, dtype=np.float64).reshape(-1)


def trees_of(booster: xgboost.Booster, features: int) -> onnx.ModelProto:
    """Convert a booster to ONNX trees over one float32 input [rows, features]."""
    return convert_xgboost(booster, initial_types=[("matrix", FloatTensorType([None, features]))], target_opset=15)


def _check_labels(task: str, labels: Floats) -> None:
    if not len(labels) or not np.isfinite(labels).all():
        raise DivergedError("the labels are empty or hold what isn't a finite number")
    if task == "binary" and len(np.unique(labels)) < 2:
        raise DivergedError("all labels are of one class: there is nothing to learn")
