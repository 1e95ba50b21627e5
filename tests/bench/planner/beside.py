"""Claude beside policy, as in the product: its planner, its arbiter, its account of calls. Only Claude itself is played.

Who chooses is the product's own. It is told of an incident's file where it would look into a ledger; so is what the guardrails
look at.
"""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from itertools import repeat
from pathlib import Path
from typing import NamedTuple

import msgspec

from daemon.ledger.calls import RESERVED, LlmCall
from daemon.ledger.ledger import Ledger
from daemon.ledger.records import Incident as LedgerIncident
from daemon.ledger.records import Plan
from daemon.planners.base import Planner, Proposal, Situation
from daemon.planners.policy import build
from daemon.planning.arbiter import Choice
from daemon.planning.chooser import Chooser
from daemon.planning.config import PlanningConfig
from daemon.planning.drafts import Drafts
from daemon.planning.guardrails import Facts
from daemon.planning.present import Case, Present
from tests.bench.planner.asking import NOW_MS, answered, situation_of
from tests.bench.planner.guarding import CHAMPION, facts_of, plan_of
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


class Told(Present):
    """What the product would know of the present, from an incident's file."""

    def __init__(self, incident: Incident, situation: Situation) -> None:
        self._about = incident, situation

    def situation(self, case: Case) -> Situation:
        return self._about[1]

    def facts(self, plan: Plan, case: Case) -> Facts:
        return facts_of(*self._about, plan)


class Drawn(Drafts):
    """The plans that the product would make, from an incident's file."""

    def __init__(self, incident: Incident, situation: Situation) -> None:
        self._about = incident, situation

    def plan(self, proposal: Proposal, case: Case, proposer: str) -> Plan:
        return plan_of(*self._about, proposal)


class Beside:
    """The product's way to choose between the policy planner and Claude, about incidents' files."""

    def __init__(self, claude: Planner) -> None:
        self._config = PlanningConfig(planner=CLAUDE)
        self._claude = claude

    async def choose(self, incident: Incident, situation: Situation, subject: LedgerIncident) -> Choice:
        """Ask both planners and choose, as the product does; `subject` is whose account the calls are on."""
        told, drawn = Told(incident, situation), Drawn(incident, situation)
        choice = await Chooser(told, drawn, self._config, policy=build(), other=self._claude).choose(
            Case(subject, CHAMPION, NOW_MS)
        )
        assert choice is not None, "without `asks` it is waited for"
        return choice


@dataclasses.dataclass
class Playing:
    """Who chooses, the server on loopback that is asked, and the ledger of the calls."""

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
        yield Playing(Beside(world.planner), world.server, world.ledger, replies)


async def play_beside(folder: Path, incidents: Sequence[Incident], replies: int, seed: int = 0) -> list[list[Reply]]:
    """Ask about each incident so many times; the replies differ by their seeds."""
    async with playing(folder) as world:
        return [
            await world.ask(incident, [(seed, place, number) for number in range(replies)])
            for place, incident in enumerate(incidents)
        ]
