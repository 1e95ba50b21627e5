from itertools import pairwise
from typing import get_args

import msgspec
import pytest

from daemon.access.roles import LEAST, PROVEN_ONLY, ROLES, Permission, may, objection, permission_of
from daemon.api.commands import ARGUMENTS
from daemon.planners.base import ASKED
from streams.contracts.records import Command

# Written out by hand, so that a change of the table is a change of two files.
_LOOKING = {"read"}
_ASKING = {"freeze", "rollback", "judge", "shadow", "canary", "propose_plan", "propose_goal"}
_DECIDING = {"approve", "refuse", "unfreeze", "approve_goal", "retire_goal", "approve_playbook", "retire_playbook"}
ALLOWED = {
    "viewer": {*_LOOKING},
    "operator": {*_LOOKING, *_ASKING},
    "approver": {*_LOOKING, *_ASKING, *_DECIDING},
    "admin": {*_LOOKING, *_ASKING, *_DECIDING, "force", "tokens"},
}


def test_the_table_names_every_permission_once() -> None:
    assert set(LEAST) == set(get_args(Permission)) == ALLOWED["admin"]
    assert set(ROLES) == set(ALLOWED)


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("permission", get_args(Permission))
def test_each_role_may_what_the_table_says_and_nothing_else(role: str, permission: Permission) -> None:
    is_allowed = permission in ALLOWED[role]
    assert may(role, permission) == is_allowed
    assert (objection(role, permission) == "") == is_allowed


def test_a_higher_role_may_all_that_a_lower_one_may() -> None:
    for lower, higher in pairwise(ROLES):
        assert ALLOWED[lower] < ALLOWED[higher]


@pytest.mark.parametrize("role", ["", "root", "Admin", "admin ", "viewer,admin"])
@pytest.mark.parametrize("permission", get_args(Permission))
def test_what_is_no_role_may_nothing(role: str, permission: Permission) -> None:
    assert not may(role, permission)
    assert "no role" in objection(role, permission)


def test_every_kind_of_command_needs_something_and_takes_arguments() -> None:
    (kinds,) = (get_args(one.type) for one in msgspec.structs.fields(Command) if one.name == "kind")
    assert set(kinds) == set(ARGUMENTS)
    for kind in kinds:
        assert permission_of(kind, {}) in LEAST
    assert permission_of("challenge", {"digest": "d"}) == "judge"
    assert permission_of("challenge", {"digest": "d", "force": ""}) == "force", "naming it is enough, whatever it says"
    with pytest.raises(KeyError):
        permission_of("nonsense", {})


def test_what_can_be_asked_for_by_name_is_what_the_api_takes() -> None:
    (taken,) = (get_args(one.type) for one in msgspec.structs.fields(ARGUMENTS["propose_plan"]) if one.name == "action")
    names = {name for one in taken for name in get_args(one)}
    assert names == ASKED
    assert set(ARGUMENTS) >= PROVEN_ONLY
