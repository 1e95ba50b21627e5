"""What callers ask and are told, in the words of the Open Inference Protocol v2 (kserve, inference_rest.md)."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from streams.dialects.open_inference import Table
from streams.serving.board import Behind
from streams.serving.door import Answer, Asked

PLATFORM = "onnx_onnxv1"
RETRY_SECONDS = 1


class CallError(Exception):
    """What a caller is told instead of an answer."""

    def __init__(self, status: int, reason: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(reason)
        self.status = status
        self.headers = dict(headers or {})


def later(reason: str) -> CallError:
    """Tell a caller to come back; nothing of his was written."""
    return CallError(503, reason, {"Retry-After": str(RETRY_SECONDS)})


def is_ready(model: Behind) -> bool:
    """Whether a model can answer in this process."""
    return model.board.slots.is_serving and bool(model.board.own)


def versions(model: Behind) -> list[str]:
    """Return the champion's digest; none before the first."""
    deployments = model.board.slots.deployments
    return [deployments[-1].champion] if deployments else []


def described(name: str, model: Behind) -> dict[str, Any]:
    """Return a model's metadata: an input for each declared column, and the score."""
    inputs = [
        {"name": column.name, "datatype": "FP64" if column.kind == "number" else "BYTES", "shape": [-1, 1]}
        for column in model.schema.columns
    ]
    outputs = [{"name": "score", "datatype": "FP64", "shape": [-1, 1]}]
    return {"name": name, "versions": versions(model), "platform": PLATFORM, "inputs": inputs, "outputs": outputs}


def rows_of(table: Table, now_ms: int) -> list[Asked]:
    """Return the rows of a request, each a request of its own in the log: `ID/NUMBER` where they are several.

    The parameter `time_ms` is their event time, else it is now; the parameter `key` is their record key.
    """
    own = table.id if table.id is not None else uuid.uuid4().hex
    time_ms, key = table.parameters.get("time_ms", now_ms), table.parameters.get("key")
    names, encoded = list(table.columns), key.encode() if isinstance(key, str) else None
    return [
        Asked(own if table.rows == 1 else f"{own}/{number}", time_ms, dict(zip(names, values, strict=True)), encoded)
        for number, values in enumerate(zip(*table.columns.values(), strict=True))
    ]


def answer_to(name: str, table: Table, answers: Sequence[Answer]) -> dict[str, Any]:
    """Return what a caller is told of his rows; version, generation and route are those of the last one."""
    last = answers[-1]
    return {
        "model_name": name,
        "model_version": last.digest,
        **({} if table.id is None else {"id": table.id}),
        "parameters": {"generation": last.generation, "route": last.route},
        "outputs": [{"name": "score", "datatype": "FP64", "shape": [len(answers), 1], "data": [one.score for one in answers]}],
    }
