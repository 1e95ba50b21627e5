"""From an action to a plan: which skills, with which arguments, on which windows of data. Pure."""

from __future__ import annotations

from typing import Any, NamedTuple

from daemon.errors import PlanRefusedError
from daemon.goals.in_force import Asked, argument_of
from daemon.ledger.canonical import plain
from daemon.ledger.ids import digest_of
from daemon.ledger.records import Incident, Plan, PlanStep, Reason
from daemon.places import Places
from daemon.planners.base import REPLACES, TRAINS, Action, Change, Proposal
from daemon.planning.arbiter import POLICY
from daemon.planning.config import PlanningConfig
from daemon.planning.device import Placement
from skills._kit.ranges import FRESH_SEALED, Lengths, Ranges, since_change
from streams.contracts.features import Window

# Late labels move a training back by at most so many times its own length.
MOST_DELAY = 2
# An archived bundle was chosen by the first half of the rows since the change, so it is judged on the second.
ARCHIVED_SEALED = 0.5


class Basis(NamedTuple):
    """What a plan is made from: event time, the champion and its windows, how long most labels take, who plans, and the change.

    `device` is where a training should run, None where nobody can say; `is_news` says that the model must learn the change;
    `least` how many rows the judge needs, and how many of them of the rarer class; `goals` what a challenger is asked on the
    sealed rows.
    """

    now_ms: int
    incident: Incident
    champion: str
    windows: tuple[Window, ...]
    label_delay_ms: int = 0
    proposer: str = POLICY
    change: Change | None = None
    device: Placement | None = None
    is_news: bool = False
    least: tuple[int, int] = (500, 50)
    goals: tuple[Asked, ...] = ()

    @property
    def news(self) -> Change | None:
        """The change that a challenger must have learnt, None where there is none, or the judge's part would be too small."""
        known, (rows, rare) = self.change, self.least
        if known is None or known.rows * FRESH_SEALED < rows or known.rare * FRESH_SEALED < rare:
            return None
        return known if self.is_news else None

    @property
    def news_ms(self) -> int | None:
        """When that began."""
        return None if self.news is None else self.news.since_ms


def compose(proposal: Proposal, basis: Basis, places: Places, config: PlanningConfig) -> Plan:
    """Make the plan of a proposed action.

    Raises:
        PlanRefusedError: no steps belong to the action.
    """
    ranges = ranges_of(proposal, basis, places.until_ms(basis.now_ms), config)
    trains = proposal.action in TRAINS
    expiry_ms = min(config.plan_expiry.ms, config.ask_expiry.ms) if proposal.action == "ask_person" else config.plan_expiry.ms
    machine = (Reason(text=basis.device.reason),) if trains and basis.device is not None else ()
    return Plan(
        model=places.model,
        incident=basis.incident.id,
        action=proposal.action,
        proposer=basis.proposer,
        requester=basis.incident.requester,
        autonomy=config.autonomy,
        created_ms=basis.now_ms,
        expires_ms=basis.now_ms + expiry_ms,
        steps=_steps(proposal, basis, places, config, ranges),
        reasons=(*proposal.reasons, *machine),
        alternatives={action: value for action, value in proposal.utilities.items() if value is not None},
        sealed=ranges.sealed,
        budget_ms=config.training_budget.ms if trains else 0,
        configuration=_configuration(proposal, basis, config),
        champion=basis.champion,
    )


def ranges_of(proposal: Proposal, basis: Basis, until_ms: int, config: PlanningConfig) -> Ranges:
    """Return which rows a plan is about: those since the change where the proposal says so, else what the config says.

    However long the sealed window may be, it leaves rows since the change to learn from: who is judged on what he has never seen
    is refused, and rightly so.
    """
    since_ms, share = proposal.train_since_ms if proposal.action in TRAINS else None, FRESH_SEALED
    if proposal.action == "restore_archived" and basis.change is not None:
        since_ms, share = basis.change.since_ms, ARCHIVED_SEALED
    begins_ms = since_ms or 0
    if since_ms is None and proposal.action in TRAINS:
        since_ms = basis.news_ms
    if since_ms is not None:
        lengths = Lengths(config.train.ms, config.sealed.ms)
        ranges = since_change(since_ms, until_ms, basis.label_delay_ms, lengths, share, begins_ms=begins_ms)
        if ranges is not None:
            return ranges
    # Of rows whose labels are still to come, those that have come are of another kind: none of them is learnt from, unless labels
    # take so long that rows would be too old.
    delay_ms = min(basis.label_delay_ms, MOST_DELAY * config.train.ms, max(until_ms - config.train.ms, 0))
    return Ranges(until_ms, config.train.ms + delay_ms, config.sealed.ms, delay_ms)


def configuration_of(action: Action, champion: str, windows: tuple[Window, ...], config: PlanningConfig) -> str:
    """Return what is equal for trainings that would try the same thing again, on all rows that the config says."""
    names = sorted(window.name for window in windows)
    return digest_of([action, champion, names, config.train.ms, config.parameters, config.seed])


def restoring(champion: str, archived: str) -> str:
    """Return what is equal for plans that would try the same archived bundle again instead of the same champion."""
    return digest_of(["restore_archived", champion, archived])


def _configuration(proposal: Proposal, basis: Basis, config: PlanningConfig) -> str:
    if proposal.action == "restore_archived":
        return restoring(basis.champion, proposal.challenger or "")
    if proposal.action not in REPLACES:
        return ""
    whole = configuration_of(proposal.action, basis.champion, basis.windows, config)
    if proposal.train_since_ms is not None:
        # Rows since another change are another try.
        return digest_of([whole, proposal.train_since_ms])
    # And so are twice as many since the same one.
    return whole if basis.news is None else digest_of([whole, "news", basis.news.rows.bit_length()])


def _steps(proposal: Proposal, basis: Basis, places: Places, config: PlanningConfig, ranges: Ranges) -> tuple[PlanStep, ...]:
    common = places.arguments(basis.champion)
    windows: list[Any] = [plain(window) for window in basis.windows]
    data = common | places.looked_up() | {
        "until_ms": ranges.until_ms, "train_ms": ranges.train_ms, "sealed_ms": ranges.sealed_ms,
        "label_delay_ms": ranges.delay_ms, "windows": windows,
    }  # fmt: skip
    build = PlanStep(key="data", skill="build_dataset", arguments=data)
    own = common | places.looked_up() | {"watch": places.watch}
    judged = common | argument_of(basis.goals)
    match proposal.action:
        case "rollback" | "promote_submitted" | "ask_person":
            return ()
        case "judge_submitted":
            return (build, _compare(judged, basis.incident.challenger, config.seed, ("data",)))
        case "restore_archived":
            if not proposal.challenger or basis.change is None:
                raise PlanRefusedError("an archived bundle is restored after a change, and has a digest")
            return (build, _compare(judged, proposal.challenger, config.seed, ("data",)))
        case "retrain":
            train = _train(own, windows, basis, config, ("data",))
            return (build, train, _compare(judged, _result("train", "digest"), config.seed, ("data", "train")))
        case "search_features_and_retrain":
            search = PlanStep(
                key="search", skill="propose_windows", needs=("data",),
                arguments=common | places.looked_up() | {
                    "train": _result("data", "train"), "until_ms": ranges.sealed[0], "seed": config.seed,
                    "budget_seconds": config.search_seconds,
                    "since_ms": basis.news_ms,
                },
            )  # fmt: skip
            found = {"concat": [windows, _result("search", "accepted.*.window")]}
            train = _train(own, found, basis, config, ("data", "search"))
            return (build, search, train, _compare(judged, _result("train", "digest"), config.seed, ("data", "train")))
    raise PlanRefusedError(f"no steps belong to {proposal.action}")


def _train(common: dict[str, Any], windows: Any, basis: Basis, config: PlanningConfig, needs: tuple[str, ...]) -> PlanStep:
    lineage = {"incident": basis.incident.id, "parent": basis.champion, "versions": _result("data", "versions")}
    # Where the GPU is to be used, the skill finds out whether it can; where it has no room, it isn't tried.
    device = {"device": "cpu"} if basis.device is not None and basis.device.device == "cpu" else {}
    arguments = common | {
        "train": _result("data", "train"), "windows": windows, "parameters": device | config.parameters, "seed": config.seed,
        "since_ms": basis.news_ms, "lineage": lineage,
    }  # fmt: skip
    return PlanStep(key="train", skill="train_xgboost", arguments=arguments, needs=needs)


def _compare(common: dict[str, Any], challenger: Any, seed: int, needs: tuple[str, ...]) -> PlanStep:
    arguments = common | {"challenger": challenger, "sealed": _result("data", "sealed"), "live": None, "seed": seed}
    return PlanStep(key="compare", skill="compare_models", arguments=arguments, needs=needs)


def _result(step: str, field: str) -> dict[str, str]:
    return {"from_step": step, "field": field}
