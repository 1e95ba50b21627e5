"""Claude beside policy, as in the product: its planner, its arbiter, its account of calls. Only Claude itself is played.

The planning stage is the product's own. It is told of an incident's file where it would look into a ledger; so is what the
guardrails look at.
"""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from itertools import repeat
from pathlib import Path
from typing import NamedTuple

import msgspec

from daemon.judging.config import JudgingConfig
from daemon.ledger.calls import RESERVED, LlmCall
from daemon.ledger.ledger import Ledger
from daemon.ledger.records import Incident as LedgerIncident
from daemon.ledger.records import Plan
from daemon.planners.base import Planner, Proposal, Situation
from daemon.planners.policy import build
from daemon.planning.arbiter import Choice
from daemon.planning.config import PlanningConfig
from daemon.planning.guardrails import Facts
from daemon.planning.stage import Planning
from streams.runtime.plugins import kinds_of
from tests.bench.planner.asking import NOW_MS, answered, situation_of
from tests.bench.planner.guarding import CHAMPION, PLACES, facts_of, plan_of
from tests.bench.planner.incident import Incident
from tests.bench.planner.replies import Replies
from tests.bench.planner.scoring import Cost, Score, score
from tests.kit.claude import asking
from tests.kit.incidents import opened
from tests.kit.messages_server import MessagesServer

CLAUDE = "claude"
_MUCH = 1_000_000.0
_MOST_FAILURES = 100


class Reply(NamedTuple):
    """What came of one reply: the score of the plan that was chosen, whose it is, and why not Claude's (empty: it is).

    `proposed` is Claude's action, empty where nothing could be read; `unsettled` counts calls that nobody settled.
    """

    score: Score
    used: str
    reason: str
    proposed: str
    unsettled: int


class Beside(Planning):
    """The product's planning stage, about an incident's file."""

    def __init__(self, ledger: Ledger, claude: Planner) -> None:
        config, skills = PlanningConfig(planner=CLAUDE), frozenset(kinds_of("skills"))
        judging = JudgingConfig().model_dump(mode="json")
        super().__init__(
            ledger, PLACES, config, skills, label_wait_ms=1, most_waits=1, judging=judging, policy=build(), planner=claude
        )

    async def choose(self, incident: Incident, situation: Situation, subject: LedgerIncident) -> Choice:
        """Ask both planners and choose, as the product does; `subject` is whose account the calls are on."""
        self._about = incident, situation
        return await self._choose(subject, CHAMPION, NOW_MS)

    def _situation(self, incident: LedgerIncident, champion: str, now_ms: int) -> Situation:
        return self._about[1]

    def _compose(self, proposal: Proposal, incident: LedgerIncident, champion: str, now_ms: int, *, proposer: str) -> Plan:
        return plan_of(*self._about, proposal)

    def _facts(self, plan: Plan, incident: LedgerIncident, champion: str, now_ms: int) -> Facts:
        return facts_of(*self._about, plan)


@dataclasses.dataclass
class Playing:
    """A planning stage whose planner asks a server on loopback, that server, and the ledger of the calls."""

    stage: Beside
    server: MessagesServer
    ledger: Ledger
    replies: Replies

    async def ask(self, incident: Incident, seeds: Sequence[tuple[int, ...]]) -> list[Reply]:
        """Ask about one incident, once for each seed of a reply."""
        subject = opened(self.ledger, incident.id, NOW_MS)
        situation = msgspec.structs.replace(situation_of(incident), incident=subject.id)
        found = []
        for seed in seeds:
            self.replies.draw(*seed)
            before = len(self.ledger.calls_of(subject.id))
            choice = await self.stage.choose(incident, situation, subject)
            calls = self.ledger.calls_of(subject.id)[before:]
            result = answered(incident, situation, choice.proposal)
            told = choice.details["arbitration"]
            proposed = told["proposals"].get(CLAUDE, {}).get("action", "")
            unsettled = sum(call.outcome == RESERVED for call in calls)
            found.append(Reply(score(incident, result, cost_of(calls)), told["used"], told["reason"], proposed, unsettled))
        return found


def cost_of(calls: Sequence[LlmCall]) -> Cost:
    """Add up what the ledger says of some calls."""
    tokens = sum(one.tokens_in + one.tokens_out + one.tokens_cache_read + one.tokens_cache_written for one in calls)
    return Cost(tokens, sum(one.dollars for one in calls), len(calls))


@asynccontextmanager
async def playing(folder: Path) -> AsyncIterator[Playing]:
    """Set everything up in a folder. Money is no object here, and no pause takes time: what counts is what gets through."""
    replies = Replies()
    async with asking(folder, repeat(replies), dollars_per_30d=_MUCH, failures=_MOST_FAILURES) as world:
        yield Playing(Beside(world.ledger, world.planner), world.server, world.ledger, replies)


async def play_beside(folder: Path, incidents: Sequence[Incident], replies: int, seed: int = 0) -> list[list[Reply]]:
    """Ask about each incident so many times; the replies differ by their seeds."""
    async with playing(folder) as world:
        return [
            await world.ask(incident, [(seed, place, number) for number in range(replies)])
            for place, incident in enumerate(incidents)
        ]
