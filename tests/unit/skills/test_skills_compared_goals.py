"""A comparison on a real lake is asked for a goal, and the judge decides by it: a better AUC alone isn't enough."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
import pytest

from daemon.goals.in_force import InForce, argument_of
from daemon.goals.objective import Objective, written
from daemon.judging.config import JudgingConfig
from daemon.judging.stage import CHALLENGER, Judging
from daemon.ledger.canonical import plain
from daemon.ledger.ids import IncidentId
from daemon.ledger.ledger import Ledger, open_ledger
from daemon.ledger.records import Incident, Move
from daemon.places import Places
from skills import build_dataset, compare_models, train_xgboost
from skills._kit.frames import Floats, floats
from skills._kit.skill import carry_out
from streams.contracts.records import CHAMPION, Command
from streams.contracts.slices import Condition
from tests.kit.shops import DAY_MS, MODEL, SKEW_MS, Orders, into_lake, orders, serve

RED = (Condition(column="colour", values=("red",)),)
PRECISE = Objective(model=MODEL, aim="hold", metric="precision", direction="higher", floor=0.8, cohort=RED)


class Shop(NamedTuple):
    """A lake with history, and two bundles that were trained on it."""

    given: Orders
    common: dict[str, Any]
    sealed: str
    champion: str
    challenger: str


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    folder = tmp_path_factory.mktemp("goals")
    given = orders(4_000, 1)
    into_lake(given, folder / "lake")
    common = {"lake": str(folder / "lake"), "registry": str(folder / "registry"), "model": MODEL}
    first = {"schema": given.schema, "skew_ms": SKEW_MS}
    ranges = {"until_ms": given.end_ms, "train_ms": 18 * DAY_MS, "sealed_ms": 6 * DAY_MS}
    data = build_dataset.run(build_dataset.Input(**common, **ranges, **first), folder)
    digests = [
        train_xgboost.run(
            train_xgboost.Input(**common, **first, train=data.train, parameters={"rounds": 10}, seed=seed), folder
        ).digest
        for seed in (0, 1)
    ]
    return Shop(given, common, data.sealed, *digests)


@pytest.fixture
def ledger(tmp_path: Path) -> Any:
    with open_ledger(tmp_path / "ledger.sqlite") as opened:
        yield opened


def approve(ledger: Ledger, wanted: Objective) -> None:
    commands = [Command(id=kind, kind=kind, model=MODEL, by="ann") for kind in ("propose_goal", "approve_goal")]  # type: ignore[arg-type]
    for command in commands:
        ledger.take_command(command, 0)
    goal = ledger.propose_goal(commands[0], written(wanted), "", 0)
    ledger.approve_goal(commands[1], goal, 0)


def compare(shop: Shop, ledger: Ledger, wanted: Objective | None, **arguments: Any) -> dict[str, Any]:
    """Ask as the daemon does, over JSON, and return the answer as the ledger keeps it."""
    if wanted is not None:
        approve(ledger, wanted)
    places = Places(MODEL, shop.common["lake"], Path(shop.common["registry"]), DAY_MS, schema=shop.given.schema)
    asked = shop.common | {"champion": shop.champion, "challenger": shop.challenger} | arguments
    asked |= argument_of(InForce(ledger, places).compared(0, shop.given.end_ms))
    work = Path(shop.common["registry"]).parent / "work"
    answer = carry_out(compare_models, json.dumps(asked).encode(), work)
    found: dict[str, Any] = plain(answer)
    return found


def live(shop: Shop, folder: Path, champion: Floats, challenger: Floats) -> dict[str, Any]:
    """Let both score all orders, and return the arguments of a comparison of that."""
    serve(shop.given, folder / "live", champion, shop.champion, shadow=(CHALLENGER, shop.challenger, challenger))
    span = {"since_ms": 0, "until_ms": shop.given.end_ms, "champion_slot": CHAMPION, "challenger_slot": CHALLENGER}
    return {"lake": str(folder / "live"), "live": span}


def judged(answer: dict[str, Any]) -> Move:
    incident = Incident(
        id=IncidentId("i"), model=MODEL, cause="performance", state="shadowing", opened_ms=0, moved_ms=0, requester="d",
        champion="c", challenger="d", details={"shadow_ms": 0},
    )  # fmt: skip
    judging = Judging(Places(MODEL, "/lake", Path("/registry"), DAY_MS), JudgingConfig())
    return judging.weigh_shadow(incident, answer, 30 * DAY_MS)


def scores_of(shop: Shop) -> tuple[Floats, Floats, Floats]:
    """Scores of a champion that is precise on red orders, and of two challengers that are better on the others.

    One of them calls red orders positive that aren't.
    """
    rng = np.random.default_rng(3)
    labels = floats(shop.given.table, "label")
    red = np.array(shop.given.table["colour"].to_pylist()) == "red"
    # Half of the red orders that aren't positive are just below the threshold.
    below = np.where(rng.random(len(labels)) < 0.5, 0.3, 0.47)
    champion = np.where(red, np.where(labels > 0.5, 0.6, below), 0.5 + 0.05 * labels + 0.3 * rng.normal(size=len(labels)))
    keeping = np.where(red, champion, 0.5 + 0.3 * labels + 0.2 * rng.normal(size=len(labels)))
    breaking = np.where(red & (labels == 0) & (rng.random(len(labels)) < 0.3), 0.55, keeping)
    return tuple(np.clip(one, 0.01, 0.99) for one in (champion, keeping, breaking))  # type: ignore[return-value]


@pytest.mark.parametrize("which", ["keeps", "breaks", "breaks what nobody asked for"])
def test_a_challenger_with_a_better_auc_is_judged_by_the_goal(shop: Shop, ledger: Ledger, tmp_path: Path, which: str):
    champion, keeping, breaking = scores_of(shop)
    wanted = None if which == "breaks what nobody asked for" else PRECISE
    answer = compare(shop, ledger, wanted, **live(shop, tmp_path, champion, keeping if which == "keeps" else breaking))
    assert answer["metric"]["difference"]["low"] > 0.1, "either is better in AUC"
    move = judged(answer)
    outcomes = {one.gate: one.outcome for one in move.details["shadow"].findings}
    if which == "breaks":
        assert (move.to, move.rule) == ("refused", "shadow_fail")
        assert outcomes == {"beats_champion": "pass", "keeps_goals": "fail"}
        assert f"keeps_goals: breaks 1 of 1 goals: precision of {PRECISE.digest[:12]}" in move.reason
    else:
        assert (move.to, outcomes) == ("promoting", {"beats_champion": "pass", "keeps_goals": "pass"})


def test_it_is_measured_on_the_red_orders_at_the_bundle_s_threshold(shop: Shop, ledger: Ledger, tmp_path: Path):
    champion, _, breaking = scores_of(shop)
    (found,) = compare(shop, ledger, PRECISE, **live(shop, tmp_path, champion, breaking))["goals"]
    labels = floats(shop.given.table, "label")
    red = np.array(shop.given.table["colour"].to_pylist()) == "red"
    known = shop.given.table["known_ms"].to_numpy() < shop.given.end_ms
    assert found["rows"] == (red & known).sum()
    for name, scores in (("champion", champion), ("challenger", breaking)):
        called = red & known & (scores >= 0.5)
        assert found[name]["value"] == pytest.approx(labels[called].mean())
        assert found[name]["low"] < found[name]["value"] <= found[name]["high"]
    assert (found["floor"], found["ceiling"], found["level"]) == (0.8, None, 0.95)


def test_sealed_rows_are_asked_as_well(shop: Shop, ledger: Ledger):
    wanted = msgspec.structs.replace(PRECISE, metric="auc", floor=0.99)
    (found,) = compare(shop, ledger, wanted, sealed=shop.sealed)["goals"]
    assert found["rows"] > 100
    assert found["champion"]["high"] < 0.99
    assert found["challenger"]["high"] < 0.99


def test_without_goals_the_answer_has_none(shop: Shop, ledger: Ledger):
    assert compare(shop, ledger, None, sealed=shop.sealed)["goals"] == []


def test_by_itself_the_champion_is_both(shop: Shop, ledger: Ledger, tmp_path: Path):
    champion, keeping, _ = scores_of(shop)
    asked = live(shop, tmp_path, champion, keeping)
    asked["live"]["challenger_slot"] = CHAMPION
    (found,) = compare(shop, ledger, PRECISE, **asked, challenger=shop.champion)["goals"]
    assert found["champion"] == found["challenger"]
    assert (found["difference"]["low"], found["difference"]["high"]) == (0.0, 0.0)


def test_a_goal_for_other_days_isn_t_measured(shop: Shop):
    goal = {"id": "g", "metric": "precision", "floor": 0.8, "since_ms": 0, "until_ms": DAY_MS}
    given = shop.common | {"champion": shop.champion, "challenger": shop.challenger, "sealed": shop.sealed, "goals": [goal]}
    answer = plain(carry_out(compare_models, json.dumps(given).encode(), Path(shop.common["registry"]).parent / "work"))
    assert answer["goals"][0]["champion"] is None
    assert "0 rows are of its cohort and its days" in answer["goals"][0]["reason"]
