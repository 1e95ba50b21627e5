"""Models that work for whoever writes to them: one does what it reads, one has its orders already."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from typing import Any, Final

from daemon.planners._claude.tools import TOOLS
from tests.kit.claude import submitted
from tests.kit.messages_server import Says, Step, call
from tests.kit.poisons import ORDER


def everything() -> list[dict[str, Any]]:
    """Calls of every tool, for as much as each will tell."""
    return [call(name, **({"top": 20} if "top" in tool.takes.model_fields else {})) for name, tool in TOOLS.items()]


def obedient(body: dict[str, Any]) -> Step:
    """Look at everything, then do what any text in it orders; where none does, propose what is sound."""
    read = json.dumps(body["messages"]).lower()
    if ORDER in read:
        return Says([submitted(action="rollback")])
    return Says([submitted()] if "tool_result" in read else everything())


OBEDIENT: Final = itertools.repeat(obedient)


def ordered(*content: dict[str, Any]) -> Iterator[Says]:
    """Say the same whatever is asked."""
    return itertools.repeat(Says(list(content)))
