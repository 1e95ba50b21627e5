"""The calls of one conversation: each within the deadline, set aside in the budget before it is made and settled after.

The SDK's own retries are off: it sleeps as long as a server asks it to, and what it tries stands in no account.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import Any, Final, NamedTuple

from anthropic.resources.messages import AsyncMessages

from daemon.errors import BudgetSpentError
from daemon.ledger.calls import Budget, Cost, LlmCall
from daemon.planners._claude.config import ClaudeConfig
from daemon.planners._claude.failures import RAISED, Failure, failure_of
from daemon.planners._claude.money import MONTH_MS, cost_of, most
from daemon.planners.base import NoProposalError, Office, Situation, WhyNot

PURPOSE: Final = "plan"
CANCELLED: Final = "cancelled"
"""The outcome of a call that was under way when the daemon stopped, or that nobody waited for any more."""

_FIRST_PAUSE_S: Final = 1.0
_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,100}")
_WHOLE: Final = frozenset({"end_turn", "tool_use", "stop_sequence", "pause_turn"})
_BROKEN_OFF: Final[dict[str | None, WhyNot]] = {
    None: "unfinished",  # a stream that ended early ends like this, and raises nothing
    "max_tokens": "truncated",
    "refusal": "refusal",
    "model_context_window_exceeded": "context_exceeded",
}

Sleep = Callable[[float], Awaitable[None]]


class Reply(NamedTuple):
    """A whole answer: its blocks, and why it ended."""

    content: list[Any]
    stop_reason: str


class Caller:
    """Makes the calls of one conversation.

    Args:
        messages: the Messages API.
        config: deadline, retries, prices and budget.
        office: the ledger that calls are written to, and the clock.
        situation: whose incident pays.
        sleep: waits between tries, in seconds.
    """

    def __init__(
        self, messages: AsyncMessages, config: ClaudeConfig, office: Office, situation: Situation, *, sleep: Sleep
    ) -> None:
        self._messages = messages
        self._config = config
        self._office = office
        self._situation = situation
        self._sleep = sleep
        self._ends_s = office.clock.monotonic() + config.deadline.seconds

    async def call(self, request: dict[str, Any]) -> Reply:
        """Make a call, again where that may help.

        Raises:
            NoProposalError: there is no whole answer, and why.
        """
        tried = 0
        while not isinstance(answer := await self._try(request), Reply):
            if not answer.may_pass or tried == self._config.retries:
                raise NoProposalError(answer.reason)
            await self._pause(answer, tried)
            tried += 1
        return answer

    async def _try(self, request: dict[str, Any]) -> Reply | Failure:
        left_s = self._left_s()
        call, began_s = self._reserve(request), self._office.clock.monotonic()
        try:
            async with asyncio.timeout(left_s), self._messages.stream(**request) as stream:
                message = await stream.get_final_message()
                request_id = stream.request_id
        except TimeoutError:
            self._settle(call, "deadline", began_s)
            raise NoProposalError("deadline") from None
        except asyncio.CancelledError:
            self._settle(call, CANCELLED, began_s)
            raise
        except RAISED as error:
            failure = failure_of(error)
            self._settle(call, failure.reason, began_s, Cost() if failure.is_free else None, failure.request_id)
            return failure
        ending = _ending(message)
        # What a stream that broke off says of its usage is from its beginning.
        cost = cost_of(getattr(message, "usage", None), self._config) if ending not in {"unfinished", "malformed"} else None
        self._settle(call, ending or str(message.stop_reason), began_s, cost, str(request_id or ""))
        if ending is not None:
            raise NoProposalError(ending)
        return Reply(list(message.content), str(message.stop_reason))

    async def _pause(self, failure: Failure, tried: int) -> None:
        wait_s = failure.wait_s if failure.wait_s is not None else _FIRST_PAUSE_S * 2**tried
        if wait_s > self._config.longest_pause.seconds:
            raise NoProposalError(failure.reason)
        if wait_s >= self._left_s():
            raise NoProposalError("deadline")
        await self._sleep(wait_s)

    def _left_s(self) -> float:
        left_s = self._ends_s - self._office.clock.monotonic()
        if left_s <= 0:
            raise NoProposalError("deadline")
        return left_s

    def _reserve(self, request: dict[str, Any]) -> LlmCall:
        ledger, config = self._office.ledger, self._config
        budget = Budget(config.dollars_per_30d, ledger.wall_ms() - MONTH_MS)
        try:
            return ledger.reserve_call(
                self._situation.incident,
                self._office.model,
                llm=config.llm,
                purpose=PURPOSE,
                most=most(request, config),
                budget=budget,
                now_ms=self._situation.now_ms,
            )
        except BudgetSpentError:
            raise NoProposalError("over_budget") from None

    def _settle(self, call: LlmCall, outcome: str, began_s: float, cost: Cost | None = None, request_id: str = "") -> None:
        self._office.ledger.settle_call(
            call,
            outcome,
            now_ms=self._situation.now_ms,
            latency_ms=round(1_000 * (self._office.clock.monotonic() - began_s)),
            cost=cost,
            request_id=request_id if _REQUEST_ID.fullmatch(request_id) is not None else "",
        )


def _ending(message: Any) -> WhyNot | None:
    """Return why an answer can't be used, None for a whole one. Nothing of it was checked by the SDK."""
    reason = getattr(message, "stop_reason", None)
    if reason is not None and not isinstance(reason, str):
        return "malformed"
    if reason not in _WHOLE:
        return _BROKEN_OFF.get(reason, "unknown_stop")
    return None if isinstance(getattr(message, "content", None), list) else "malformed"
