"""The trailing window: the newest 35 days whose labels count as known."""

from __future__ import annotations

from tests.bench.closed_loop.policies.base import TRAILING_MS, Retrain, World


def trailing(world: World, now_ms: int, why: str, *, held_out_ms: int = 0, gate: bool = False) -> Retrain | None:
    """Ask for [now - delay - 35 d, now - delay), cut at the epoch; None while no row before it is known.

    The last `held_out_ms` of known rows are left out, and the window moves back by as much.
    """
    until_ms = now_ms - world.label_delay_ms - held_out_ms
    since_ms = max(world.epoch_ms, until_ms - TRAILING_MS)
    return Retrain(since_ms, until_ms, why=why, gate=gate) if since_ms < until_ms else None
