from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from daemon.gates.base import Limits
from daemon.judging.config import JudgingConfig
from daemon.judging.stage import Judging
from daemon.judging.verdict import read_evidence, weigh
from daemon.ledger.ids import IncidentId
from daemon.ledger.records import Incident
from daemon.places import Places
from tests.kit.control import DAY, MODEL, START, comparison

HOUR = DAY // 24

PLACES = Places(MODEL, "/lake", Path("/registry"), DAY)


def incident(state: str, **details: Any) -> Incident:
    return Incident(
        id=IncidentId("i"),
        model=MODEL,
        cause="performance",
        state=state,
        opened_ms=START,
        moved_ms=START,
        requester="d",  # type: ignore[arg-type]
        champion="old",
        challenger="new",
        details=details,
    )


@pytest.fixture
def judging() -> Judging:
    return Judging(PLACES, JudgingConfig())


@pytest.mark.parametrize(("better_by", "said"), [(0.05, "pass"), (-0.05, "fail"), (0.0, "inconclusive")])
def test_the_sealed_verdict_follows_the_gates(judging: Judging, better_by: float, said: str) -> None:
    move = judging.weigh_sealed({"train": {"digest": "new"}, "compare": comparison(better_by)}, "")
    assert (move.to, move.challenger, move.details["sealed_outcome"]) == ("judged", "new", said)
    refusal = judging.refusal(incident("judged", sealed_outcome=said))
    assert (refusal is None) == (said == "pass")


@pytest.mark.parametrize("missing", ["metric", "slices", "calibration", "onnx_max_difference", "latency_ms_per_1000", "goals"])
def test_a_missing_proof_never_passes(judging: Judging, missing: str) -> None:
    answer = comparison(0.05) | {missing: None}
    assert judging.weigh_sealed({"compare": answer}, "new").details["sealed_outcome"] == "inconclusive"


def test_what_can_t_be_read_counts_as_not_measured() -> None:
    assert read_evidence({"rows": "many", "metric": 7, "slices": [{"slice": "a"}], "surprise": 1}).metric is None


def test_no_gates_prove_nothing() -> None:
    assert weigh("shadow", read_evidence(comparison(1.0)), [], Limits()).outcome == "inconclusive"


def test_a_shadow_waits_for_outcomes_and_is_refused_in_the_end(judging: Judging) -> None:
    few = comparison(0.05, rows=10)
    waiting = judging.weigh_shadow(incident("shadowing", shadow_ms=START), few, START + 7 * DAY)
    assert (waiting.to, waiting.waits_until_ms, waiting.details["shadowing_checks"]) == ("shadowing", START + 10 * DAY, 1)
    late = judging.weigh_shadow(incident("shadowing", shadow_ms=START), few, START + 21 * DAY)
    assert (late.to, late.rule) == ("refused", "shadow_inconclusive")
    good = judging.weigh_shadow(incident("shadowing", shadow_ms=START), comparison(0.02), START + 7 * DAY)
    assert good.to == "promoting"


@pytest.mark.parametrize(("better_by", "to"), [(0.02, "closed"), (0.0, "closed"), (-0.005, "closed"), (-0.02, "rolled_back")])
def test_probation_rolls_back_only_what_is_worse_beyond_chance(judging: Judging, better_by: float, to: str) -> None:
    move = judging.weigh_probation(incident("probation", promoted_ms=START), comparison(better_by), START + 14 * DAY)
    assert move.to == to


def test_probation_without_outcomes_waits_then_keeps_the_champion(judging: Judging) -> None:
    few = comparison(-0.5, rows=10)
    assert judging.weigh_probation(incident("probation", promoted_ms=START), few, START + 14 * DAY).to == "probation"
    assert judging.weigh_probation(incident("probation", promoted_ms=START), few, START + 28 * DAY).to == "closed"


def test_an_alarm_has_a_new_champion_compared_before_its_time_and_only_harm_ends_it(judging: Judging) -> None:
    alarmed = incident("probation", promoted_ms=START, alarmed_ms=START + DAY)
    worse = judging.weigh_probation(alarmed, comparison(-0.05), START + DAY)
    assert (worse.to, worse.rule) == ("rolled_back", "probation_fail")
    waits = [
        judging.weigh_probation(alarmed, comparison(0.05), START + DAY + hours * HOUR).waits_until_ms
        for hours in (0, 1, 6, 100, 300)
    ]
    assert waits == [START + DAY + hours * HOUR for hours in (1, 2, 12, 200)] + [START + 14 * DAY]


def test_who_looks_early_asks_for_more(judging: Judging) -> None:
    """The interval of that comparison is 0.01 to each side: 0.012 are worse at 95 %, and not at 99.9 %."""
    for days, to in ((1, "probation"), (14, "rolled_back")):
        assert judging.weigh_probation(incident("probation", promoted_ms=START), comparison(-0.012), START + days * DAY).to == to


def test_probation_compares_the_new_champion_with_the_previous_one(judging: Judging) -> None:
    live = judging.live_question(incident("probation", promoted_ms=START), START + 14 * DAY + 5).arguments["live"]
    assert live == {
        "since_ms": START,
        "until_ms": START + 14 * DAY,
        "champion_slot": "previous",
        "challenger_slot": "champion",
    }
