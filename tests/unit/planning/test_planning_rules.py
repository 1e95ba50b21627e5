from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.errors import PlanRefusedError
from daemon.ledger.ids import IncidentId
from daemon.ledger.ledger import Ledger, open_ledger
from daemon.ledger.records import Experiment, Incident, Plan, Reason
from daemon.planners.base import Proposal
from daemon.planning.compose import Basis, compose
from daemon.planning.config import Freeze, PlanningConfig
from daemon.planning.guardrails import MONTH_MS, RULES, Facts, check, promotion_room_ms
from streams.contracts.features import Window
from tests.kit.control import DAY, MODEL, SKILLS, START, Control

WINDOW = Window(aggregate="count", source="requests", range_ms=3_600_000)
NOW = START + DAY // 3


@pytest.fixture
def control(tmp_path: Path) -> Control:
    return Control(tmp_path)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with open_ledger(tmp_path / "ledger.sqlite") as opened:
        yield opened


def incident(**changes: Any) -> Incident:
    plain = Incident(
        id=IncidentId("i"), model=MODEL, cause="performance", state="diagnosed", opened_ms=START, moved_ms=START,
        requester="driftwake", champion="c", challenger="n",
    )  # fmt: skip
    return msgspec.structs.replace(plain, **changes)


def plan_of(control: Control, action: str = "search_features_and_retrain", **config: Any) -> Plan:
    proposal = Proposal(action=action, reasons=(Reason(text="because"),), utilities={action: 1.0, "retrain": None})  # type: ignore[arg-type]
    return compose(proposal, Basis(NOW, incident(), "c", (WINDOW,)), control.places, PlanningConfig(**config))


def facts(**changes: Any) -> Facts:
    plain = Facts(now_ms=NOW, known_skills=SKILLS, frozen_by=None, promoted_ms=(), training_minutes=0.0, tried=())
    return plain._replace(**changes)


def broken(plan: Plan, told: Facts, **config: Any) -> list[str]:
    return [ruling.rule for ruling in check(plan, told, PlanningConfig(**config)) if not ruling.allowed]


def test_a_repair_plan_searches_trains_and_compares_on_a_sealed_window(control: Control) -> None:
    plan = plan_of(control)
    assert [step.skill for step in plan.steps] == ["build_dataset", "propose_windows", "train_xgboost", "compare_models"]
    assert plan.sealed == (START - 14 * DAY, START), "up to the last archive boundary"
    search = plan.steps[1].arguments
    assert search["until_ms"] == plan.sealed[0], "the search ends where the sealed window begins"
    assert not any("sealed" in name for name in search)
    assert plan.budget_ms == 30 * 60_000


@pytest.mark.parametrize(("takes", "delay"), [(2, 2), (100, 100), (1_000, 180)])
def test_late_labels_move_both_ranges_back_by_at_most_twice_the_range(control: Control, takes: int, delay: int) -> None:
    proposal = Proposal(action="search_features_and_retrain", reasons=(Reason(text="because"),), utilities={})
    plan = compose(proposal, Basis(NOW, incident(), "c", (WINDOW,), takes * DAY), control.places, PlanningConfig())
    assert plan.sealed == (START - (14 + delay) * DAY, START - delay * DAY)
    data, search = plan.steps[0].arguments, plan.steps[1].arguments
    assert (data["until_ms"], data["label_delay_ms"]) == (START, delay * DAY), "labels count until now"
    assert data["train_ms"] == (90 + delay) * DAY, "and as many rows are looked at, however late labels come"
    assert search["until_ms"] == plan.sealed[0]


def test_a_plan_is_data_whose_digest_names_all_of_it(control: Control) -> None:
    plan = plan_of(control)
    again = msgspec.json.decode(msgspec.json.encode(plan), type=Plan)
    assert again == plan
    assert again.digest == plan.digest
    assert msgspec.structs.replace(plan, autonomy="act").digest != plan.digest


def test_judging_a_submitted_bundle_trains_nothing(control: Control) -> None:
    plan = plan_of(control, "judge_submitted")
    assert [step.skill for step in plan.steps] == ["build_dataset", "compare_models"]
    assert plan.steps[-1].arguments["challenger"] == "n"
    assert (plan.budget_ms, plan.configuration) == (0, "")


def test_a_persons_own_swap_counts_against_no_budget_but_waits_for_a_freeze(control: Control) -> None:
    plan = plan_of(control, "promote_submitted")
    assert (plan.steps, plan.configuration) == ((), "")
    assert broken(plan, facts(promoted_ms=(NOW,))) == []
    assert broken(plan, facts(frozen_by="ann")) == ["freeze"]


def test_an_action_without_steps_has_no_plan(control: Control) -> None:
    with pytest.raises(PlanRefusedError):
        plan_of(control, "wait_for_labels")


def test_a_sound_plan_breaks_no_rule(control: Control) -> None:
    assert broken(plan_of(control), facts()) == []
    assert len(check(plan_of(control), facts(), PlanningConfig())) == len(RULES)


@pytest.mark.parametrize(
    ("rule", "told", "config"),
    [
        ("known_skills", {"known_skills": frozenset({"build_dataset"})}, {}),
        ("plan_expiry", {"now_ms": NOW + 7 * DAY}, {}),
        ("freeze", {"frozen_by": "ann"}, {}),
        ("freeze", {}, {"kill_switch": True}),
        ("freeze", {}, {"freezes": (Freeze(since_ms=NOW, until_ms=NOW + 1),)}),
        ("no_repeat", {"tried": (Experiment(configuration="", outcome="refused", time_ms=NOW - 14 * DAY + 1),)}, {}),
        ("promotion_budget", {"promoted_ms": (NOW - 22 * DAY,)}, {}),
        ("promotion_budget", {}, {"promotions_per_30d": 0}),
        ("training_budget", {"training_minutes": 571.0}, {}),
    ],
)
def test_each_rule_refuses_and_names_itself(control: Control, rule: str, told: dict[str, Any], config: dict[str, Any]) -> None:
    assert broken(plan_of(control), facts(**told), **config) == [rule]


def test_what_is_old_or_helped_or_said_nothing_is_no_repeat(control: Control) -> None:
    tried = (
        Experiment(configuration="", outcome="refused", time_ms=NOW - 14 * DAY),
        Experiment(configuration="", outcome="closed", time_ms=NOW),
        Experiment(configuration="", outcome="inconclusive", time_ms=NOW),
    )
    assert broken(plan_of(control), facts(tried=tried)) == []


def test_the_promotion_budget_looks_at_when_the_challenger_could_be_ready(control: Control) -> None:
    ready_ms = NOW + 30 * 60_000 + 7 * DAY
    assert broken(plan_of(control), facts(promoted_ms=(ready_ms - MONTH_MS,))) == []
    assert broken(plan_of(control), facts(promoted_ms=(ready_ms - MONTH_MS + 1,))) == ["promotion_budget"]


def test_steps_that_need_what_comes_later_are_refused(control: Control) -> None:
    plan = plan_of(control)
    assert broken(msgspec.structs.replace(plan, steps=plan.steps[::-1]), facts()) == ["plan_schema"]


def test_the_same_again_has_the_same_configuration_and_anything_else_another(control: Control) -> None:
    one = plan_of(control)
    assert one.configuration == plan_of(control, repeat_after="1d").configuration
    assert one.configuration != plan_of(control, parameters={"depth": 3}).configuration
    assert one.configuration != plan_of(control, "retrain").configuration


@given(st.lists(st.integers(0, 100 * DAY), max_size=8), st.integers(0, 100 * DAY), st.integers(1, 4))
def test_room_in_the_budget_is_the_first_time_that_keeps_it(promoted: list[int], at_ms: int, limit: int) -> None:
    past = [time_ms for time_ms in promoted if time_ms <= at_ms]
    room_ms = promotion_room_ms(at_ms, past, limit)
    assert room_ms is not None
    assert room_ms >= at_ms
    assert sum(time_ms > room_ms - MONTH_MS for time_ms in past) < limit
    if room_ms > at_ms:
        assert sum(time_ms > room_ms - 1 - MONTH_MS for time_ms in past) >= limit


@pytest.mark.parametrize("digest", ["", "../../etc/passwd", "f" * 64])
def test_a_bundle_is_only_read_by_a_digest_that_it_has(control: Control, digest: str) -> None:
    with pytest.raises(PlanRefusedError):
        control.places.manifest(digest)


def test_an_altered_manifest_is_refused(control: Control) -> None:
    file = control.places.registry / MODEL / control.champion / "manifest.json"
    file.write_bytes(file.read_bytes().replace(b'"champion"', b'"champiom"'))
    with pytest.raises(PlanRefusedError, match="isn't the bundle"):
        control.places.manifest(control.champion)


def test_a_plan_is_void_once_another_champion_serves(control: Control) -> None:
    assert broken(plan_of(control), facts(champion="c")) == []
    assert broken(plan_of(control), facts(champion="another")) == ["same_champion"]
    assert broken(plan_of(control, "judge_submitted"), facts(champion="another")) == [], "a person's order is carried out"


def test_asking_somebody_is_allowed_whenever_it_is(control: Control) -> None:
    plan = plan_of(control, "ask_person")
    assert broken(plan, facts(frozen_by="ann", promoted_ms=(NOW,), training_minutes=1e9), kill_switch=True) == []


def test_the_rules_are_asked_in_their_order() -> None:
    assert list(RULES)[:4] == ["plan_schema", "known_skills", "requester", "plan_expiry"]
    assert list(RULES)[4:7] == ["same_champion", "no_repeat", "freeze"]
    assert list(RULES)[7:] == ["tagged_columns", "grants", "promotion_budget", "training_budget"]


@pytest.mark.parametrize(
    ("role", "action", "expected"),
    [
        (None, "retrain", []), ("viewer", "retrain", ["requester"]), ("operator", "retrain", []), ("", "retrain", ["requester"]),
        ("operator", "promote_submitted", ["requester"]), ("approver", "promote_submitted", ["requester"]),
        ("admin", "promote_submitted", []), (None, "promote_submitted", []),
    ],
)  # fmt: skip
def test_a_plan_runs_as_who_asked_for_it(control: Control, role: str | None, action: str, expected: list[str]) -> None:
    assert broken(plan_of(control, action), facts(requester_role=role)) == expected
