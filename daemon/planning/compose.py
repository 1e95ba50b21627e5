"""From an action to a plan: which skills, with which arguments, on which windows of data. Pure."""

from __future__ import annotations

from typing import Any, NamedTuple

from daemon.errors import PlanRefusedError
from daemon.ledger.canonical import plain
from daemon.ledger.ids import digest_of
from daemon.ledger.records import Incident, Plan, PlanStep
from daemon.places import Places
from daemon.planners.base import TRAINS, Proposal
from daemon.planning.arbiter import POLICY
from daemon.planning.config import PlanningConfig
from streams.contracts.features import Window


class Basis(NamedTuple):
    """What a plan is made from: event time, the champion and its windows, how long most labels take, and the planner."""

    now_ms: int
    incident: Incident
    champion: str
    windows: tuple[Window, ...]
    label_delay_ms: int = 0
    proposer: str = POLICY


def compose(proposal: Proposal, basis: Basis, places: Places, config: PlanningConfig) -> Plan:
    """Make the plan of a proposed action.

    Raises:
        PlanRefusedError: no steps belong to the action.
    """
    until_ms = places.until_ms(basis.now_ms)
    end_ms = until_ms - _label_delay_ms(basis, config)
    trains = proposal.action in TRAINS
    return Plan(
        model=places.model,
        incident=basis.incident.id,
        action=proposal.action,
        proposer=basis.proposer,
        requester=basis.incident.requester,
        autonomy=config.autonomy,
        created_ms=basis.now_ms,
        expires_ms=basis.now_ms + config.plan_expiry.ms,
        steps=_steps(proposal, basis, places, config, until_ms),
        reasons=proposal.reasons,
        alternatives={action: value for action, value in proposal.utilities.items() if value is not None},
        sealed=(end_ms - config.sealed.ms, end_ms),
        budget_ms=config.training_budget.ms if trains else 0,
        configuration=_configuration(proposal, basis, config) if trains else "",
        champion=basis.champion,
    )


def _steps(proposal: Proposal, basis: Basis, places: Places, config: PlanningConfig, until_ms: int) -> tuple[PlanStep, ...]:
    common = places.arguments(basis.champion)
    windows: list[Any] = [plain(window) for window in basis.windows]
    delay_ms = _label_delay_ms(basis, config)
    data = common | places.looked_up() | {
        "until_ms": until_ms, "train_ms": config.train.ms, "sealed_ms": config.sealed.ms, "label_delay_ms": delay_ms,
        "windows": windows,
    }  # fmt: skip
    build = PlanStep(key="data", skill="build_dataset", arguments=data)
    own = common | places.looked_up() | {"watch": places.watch}
    match proposal.action:
        case "rollback" | "promote_submitted":
            return ()
        case "judge_submitted":
            return (build, _compare(common, basis.incident.challenger, config.seed, ("data",)))
        case "retrain":
            train = _train(own, windows, basis, config, ("data",))
            return (build, train, _compare(common, _result("train", "digest"), config.seed, ("data", "train")))
        case "search_features_and_retrain":
            search = PlanStep(
                key="search", skill="propose_windows", needs=("data",),
                arguments=common | places.looked_up() | {
                    "train": _result("data", "train"), "until_ms": until_ms - delay_ms - config.sealed.ms, "seed": config.seed,
                    "budget_seconds": config.search_seconds,
                },
            )  # fmt: skip
            found = {"concat": [windows, _result("search", "accepted.*.window")]}
            train = _train(own, found, basis, config, ("data", "search"))
            return (build, search, train, _compare(common, _result("train", "digest"), config.seed, ("data", "train")))
    raise PlanRefusedError(f"no steps belong to {proposal.action}")


def _label_delay_ms(basis: Basis, config: PlanningConfig) -> int:
    """Return how far before now the labelled rows end; at most half of the training range is given up for late labels."""
    return min(basis.label_delay_ms, (config.train.ms - config.sealed.ms) // 2)


def _train(common: dict[str, Any], windows: Any, basis: Basis, config: PlanningConfig, needs: tuple[str, ...]) -> PlanStep:
    lineage = {"incident": basis.incident.id, "parent": basis.champion, "versions": _result("data", "versions")}
    arguments = common | {
        "train": _result("data", "train"), "windows": windows, "parameters": config.parameters, "seed": config.seed,
        "lineage": lineage,
    }  # fmt: skip
    return PlanStep(key="train", skill="train_xgboost", arguments=arguments, needs=needs)


def _compare(common: dict[str, Any], challenger: Any, seed: int, needs: tuple[str, ...]) -> PlanStep:
    arguments = common | {"challenger": challenger, "sealed": _result("data", "sealed"), "live": None, "seed": seed}
    return PlanStep(key="compare", skill="compare_models", arguments=arguments, needs=needs)


def _result(step: str, field: str) -> dict[str, str]:
    return {"from_step": step, "field": field}


def _configuration(proposal: Proposal, basis: Basis, config: PlanningConfig) -> str:
    """Equal for plans that would try the same thing again: the same act on the same champion with the same settings."""
    windows = sorted(window.name for window in basis.windows)
    return digest_of([proposal.action, basis.champion, windows, config.train.ms, config.parameters, config.seed])
