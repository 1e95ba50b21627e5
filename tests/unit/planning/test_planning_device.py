"""Where a training runs is a matter of what it needs and what there is."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from daemon.planning.compose import Basis
from daemon.planning.device import SHARE, Load, Machine, choose
from tests.kit.control import Control
from tests.unit.planning.plans import NOW, incident, plan_of

LARGE = Load(100_000_000, 50, 300)
loads = st.builds(Load, st.integers(1, 10**9), st.integers(1, 1_000), st.integers(1, 1_000))
sizes = st.floats(1.0, 1e7)


def test_without_a_gpu_it_is_the_cpu() -> None:
    choice = choose(LARGE, Machine(64_000.0))
    assert choice.device == "cpu"
    assert "no GPU" in choice.reason


def test_what_has_room_on_the_gpu_is_trained_there() -> None:
    assert choose(LARGE, Machine(512_000.0, 140_000.0)).device == "cuda"


def test_what_has_no_room_there_is_not_tried() -> None:
    choice = choose(LARGE, Machine(512_000.0, 8_000.0))
    assert choice.device == "cpu"
    assert "the GPU has no room" in choice.reason
    assert "too little memory" not in choice.reason


def test_what_has_no_room_anywhere_says_so() -> None:
    assert "too little memory for it here, too" in choose(LARGE, Machine(8_000.0, 8_000.0)).reason


@given(loads, sizes, sizes)
def test_the_gpu_is_only_used_within_what_is_free(load: Load, memory_mb: float, gpu_mb: float) -> None:
    choice = choose(load, Machine(memory_mb, gpu_mb))
    assert choice.memory_mb > 0
    assert f"{load.rows} rows x {load.columns} columns" in choice.reason
    if choice.device == "cuda":
        assert choice.memory_mb <= SHARE * gpu_mb
    else:
        assert choice.seconds is not None
        assert choice.seconds > 0


@given(loads, sizes)
def test_more_rows_never_need_less(load: Load, memory_mb: float) -> None:
    one, two = (choose(load._replace(rows=load.rows * by), Machine(memory_mb)) for by in (1, 2))
    assert one.memory_mb <= two.memory_mb
    assert (one.seconds or 0.0) <= (two.seconds or 0.0)


def test_a_plan_says_where_it_trains_and_why(tmp_path: Path) -> None:
    control = Control(tmp_path)
    for machine, device in ((Machine(64_000.0), "cpu"), (Machine(512_000.0, 140_000.0), None)):
        choice = choose(LARGE, machine)
        plan = plan_of(control, "retrain", Basis(NOW, incident(), "c", (), device=choice))
        train = next(step for step in plan.steps if step.key == "train")
        assert train.arguments["parameters"].get("device") == device, "where there is a GPU, the skill finds out"
        assert plan.reasons[-1].text == choice.reason
    tight = Basis(NOW, incident(), "c", (), device=choose(LARGE, Machine(1.0)))
    asked = plan_of(control, "retrain", tight, parameters={"device": "cuda"})
    assert asked.steps[1].arguments["parameters"] == {"device": "cuda"}, "who says where has the last word"
    assert plan_of(control, "retrain").steps[1].arguments["parameters"] == {}
    assert len(plan_of(control, "judge_submitted", tight).reasons) == 1, "nothing is trained"
