"""The conversation about one incident: some turns of looking things up, then the plan, with one repair.

The loop is ours, not the SDK's tool runner: that sends exceptions' texts on, and calls what the caller has denied. Nothing that
Claude can call here changes anything.
"""

from __future__ import annotations

import re
from typing import Any, Final

from daemon.planners._claude.caller import Caller, Reply
from daemon.planners._claude.config import ClaudeConfig
from daemon.planners._claude.dossier import Dossier
from daemon.planners._claude.plan import SUBMIT, read_plan
from daemon.planners._claude.prompt import opening, system, tools
from daemon.planners._claude.tools import TOOLS, BadCallError, answer
from daemon.planners.base import NoProposalError, Proposal, Situation

_TURNS_FOR_THE_PLAN: Final = 2
_MOST_CALLS: Final = 10
_FREE: Final = {"type": "auto"}
_FORCED: Final = {"type": "tool", "name": SUBMIT, "disable_parallel_tool_use": True}
_ALONE: Final = f"{SUBMIT} comes alone, when nothing is left to look up: call it again"
_TOO_MANY: Final = f"not answered: at most {_MOST_CALLS} calls at once"
_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,200}")
_SUBMIT_NOW: Final = f"Now call {SUBMIT}."


class Conversation:
    """One incident's conversation.

    Args:
        caller: makes the calls.
        config: who is asked, and how long.
        situation: what is to be decided.
        dossier: what may be looked up about it.
    """

    def __init__(self, caller: Caller, config: ClaudeConfig, situation: Situation, dossier: Dossier) -> None:
        self._caller = caller
        self._config = config
        self._situation = situation
        self._dossier = dossier
        self._said: list[dict[str, Any]] = [{"role": "user", "content": opening(dossier.overview())}]
        self._must_submit = False
        self._was_refused = False

    async def plan(self) -> Proposal:
        """Ask until there is a plan.

        Raises:
            NoProposalError: there is none, and why.
        """
        for turn in range(self._config.max_turns):
            self._must_submit |= turn >= self._config.max_turns - _TURNS_FOR_THE_PLAN
            proposal = self._hear(await self._caller.call(self._request()))
            if proposal is not None:
                return proposal
        raise NoProposalError("no_plan")

    def _request(self) -> dict[str, Any]:
        return {
            "model": self._config.llm,
            "max_tokens": self._config.max_tokens,
            "system": system(),
            "tools": tools(),
            "messages": list(self._said),
            "tool_choice": _FORCED if self._must_submit else _FREE,
            # A tool can't be forced on a model that thinks.
            "thinking": {"type": "disabled"},
        }

    def _hear(self, reply: Reply) -> Proposal | None:
        calls = [block for block in reply.content if getattr(block, "type", None) == "tool_use"]
        if not all(_is_whole(call) for call in calls):
            raise NoProposalError("malformed")
        if any(call.name not in TOOLS and call.name != SUBMIT for call in calls):
            raise NoProposalError("unknown_tool")
        if said := [part for block in reply.content if (part := _repeated(block)) is not None]:
            self._said.append({"role": "assistant", "content": said})
        if reply.stop_reason == "pause_turn" and not calls:
            return None
        if not any(call.name == SUBMIT for call in calls):
            self._look_up(calls)
            return None
        return self._take(calls)

    def _look_up(self, calls: list[Any]) -> None:
        """Answer calls that read; where there are none, nothing is left but to ask for the plan."""
        if self._must_submit:
            raise NoProposalError("no_plan")
        if not calls:
            self._must_submit = True
            self._said.append({"role": "user", "content": _SUBMIT_NOW})
            return
        answered = [self._answer(call) for call in calls[:_MOST_CALLS]]
        left_out = [_result(call, _TOO_MANY, is_error=True) for call in calls[_MOST_CALLS:]]
        self._said.append({"role": "user", "content": answered + left_out})

    def _answer(self, call: Any) -> dict[str, Any]:
        try:
            return _result(call, answer(self._dossier, call.name, call.input))
        except BadCallError as error:
            return _result(call, str(error), is_error=True)

    def _take(self, calls: list[Any]) -> Proposal | None:
        """Read the plan; the first one that isn't one may be repaired."""
        try:
            return self._read(calls)
        except BadCallError as error:
            if self._was_refused:
                raise NoProposalError("bad_schema") from None
            self._was_refused = self._must_submit = True
            self._said.append({"role": "user", "content": [_result(call, str(error), is_error=True) for call in calls]})
            return None

    def _read(self, calls: list[Any]) -> Proposal:
        if len(calls) > 1:
            raise BadCallError([_ALONE])
        return read_plan(calls[0].input, self._situation, self._dossier.handles)


def _is_whole(call: Any) -> bool:
    """Whether a call is one: the SDK checked nothing of it."""
    name, place, given = (getattr(call, part, None) for part in ("name", "id", "input"))
    return isinstance(name, str) and isinstance(given, dict) and isinstance(place, str) and _ID.fullmatch(place) is not None


def _result(call: Any, content: str, *, is_error: bool = False) -> dict[str, Any]:
    return {"type": "tool_result", "tool_use_id": call.id, "content": content, "is_error": is_error}


def _repeated(block: Any) -> dict[str, Any] | None:
    """Return a block of an answer as it is sent back in the next request; kinds that nobody asked for are left out."""
    kind, text = getattr(block, "type", None), getattr(block, "text", None)
    if kind == "tool_use":
        return {"type": "tool_use", "id": block.id, "name": block.name, "input": block.input}
    return {"type": "text", "text": text} if kind == "text" and isinstance(text, str) and text.strip() else None
