"""Planners asked beside the loop: one ask an incident, so many at once, and never longer than they may."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from structlog.testing import capture_logs

from daemon.ledger.records import Reason
from daemon.planners.base import NoProposalError, Proposal, Situation
from daemon.planning.arbiter import changes
from daemon.planning.asks import Answer, Asks, Room, ask
from tests.kit.claude import situation_of

CALM = Proposal(action="no_action", reasons=(Reason(text="r"),), utilities={"no_action": 0.0})


class Gated:
    """Says what it was told to, or fails so, once somebody opens the gate."""

    def __init__(self, answer: Proposal | BaseException | None = CALM) -> None:
        self._answer = answer
        self.asked: list[Situation] = []
        self.gate = asyncio.Event()
        self.reached = asyncio.Event()

    async def propose(self, situation: Situation) -> Proposal:
        self.asked.append(situation)
        self.reached.set()
        await self.gate.wait()
        if isinstance(self._answer, BaseException):
            raise self._answer
        return self._answer  # type: ignore[return-value]


def asking(planner: Gated, incident: str = "i") -> Callable[[], Coroutine[Any, Any, Answer]]:
    return partial(ask, planner, "gated", situation_of(incident), "c")


@asynccontextmanager
async def running(*asks: Asks) -> AsyncIterator[list[asyncio.Task[None]]]:
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one.run()) for one in asks]
        for one in asks:
            await one._wake.again()
        yield tasks
        for task in tasks:
            task.cancel()


class Wake:
    """Counts how often it was called."""

    def __init__(self) -> None:
        self.news = asyncio.Event()
        self.times = 0

    def __call__(self) -> None:
        self.times += 1
        self.news.set()

    async def again(self) -> None:
        await self.news.wait()
        self.news.clear()


async def test_an_incident_is_asked_about_once_and_its_answer_given_once() -> None:
    planner, wake = Gated(), Wake()
    asks = Asks(Room(4), wake, 60.0)
    async with running(asks):
        assert [asks.answer("i", asking(planner)) for _ in range(3)] == [None] * 3
        await planner.reached.wait()
        assert (len(planner.asked), asks.is_waiting("i"), asks.incidents) == (1, True, {"i"})
        planner.gate.set()
        await wake.again()
        assert not asks.is_waiting("i")
        answer = asks.answer("i", asking(planner))
        assert answer == Answer(CALM, "", situation_of("i"), "c")
        assert asks.incidents == frozenset()
        assert asks.answer("i", asking(planner)) is None, "who wants another answer asks again"
    assert len(planner.asked) <= 2


async def test_who_comes_before_anybody_can_ask_is_called_back() -> None:
    planner, wake = Gated(), Wake()
    asks = Asks(Room(4), wake, 60.0)
    assert asks.answer("i", asking(planner)) is None
    assert (asks.incidents, wake.times) == (frozenset(), 0)
    async with running(asks):
        assert wake.times == 1
        assert asks.answer("i", asking(planner)) is None
        assert asks.incidents == {"i"}


async def test_all_models_share_the_room_and_who_was_turned_away_is_called_back() -> None:
    first, second, wakes = Gated(), Gated(), [Wake(), Wake()]
    room = Room(1)
    one, other = (Asks(room, wake, 60.0) for wake in wakes)
    async with running(one, other):
        one.answer("i", asking(first))
        await first.reached.wait()
        other.answer("j", asking(second, "j"))
        other.answer("k", asking(second, "k"))
        assert other.incidents == frozenset()
        first.gate.set()
        await wakes[1].again()
        other.answer("j", asking(second, "j"))
        other.answer("k", asking(second, "k"))
        assert other.incidents == {"j"}
        await second.reached.wait()
        assert [one.incident for one in second.asked] == ["j"]


async def test_what_nobody_waits_for_is_given_up_and_makes_room() -> None:
    planner, wake, room = Gated(), Wake(), Room(1)
    asks = Asks(room, wake, 60.0)
    async with running(asks):
        asks.answer("i", asking(planner))
        await planner.reached.wait()
        with capture_logs() as logs:
            asks.keep({"i"})
            assert (asks.incidents, logs) == ({"i"}, [])
            asks.keep({"j"})
        assert [one["event"] for one in logs] == ["AskDropped"]
        assert asks.incidents == frozenset()
        await wake.again()
        assert room.enter(wake)


async def test_at_the_end_nobody_is_asked_any_more() -> None:
    planner, wake, room = Gated(), Wake(), Room(1)
    asks = Asks(room, wake, 60.0)
    async with running(asks) as (task,):
        asks.answer("i", asking(planner))
        await planner.reached.wait()
        task.cancel()
    assert asks.incidents == frozenset()
    assert asks.answer("i", asking(planner)) is None
    assert (asks.incidents, room.enter(wake)) == (frozenset(), True)


async def test_a_planner_that_never_answers_is_given_up() -> None:
    answer = await ask(Gated(), "gated", situation_of(), "c", within_s=0.0)
    assert (answer.proposal, answer.reason) == (None, "deadline")


async def test_whatever_goes_wrong_is_a_reason_and_its_text_is_nowhere() -> None:
    for error, reason in (
        (NoProposalError("refusal"), "refusal"),
        (NoProposalError("sk-secret"), "crashed"),  # type: ignore[arg-type]
        (KeyError("sk-secret"), "crashed"),
        (TimeoutError("sk-secret"), "deadline"),
        (asyncio.CancelledError("sk-secret"), "crashed"),
    ):
        planner = Gated(error)
        planner.gate.set()
        with capture_logs() as logs:
            answer = await ask(planner, "gated", situation_of(), "c")
        assert answer == Answer(None, reason, situation_of(), "c")
        assert "secret" not in str(logs)


def test_what_has_changed_is_named_but_for_the_time() -> None:
    asked = situation_of("i")
    assert changes(asked, situation_of("i", now_ms=asked.now_ms + 1)) == ()
    assert changes(asked, situation_of("i", is_frozen=True, evidence=("event-1", "event-2"))) == ("is_frozen", "evidence")
