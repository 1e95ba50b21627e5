"""Reflecting: what an ended incident taught, in a sentence made of numbers and enums only. Pure."""

from __future__ import annotations

import math
from typing import Any

import msgspec

from daemon.ledger.records import INCONCLUSIVE, UNKNOWN, Incident, Lesson, Move, has_broken
from daemon.likeness import signature
from streams.contracts.features import duration_text

_PHASES = ("sealed", "shadow", "probation")


def reflect(incident: Incident, move: Move, now_ms: int) -> Move:
    """Add the lesson to the move that ends an incident."""
    details = incident.details | msgspec.to_builtins(move.details)
    action = str(details.get("action", "none"))
    cause, probability = _likely(details)
    numbers = {"cause_probability": probability, "lasted_ms": float(now_ms - incident.opened_ms)} | _measured(details)
    numbers |= signature((str(one["cause"]), float(one.get("probability", 0.0))) for one in _causes(details))
    numbers["speaks_for"] = _speaks_for(move, details)
    said = [
        f"{cause} ({probability:.2f}) after {incident.cause}",
        f"{action} ended as {move.to} by rule {move.rule.split(':')[0]}",
    ]
    for phase in _PHASES:
        if f"{phase}_difference" in numbers:
            low, high = numbers.get(f"{phase}_low", math.nan), numbers.get(f"{phase}_high", math.nan)
            said.append(f"{phase} difference {numbers[f'{phase}_difference']:+.4f} [{low:+.4f}, {high:+.4f}]")
    said.append(f"took {duration_text(now_ms - incident.opened_ms)} of event time")
    lesson = Lesson(cause=cause, action=action, outcome=move.to, text="; ".join(said), numbers=numbers)
    return msgspec.structs.replace(move, lesson=lesson)


def _speaks_for(move: Move, details: dict[str, Any]) -> float:
    """Return 1 where the action helped, -1 where it ran and didn't, 0 where nothing was learnt of it.

    So it is of what nobody let run or had the time for, and of what couldn't be judged.
    """
    if move.rule.endswith(f"_{INCONCLUSIVE}"):
        return 0.0
    if has_broken(move.to, details):
        return -1.0
    return float(move.to == "closed")


def _causes(details: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = details.get("diagnosis", {}).get("causes", [])
    return found


def _likely(details: dict[str, Any]) -> tuple[str, float]:
    best = max(_causes(details), key=lambda one: float(one.get("probability", 0.0)), default=None)
    return (UNKNOWN, 0.0) if best is None else (str(best["cause"]), float(best["probability"]))


def _measured(details: dict[str, Any]) -> dict[str, float]:
    numbers: dict[str, float] = {}
    for phase in _PHASES:
        for finding in details.get(phase, {}).get("findings", ()):
            if "difference" in finding["numbers"]:
                numbers |= {f"{phase}_{name}": float(finding["numbers"][name]) for name in ("difference", "low", "high")}
                numbers[f"{phase}_rows"] = float(finding["numbers"].get("rows", 0.0))
    return numbers
