"""Alarms as people count them."""

from __future__ import annotations

from collections.abc import Iterable

from streams.contracts.events import DriftEvent


def begun(events: Iterable[DriftEvent]) -> list[DriftEvent]:
    """Confirmed alarms without those that only say again what isn't over."""
    found, lasting = [], set()
    for event in events:
        group = event.detector, event.kind
        if event.transition == "confirmed" and group not in lasting:
            found.append(event)
            lasting.add(group)
        elif event.transition == "cleared":
            lasting.discard(group)
    return found
