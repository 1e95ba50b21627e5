"""What the model registry is told. Pure."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from daemon.ledger.records import Incident, Plan


class Training(msgspec.Struct, frozen=True, kw_only=True):
    """One training: what came out, from what, with which numbers."""

    digest: str
    incident: str
    plan: str
    action: str
    champion: str
    folder: Path
    metrics: dict[str, float]
    parameters: dict[str, str]
    started_ms: int
    seconds: float


def training_of(incident: Incident, plan: Plan, result: dict[str, Any], folder: Path) -> Training:
    """Read a training skill's result."""
    metrics: dict[str, float] = {}
    for name, measured in result.get("metrics", {}).items():
        values = measured if isinstance(measured, dict) else {"value": measured}
        metrics |= {
            name if part == "value" else f"{name}_{part}": float(value)
            for part, value in values.items()
            if isinstance(value, int | float)
        }
    metrics["rows"] = float(result.get("rows") or 0)
    step = next(step for step in plan.steps if step.skill.startswith("train_"))
    parameters = {str(name): str(value) for name, value in step.arguments.get("parameters", {}).items()}
    parameters |= {"skill": step.skill, "seed": str(step.arguments.get("seed", "")), "sealed_until_ms": str(plan.sealed[1])}
    return Training(
        digest=str(result["digest"]),
        incident=incident.id,
        plan=plan.digest,
        action=plan.action,
        champion=plan.champion,
        folder=folder,
        metrics=metrics,
        parameters=parameters,
        started_ms=plan.created_ms,
        seconds=float(result.get("seconds") or 0.0),
    )
