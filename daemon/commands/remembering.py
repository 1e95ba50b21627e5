"""`driftwake lessons` and `playbooks`: what incidents have taught, and what plans have earned; orders about playbooks."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Literal

from daemon.api.commands import Asked
from daemon.claims import Claim, claims_of
from daemon.commands.errors import BadInputError
from daemon.commands.screen import Screen, short, when
from daemon.ledger.ledger import Ledger
from daemon.ledger.records import Playbook
from daemon.settings import DaemonSettings
from streams.runtime.clock import SystemClock, WallClock

_MOST_LESSONS = 10_000


def lessons_of(settings: DaemonSettings, ledger: Ledger, models: Collection[str] | None) -> list[Claim]:
    """Say what incidents have taught, as of the newest event time that the ledger knows of each model.

    Args:
        settings: how long each model remembers.
        ledger: what is read.
        models: of which; None stands for all.
    """
    found: list[Claim] = []
    for one in settings.models:
        if models is None or one.name in models:
            now_ms = max((incident.moved_ms for incident in ledger.incidents(one.name)), default=0)
            found += claims_of(one.name, ledger.lessons(one.name, _MOST_LESSONS), now_ms, one.policy.memory.ms)
    return found


def find(known: Sequence[Playbook], digest: str) -> Playbook:
    """Find a playbook by the beginning of its digest.

    Raises:
        BadInputError: none or several are meant.
    """
    found = [one for one in known if digest and one.digest.startswith(digest)]
    if len(found) != 1:
        there = ", ".join(f"{short(one.digest)} ({one.state})" for one in known[-5:]) or "none"
        raise BadInputError(f"{digest!r} names {len(found)} playbooks; there are: {there}")
    return found[0]


def about(
    known: Sequence[Playbook], digest: str, kind: Literal["approve_playbook", "retire_playbook"], **arguments: Any
) -> Asked:
    """Order something about a playbook; `digest` is the beginning of its digest.

    Raises:
        BadInputError: none or several are meant.
    """
    playbook = find(known, digest)
    return Asked(kind=kind, model=playbook.recipe.model, arguments={"digest": playbook.digest} | arguments)


def standing(playbook: Playbook, wall: WallClock | None = None) -> str:
    """Say how a playbook stands: its state, or that its approval has expired."""
    wall_ms = int((wall or SystemClock()).now().timestamp() * 1_000)
    return "expired" if playbook.state == "approved" and not playbook.is_in_force(wall_ms) else playbook.state


def show(playbook: Playbook, screen: Screen) -> None:
    """Show one playbook: what it lets run, for what it was proposed, and how it stands."""
    recipe = playbook.recipe
    screen.title(f"Playbook {playbook.digest}  {standing(playbook)}")
    screen.line(
        f"{recipe.action} against {recipe.cause} on {recipe.model}, with the rows {recipe.rows.replace('_', ' ')}: runs without "
        f"being asked for once approved, where autonomy is propose and the cause as probable as planning.playbook_probability"
    )
    screen.table(("setting", "value"), sorted(recipe.settings.items()))
    screen.line(f"{playbook.state} at {when(playbook.changed_ms)}: {playbook.reason}")
    screen.line(f"proposed for {', '.join(playbook.supported_by)}")
    if playbook.expires_wall_ms is not None:
        screen.line(f"the approval of {playbook.approved_by} ends at {when(playbook.expires_wall_ms)}")
