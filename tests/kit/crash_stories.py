"""Incidents for the crash matrix: between them they come by every state, every kind of step, and every kind of command."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from daemon.goals.objective import Change, Objective, written
from daemon.ledger.ids import goal_id
from daemon.ledger.ledger import Ledger
from daemon.loop import Loop
from streams.contracts.records import Command
from tests.kit.control import DAY, MODEL, START, Control, bundle, comparison, event, manifest_of

Act = Callable[[Loop, Ledger, Control], None]


class Story(NamedTuple):
    """What happens on which day; what is done is done by ids, so it may be done again after a crash.

    `answers` are the tiny skills' own; `planning` its settings; `ends` the states in which the incidents end.
    """

    acts: dict[int, Act]
    ends: tuple[str, ...]
    answers: Mapping[str, Any] = MappingProxyType({})
    planning: Mapping[str, Any] = MappingProxyType({})
    days: int = 30


def _event_on(day: int) -> Act:
    def act(loop: Loop, ledger: Ledger, control: Control) -> None:
        loop.on_event(event(START + day * DAY))

    return act


_event = _event_on(1)


def _order(kind: str, name: str = "", /, **arguments: Any) -> Act:
    """Give a command, in which `trial` stands for the digest of a bundle in the registry."""

    def act(loop: Loop, ledger: Ledger, control: Control) -> None:
        trial = bundle(control.places.registry / MODEL, "trial")
        told = {key: trial if value == "trial" else value for key, value in arguments.items()}
        command = Command(id=f"{kind}-{name}", kind=kind, model=MODEL, by="ann", arguments=told)  # type: ignore[arg-type]
        loop.on_command(command, "admin")

    return act


def _speak(kind: str) -> Act:
    """Approve or refuse the only plan that there is."""

    def act(loop: Loop, ledger: Ledger, control: Control) -> None:
        (incident,) = ledger.incidents()
        _order(kind, plan_digest=incident.plan_digest)(loop, ledger, control)

    return act


def _goal(*kinds: str) -> Act:
    """Have a goal proposed by ann, and approved or retired by bob."""

    def act(loop: Loop, ledger: Ledger, control: Control) -> None:
        for kind in kinds:
            arguments = {"digest": _WANTED.digest} | ({"objective": written(_WANTED)} if kind == "propose_goal" else {})
            by = "ann" if kind == "propose_goal" else "bob"
            loop.on_command(Command(id=kind, kind=kind, model=MODEL, by=by, arguments=arguments), "admin")  # type: ignore[arg-type]

    return act


def _approve_playbook(loop: Loop, ledger: Ledger, control: Control) -> None:
    (playbook,) = ledger.playbooks()
    _order("approve_playbook", digest=playbook.digest)(loop, ledger, control)


_WORSE = comparison(-0.05)
_WANTED = Objective(
    model=MODEL, aim="hold", metric="precision", direction="higher", change=Change(by=0.02, of="points"),
)  # fmt: skip
_KEPT = comparison(0.05) | {
    "goals": [
        {
            "goal": goal_id(MODEL, START + DAY, "propose_goal"), "metric": "precision", "rows": 700, "floor": 0.9,
            "champion": {"value": 0.92, "low": 0.9, "high": 0.94}, "challenger": {"value": 0.93, "low": 0.91, "high": 0.95},
        },
    ],
}  # fmt: skip
_UNLABELLED = {
    "causes": [{"cause": "concept_change", "probability": 0.9}], "label_state": {"coverage": 0.1, "rows": 9},
}  # fmt: skip

_BUG = {"causes": [{"cause": "serving_bug", "probability": 0.9}], "label_state": {"coverage": 0.9, "rows": 9_000}}
_BACK = {
    "causes": [{"cause": "recurring_regime", "probability": 0.9}],
    "label_state": {"coverage": 0.9, "delay_ms_p50": 1.0, "delay_ms_p90": 2.0, "rows": 9_000},
    "performance": {"reference": 0.95, "recent": 0.50, "low": 0.46, "high": 0.54},
    "change": {"since_ms": START + 2 * DAY, "rows": 900},
    "archived": [{"digest": manifest_of("champion").digest, "value": 0.32, "low": 0.3, "high": 0.34, "rows": 450}],
}
_BRISK = {"promotions_per_30d": 9, "judging": {"shadow": "1d", "probation": "1d"}}

STORIES = {
    "promoted": Story({1: _event}, ("closed",)),
    "rolled_back": Story({1: _event}, ("rolled_back",), {"live_champion": _WORSE}),
    "refused": Story({1: _event}, ("refused",), {"live_challenger": _WORSE}),
    "failed": Story({1: _event}, ("failed",), {"train_xgboost": "diverged"}, days=4),
    "expired": Story({1: _event}, ("expired",), planning={"autonomy": "propose"}, days=10),
    "waited": Story({1: _event}, ("no_action",), {"diagnose_drift": _UNLABELLED}, days=14),
    "approved": Story({1: _event, 3: _speak("approve")}, ("closed",), planning={"autonomy": "propose"}),
    "ordered": Story(
        {
            1: _order("shadow", "in", name="monthly", digest="trial"),
            2: _order("canary", "in", digest="trial", weight=0.1),
            3: _order("freeze"),
            4: _order("canary", "frozen", digest="trial", weight=0.5),
            5: _order("unfreeze"),
            6: _order("canary", "out"),
            7: _order("shadow", "out", name="monthly", digest=None),
            8: _order("challenge", digest="trial", force="the fix of the outage"),
            9: _order("rollback"),
        },
        ("rolled_back",),
        days=12,
    ),
    "taken_over": Story({1: _event, 2: _speak("approve")}, ("no_action",), {"diagnose_drift": _BUG}, days=4),
    "turned_down": Story({1: _event, 2: _speak("refuse")}, ("refused",), {"diagnose_drift": _BUG}, days=4),
    # A goal is measured of the champion, asked of its challenger and of the one in shadow, and is retired after that.
    "wanted": Story(
        {1: _goal("propose_goal", "approve_goal"), 2: _event_on(2), 12: _goal("retire_goal")},
        ("closed",),
        dict.fromkeys(("compare_models", "live_challenger", "live_champion"), _KEPT),
    ),
    # Somebody's bundle takes over, and the champion that it replaced turns out to be right again.
    "restored": Story(
        {1: _order("challenge", digest="trial", force="the fix of the outage"), 11: _event_on(11)},
        ("closed", "closed"),
        {"diagnose_drift": _BACK},
        _BRISK,
        days=15,
    ),
    # What went well once is approved as a playbook, runs without being asked for, and is suspended by who rolls it back.
    "trusted": Story(
        {
            1: _event,
            2: _speak("approve"),
            6: _approve_playbook,
            7: _order("rollback", "home"),
            13: _event_on(13),
            16: _order("rollback"),
        },
        ("closed", "rolled_back"),
        planning=_BRISK | {"autonomy": "propose", "playbook_successes": 1},
        days=18,
    ),
}
