"""Who may do what: four roles, each of which may all that those before it may, and for everything the least role that may it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal, cast, get_args

Role = Literal["viewer", "operator", "approver", "admin"]
Permission = Literal[
    "read", "freeze", "rollback", "judge", "shadow", "canary", "propose_plan", "propose_goal", "approve", "refuse", "unfreeze",
    "approve_goal", "retire_goal", "approve_playbook", "retire_playbook", "force", "tokens",
]  # fmt: skip

ROLES: Final[tuple[Role, ...]] = get_args(Role)

UNPROVEN: Final[Role] = "operator"
"""What a command may whose sender nobody proved: it came over the topic, where anybody who can write gives any name."""

PROVEN_ONLY: Final = frozenset({"propose_plan"})
"""Kinds of commands that take a proven name, whatever the role: what comes of them runs as who gave them."""

LEAST: Final[dict[Permission, Role]] = {
    "read": "viewer",
    # What makes the model safer at once, or only asks to be judged or approved.
    "freeze": "operator",
    "rollback": "operator",
    "judge": "operator",
    "shadow": "operator",
    "canary": "operator",
    "propose_plan": "operator",
    "propose_goal": "operator",
    # What lets something happen that waits for a second person.
    "approve": "approver",
    "refuse": "approver",
    "unfreeze": "approver",
    "approve_goal": "approver",
    "retire_goal": "approver",
    "approve_playbook": "approver",
    "retire_playbook": "approver",
    # What goes around the judge, and who may do all this.
    "force": "admin",
    "tokens": "admin",
}

_NAMED_ALIKE: Final = frozenset(
    {
        "shadow", "canary", "rollback", "freeze", "unfreeze", "approve", "refuse", "propose_plan", "propose_goal", "approve_goal",
        "retire_goal", "approve_playbook", "retire_playbook",
    }
)  # fmt: skip


def may(role: str, permission: Permission) -> bool:
    """Whether a role may do something; what is no role may nothing."""
    return role in ROLES and ROLES.index(role) >= ROLES.index(LEAST[permission])


def objection(role: str, permission: Permission) -> str:
    """Return why a role may not do something, the empty string when it may."""
    if may(role, permission):
        return ""
    known = role if role in ROLES else "no role"
    return f"{permission} needs the role {LEAST[permission]}, and who ordered it has {known}"


def permission_of(kind: str, arguments: Mapping[str, Any]) -> Permission:
    """Return what a command needs.

    Args:
        kind: of the command.
        arguments: of the command; a challenge that names `force` goes around the judge.

    Raises:
        KeyError: there is no command of this kind.
    """
    if kind == "challenge":
        return "force" if "force" in arguments else "judge"
    if kind in _NAMED_ALIKE:
        return cast("Permission", kind)
    raise KeyError(kind)
