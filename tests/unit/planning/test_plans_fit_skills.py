"""The plans' arguments are what the skills take, and the skills' answers are what judging reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from daemon.executing.references import resolve
from daemon.goals.in_force import Asked
from daemon.goals.objective import Change as AimChange
from daemon.goals.reached import Baseline
from daemon.judging.config import JudgingConfig
from daemon.judging.stage import Judging
from daemon.judging.verdict import read_evidence
from daemon.ledger.canonical import plain
from daemon.ledger.ids import IncidentId
from daemon.ledger.ledger import open_ledger
from daemon.ledger.records import Incident, PlanStep, Reason
from daemon.planners.base import Archived, Change, Diagnosis, Proposal
from daemon.planning.compose import Basis, compose
from daemon.planning.config import PlanningConfig
from daemon.triaging.config import TriagingConfig
from daemon.triaging.stage import Triaging
from skills import build_dataset, compare_models, diagnose_drift, propose_windows
from skills._kit import archives, changes, goals
from skills._kit.ranges import Lengths
from skills._kit.skill import find
from streams.contracts.bundle import Interval
from streams.contracts.features import Window
from streams.contracts.slices import Condition
from tests.kit.control import DAY, MODEL, START, Control, event

WINDOW = Window(aggregate="count", source="requests", by=("a",), range_ms=3_600_000)
ONE = Interval(value=0.1, low=0.05, high=0.15)
RESULTS: dict[str, dict[str, Any]] = {
    "data": plain(
        build_dataset.Output(
            train="/t", sealed="/s", rows_train=1, rows_sealed=1, positives=1, digest="d", versions={"outcomes": 3}
        )
    ),
    "search": plain(
        propose_windows.Output(
            accepted=[propose_windows.AcceptedWindow(window=WINDOW, text="w", gain=0.1, low=0.0, high=0.2, p_value=0.01)],
            rejected=[],
            tried=1,
        )
    ),
    "train": {"digest": "e" * 64},
}


def incident(state: str = "diagnosed", **details: Any) -> Incident:
    return Incident(
        id=IncidentId("i"), model=MODEL, cause="performance", state=state, opened_ms=START, moved_ms=START, requester="driftwake",  # type: ignore[arg-type]
        champion="c", challenger="n", details=details,
    )  # fmt: skip


def taken(step: PlanStep) -> msgspec.Struct:
    """Decode a step's arguments as the skill will."""
    arguments = resolve(step.arguments, RESULTS)
    decoded: msgspec.Struct = msgspec.json.decode(msgspec.json.encode(arguments), type=find(step.skill).SPEC.input)
    return decoded


@pytest.mark.parametrize("action", ["search_features_and_retrain", "retrain", "judge_submitted", "restore_archived"])
@pytest.mark.parametrize("since_ms", [None, START - 9 * DAY])
def test_every_step_of_every_plan_fits_its_skill(tmp_path: Path, action: str, since_ms: int | None) -> None:
    proposal = Proposal(
        action=action, reasons=(Reason(text="r"),), utilities={}, train_since_ms=since_ms, challenger="a" * 64,  # type: ignore[arg-type]
    )  # fmt: skip
    asked = Asked(
        id="g", digest="d" * 64, metric="precision", change=AimChange(by=0.02, of="points"), over="30 days", since_ms=START,
        until_ms=START + DAY, cohort=(Condition(column="a", low=1.0), Condition(column="b", values=("x",))), objection="none",
        baseline=Baseline(value=0.9, low=0.8, high=1.0, rows=7, champion="c" * 64, measured="by_itself", time_ms=START),
    )  # fmt: skip
    basis = Basis(START, incident(), "c", (WINDOW,), change=Change(since_ms=START - 9 * DAY, rows=900), goals=(asked,))
    for step in compose(proposal, basis, Control(tmp_path).places, PlanningConfig()).steps:
        fitted = taken(step)
        if step.skill == "train_xgboost":
            assert fitted.windows == (WINDOW,)  # type: ignore[attr-defined]
        if step.skill == "compare_models":
            assert plain(fitted.goals[0]) | plain(asked) == plain(fitted.goals[0])  # type: ignore[attr-defined]


def test_the_questions_fit_the_skills(tmp_path: Path) -> None:
    places = Control(tmp_path).places
    with open_ledger(tmp_path / "ledger.sqlite") as ledger:
        ledger.take_event(event(START))
        opened = ledger.open_for_event(event(START), "performance", "c", "r", START)
        question = Triaging(ledger, places, TriagingConfig(), Lengths(9 * DAY, 2 * DAY)).question(opened, START + 5)
    fitted = taken(question)
    assert (fitted.train_ms, fitted.sealed_ms) == (9 * DAY, 2 * DAY)  # type: ignore[attr-defined]
    assert [one.id for one in fitted.events] == [event(START).id]  # type: ignore[attr-defined]
    judging = Judging(places, JudgingConfig())
    for asked in (incident("shadowing", shadow_ms=START), incident("probation", promoted_ms=START)):
        assert taken(judging.live_question(asked, START + DAY))


def test_the_answers_are_read_in_full() -> None:
    metric = compare_models.Metric(
        name="auc",
        champion=ONE,
        challenger=ONE,
        difference=compare_models.Difference(**dict.fromkeys(compare_models.Difference.__struct_fields__, 0.1)),
    )
    part = compare_models.SliceResult(slice="a=1", rows=3, champion=0.1, challenger=0.1, low=0.0, high=0.2, difference=ONE)
    answer = compare_models.Output(
        rows=5, positives=2, metric=metric, slices=[part], calibration=compare_models.Calibration(champion=0.1, challenger=0.2),
        onnx_max_difference=1e-6, latency_ms_per_1000=2.0,
        goals=[goals.Reached(goal="g", digest="d", metric="auc", champion=ONE, challenger=ONE, difference=ONE, floor=0.1)],
    )  # fmt: skip
    evidence = read_evidence(plain(answer))
    assert evidence.goals is not None
    assert (evidence.goals[0].goal, evidence.goals[0].challenger, evidence.goals[0].floor) == ("g", ONE, 0.1)
    assert all(getattr(evidence, name) is not None for name in evidence.__struct_fields__)
    assert evidence.slices is not None
    assert evidence.slices[0].difference == ONE


def test_a_diagnosis_is_read_in_full() -> None:
    answer = diagnose_drift.Output(
        causes=[diagnose_drift.WeighedCause(cause="concept_change", probability=0.7, evidence={"loss_z": 3.0})],
        moved=[diagnose_drift.Moved(feature="a", statistic=0.2, effect=0.1)],
        slices=[diagnose_drift.SliceLoss(slice="a=1", rows=3, loss=0.5, excess=0.1)],
        label_state=diagnose_drift.LabelState(coverage=0.9, delay_ms_p50=1.0, delay_ms_p90=2.0, rows=99),
        performance=diagnose_drift.Performance(metric="auc", reference=0.7, recent=0.6, low=0.5, high=0.65),
        change=changes.Changed(since_ms=START, rows=700, train_rows=400),
        archived=[archives.ArchivedGain(digest="a" * 64, value=0.1, low=0.05, high=0.15, rows=300, labelled=350, compared=2)],
    )
    diagnosis = msgspec.convert(plain(answer), Diagnosis)
    assert diagnosis.likely is not None
    assert (diagnosis.likely.cause, diagnosis.label_state.rows, diagnosis.performance.high) == ("concept_change", 99, 0.65)
    assert diagnosis.change == Change(since_ms=START, rows=700, train_rows=400)
    assert diagnosis.change.learnable == 400
    assert diagnosis.archived == (Archived(digest="a" * 64, value=0.1, low=0.05, high=0.15, rows=300, labelled=350, compared=2),)
