"""The Claude planner: asks a Claude model, which looks the incident up with tools that only read and submits one plan.

It never decides alone: planning computes the policy planner's plan as well, and takes Claude's only where it holds
(`daemon/planning/arbiter.py`). `_claude/words.py` has what may be said to Claude, `_claude/conversation.py` the conversation, and
`_claude/caller.py` deadline, retries and money.
"""

from __future__ import annotations

import asyncio
from typing import Final

import anthropic
import httpx2

from daemon.ledger.ids import IncidentId
from daemon.planners._claude.caller import Caller, Sleep
from daemon.planners._claude.circuit import Circuit
from daemon.planners._claude.config import ClaudeConfig
from daemon.planners._claude.conversation import Conversation
from daemon.planners._claude.dossier import Dossier
from daemon.planners._claude.key import key_in
from daemon.planners.base import NoProposalError, Office, Proposal, Situation
from streams.runtime.clock import SystemClock
from streams.runtime.config import environment
from streams.runtime.plugins import kinds_of

_LONGEST_CONNECT_S: Final = 5.0


def build(config: ClaudeConfig | None = None, office: Office | None = None) -> ClaudePlanner:
    """Make the planner."""
    return ClaudePlanner(config or ClaudeConfig(), office)


class ClaudePlanner:
    """Asks Claude.

    Args:
        config: who is asked, how long, and what that may cost.
        office: where calls are written down before they are made; without one nothing is asked.
        sleep: waits between tries, in seconds.
    """

    def __init__(self, config: ClaudeConfig, office: Office | None, *, sleep: Sleep = asyncio.sleep) -> None:
        self._config = config
        self._office = office
        self._sleep = sleep
        self._detectors = frozenset(kinds_of("streams.detectors"))
        clock = office.clock if office is not None else SystemClock()
        self._circuit = Circuit(config.failures, config.rest.seconds, clock)

    async def propose(self, situation: Situation) -> Proposal:
        """Ask for a plan.

        Raises:
            NoProposalError: there is none; the reason tells a missing key from an outage, a refusal and a bad answer.
        """
        key = key_in(self._config, environment())
        if key is None:
            raise NoProposalError("no_key")
        if self._office is None:
            raise NoProposalError("no_ledger")
        if self._circuit.is_open:
            raise NoProposalError("circuit_open")
        try:
            proposal = await self._ask(key, self._office, situation)
        except Exception as error:
            if not (isinstance(error, NoProposalError) and error.reason == "over_budget"):
                self._circuit.note_failure()
            raise
        self._circuit.note_success()
        return proposal

    async def _ask(self, key: str, office: Office, situation: Situation) -> Proposal:
        events = office.ledger.events_of(IncidentId(situation.incident))
        dossier = Dossier(situation, events, office.schema, self._detectors)
        async with self._client(key) as client:
            caller = Caller(client.messages, self._config, office, situation, sleep=self._sleep)
            return await Conversation(caller, self._config, situation, dossier).plan()

    def _client(self, key: str) -> anthropic.AsyncAnthropic:
        """Open a client that looks for no other key, repeats nothing, follows nobody elsewhere and traces nothing."""
        stall_s = self._config.stall.seconds
        return anthropic.AsyncAnthropic(
            api_key=key,
            base_url=self._config.url,
            timeout=httpx2.Timeout(stall_s, connect=min(stall_s, _LONGEST_CONNECT_S)),
            max_retries=0,
            open_telemetry=False,
            http_client=anthropic.DefaultAsyncHttpxClient(follow_redirects=False),
        )
