"""How surely an alarm tells of something real."""

from __future__ import annotations

import msgspec
import pytest

from skills._kit.told import CHANGES_A_MONTH, credence, told_by
from streams.contracts.events import DriftEvent, Evidence

HOUR_MS = 3_600_000
A_MONTH = 30 * 24 // 6
"""Buckets of six hours."""


def event(*chances: float, **other: object) -> DriftEvent:
    proofs = tuple(Evidence(watched="loss", method="mean", p_value=chance, effect=0.1, effect_unit="nats") for chance in chances)
    alarm = DriftEvent(
        id="1", kind="performance", transition="confirmed", model="m", digest="d", detector="performance_auc",
        time_ms=6 * HOUR_MS, bucket_start_ms=0, bucket_end_ms=6 * HOUR_MS, rows=100, evidence=proofs,
    )  # fmt: skip
    return msgspec.structs.replace(alarm, **other)


def test_an_alarm_is_believed_by_how_many_so_improbable_ones_chance_raises() -> None:
    assert credence(event(2 / A_MONTH)) == pytest.approx(CHANGES_A_MONTH / (CHANGES_A_MONTH + 2))
    assert credence(event(CHANGES_A_MONTH / A_MONTH)) == pytest.approx(0.5)
    assert credence(event(1e-7)) == pytest.approx(1.0, abs=1e-4)
    assert credence(event(2 / A_MONTH, bucket_end_ms=24 * HOUR_MS)) > credence(event(2 / A_MONTH))
    assert credence(event(0.02, 1e-7)) == credence(event(1e-7)), "the strongest proof counts"
    assert credence(event()) == 1.0
    assert 0 < credence(event(1.0, bucket_end_ms=0)) < 1e-8, "a bucket without length"


def test_of_a_kind_the_surest_alarm_counts_and_what_isn_t_confirmed_doesn_t() -> None:
    weak, sure = event(0.02), event(1e-7)
    assert told_by([weak, sure, weak]) == {"performance": credence(sure)}
    assert told_by([msgspec.structs.replace(sure, transition=other) for other in ("suspected", "cleared")]) == {}
    spoken = [event(1e-7, detector=name, kind="data_quality") for name in ("inputs_quality", "labels_delay", "inputs_missing")]
    assert set(told_by(spoken)) == {"values", "labels", "data_quality"}
    assert set(told_by([event(1e-7, detector="requests_rejected", kind="serving")])) == {"data_quality"}
