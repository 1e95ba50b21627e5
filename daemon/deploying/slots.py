"""From one deployment to the next. Pure: what changes is stated, what others put there stays."""

from __future__ import annotations

import msgspec

from streams.contracts.records import CHAMPION, Canary, Deployment, Slot

CHALLENGER = "challenger"
PREVIOUS = "previous"
OURS = frozenset({CHALLENGER, PREVIOUS})


def prepared(current: Deployment, digest: str, now_ms: int) -> Deployment:
    """Ask the owners to load a bundle; nothing else changes."""
    wanted = tuple(dict.fromkeys([*current.preparing, digest]))
    return _next(current, _slots(current), wanted, max(now_ms, current.effective_ms), f"prepare {digest[:12]}")


def shadowed(current: Deployment, name: str, digest: str | None, effective_ms: int) -> Deployment:
    """Put a bundle into the shadow `name`, or empty that shadow."""
    slots = _slots(current)
    slots.pop(name, None)
    if digest is not None:
        slots[name] = digest
    reason = f"shadow {name}: {digest[:12]}" if digest is not None else f"shadow {name}: none"
    return _next(current, slots, _without(current, digest), max(effective_ms, current.effective_ms), reason)


def canaried(current: Deployment, canary: Canary | None, effective_ms: int) -> Deployment:
    """Let a bundle answer a share of the requests, or end that."""
    digest = None if canary is None else canary.digest
    reason = "no canary" if canary is None else f"canary {canary.digest[:12]} for {canary.weight:.3g} of the requests"
    built = _next(current, _slots(current), _without(current, digest), max(effective_ms, current.effective_ms), reason)
    return msgspec.structs.replace(built, canary=canary)


def promoted(current: Deployment, digest: str, effective_ms: int) -> Deployment:
    """Make a bundle the champion and keep the one it replaces as the shadow `previous`; a canary was against that one."""
    slots = _without_ours(current) | {CHAMPION: digest, PREVIOUS: current.champion}
    reason = f"promote {digest[:12]}"
    built = _next(current, slots, _without(current, digest), max(effective_ms, current.effective_ms), reason)
    return msgspec.structs.replace(built, canary=None)


def rolled_back(current: Deployment, digest: str, now_ms: int) -> Deployment:
    """Make an earlier bundle the champion again, at once, of all requests."""
    built = _next(current, _without_ours(current) | {CHAMPION: digest}, (), now_ms, f"roll back to {digest[:12]}")
    return msgspec.structs.replace(built, canary=None)


def tidied(current: Deployment, now_ms: int) -> Deployment:
    """Empty the slots that an incident used."""
    return _next(current, _without_ours(current), (), max(now_ms, current.effective_ms), "tidy up")


def is_same(one: Deployment, other: Deployment) -> bool:
    """Whether two deployments serve and prepare the same."""
    return (_slots(one), set(one.preparing), one.canary) == (_slots(other), set(other.preparing), other.canary)


def _next(current: Deployment, slots: dict[str, str], preparing: tuple[str, ...], effective_ms: int, reason: str) -> Deployment:
    names = [CHAMPION, *sorted(name for name in slots if name != CHAMPION)]
    return Deployment(
        model=current.model,
        generation=current.generation + 1,
        active=tuple(Slot(name=name, digest=slots[name]) for name in names),
        preparing=preparing,
        effective_ms=effective_ms,
        reason=reason,
        canary=current.canary,
    )


def _slots(current: Deployment) -> dict[str, str]:
    return {slot.name: slot.digest for slot in current.active}


def _without_ours(current: Deployment) -> dict[str, str]:
    return {name: digest for name, digest in _slots(current).items() if name not in OURS}


def _without(current: Deployment, digest: str | None) -> tuple[str, ...]:
    return tuple(other for other in current.preparing if other != digest)
