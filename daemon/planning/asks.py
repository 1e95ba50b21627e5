"""Another planner, asked beside the loop: by a task that the loop looks in on and never waits for.

An incident about which somebody is being asked, or is still to be, stays `diagnosed`. In the ledger are only the calls that are
made for it: a daemon that died while it asked asks again.
"""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Callable, Collection, Coroutine
from typing import Any, Literal, NamedTuple

from daemon.planners.base import NoProposalError, Planner, Proposal, Situation
from daemon.planning.arbiter import REASONS
from streams.runtime.logging import Log

log = Log("daemon.planning.asks")


class Answer(NamedTuple):
    """What a planner said, and the situation and the champion that it was asked about.

    Without a proposal, `reason` is why; one of `REASONS`.
    """

    proposal: Proposal | None
    reason: str
    situation: Situation
    champion: str


async def ask(planner: Planner, kind: str, situation: Situation, champion: str, *, within_s: float | None = None) -> Answer:
    """Ask a planner. Whatever goes wrong in it becomes a reason: the policy planner's plan is there.

    Args:
        planner: who is asked.
        kind: its kind, for the log.
        situation: what is to be decided.
        champion: the bundle that serves meanwhile.
        within_s: seconds of the wall clock after which it is given up; None for as long as it takes.
    """
    try:
        async with asyncio.timeout(within_s):
            return Answer(await planner.propose(situation), "", situation, champion)
    except TimeoutError:
        reason = "deadline"
    except asyncio.CancelledError as error:
        if _is_cancelled():
            raise
        reason = crashed(error, kind)
    except NoProposalError as error:
        reason = error.reason if error.reason in REASONS else "crashed"
    except Exception as error:  # noqa: BLE001 - see above
        reason = crashed(error, kind)
    return Answer(None, reason, situation, champion)


def _is_cancelled() -> bool:
    """Whether somebody wants this task to end; if not, something within the planner was cancelled that it didn't see to."""
    task = asyncio.current_task()
    return task is None or task.cancelling() > 0


def crashed(error: BaseException, kind: str) -> Literal["crashed"]:
    """Note what went wrong in a planner: not its text and no values of variables, among which a key may be."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    log.warning("PlannerFailed", planner=kind, error=type(error).__name__, function=last.name, line=last.lineno)
    return "crashed"


class Room:
    """How many incidents of all models planners are asked about at the same time.

    Args:
        at_once: so many.
    """

    def __init__(self, at_once: int) -> None:
        self._left = at_once
        self._turned_away: set[Callable[[], None]] = set()

    def enter(self, wake: Callable[[], None]) -> bool:
        """Take a place; where none is left, `wake` is called once there may be one."""
        if self._left == 0:
            self._turned_away.add(wake)
            return False
        self._left -= 1
        return True

    def leave(self) -> None:
        """Give a place back."""
        self._left += 1
        woken, self._turned_away = self._turned_away, set()
        for wake in woken:
            wake()


class Asks:
    """One model's: at most one an incident, owned by the task that is in `run`.

    Args:
        room: shared by all models.
        wake: has the loop look in again: there is an answer, or room.
        within_s: seconds of the wall clock that one may take.
    """

    def __init__(self, room: Room, wake: Callable[[], None], within_s: float) -> None:
        self.within_s = within_s
        self._room = room
        self._wake = wake
        self._tasks: dict[str, asyncio.Task[Answer]] = {}
        self._group: asyncio.TaskGroup | None = None

    async def run(self) -> None:
        """Ask for as long as this isn't cancelled. Who is being asked then is cancelled too, and waited for."""
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                self._wake()
                try:
                    await asyncio.get_running_loop().create_future()
                finally:
                    self._group = None
        finally:
            self._tasks.clear()

    @property
    def incidents(self) -> frozenset[str]:
        """Those that somebody is being asked about, or has answered about what nobody has looked at."""
        return frozenset(self._tasks)

    def is_waiting(self, incident: str) -> bool:
        """Whether somebody is being asked about an incident and hasn't answered."""
        task = self._tasks.get(incident)
        return task is not None and not task.done()

    def answer(self, incident: str, asking: Callable[[], Coroutine[Any, Any, Answer]]) -> Answer | None:
        """Return what was answered about an incident, once; None where the answer is awaited.

        Args:
            incident: its id.
            asking: asks; called where nobody has been asked yet and there is room.
        """
        task = self._tasks.get(incident)
        if task is None:
            self._begin(incident, asking)
            return None
        if not task.done() or task.cancelled():
            return None
        del self._tasks[incident]
        return task.result()

    def keep(self, incidents: Collection[str]) -> None:
        """Give up asking about all other incidents: nobody waits for an answer any more."""
        for incident in self.incidents.difference(incidents):
            self._tasks.pop(incident).cancel()
            log.warning("AskDropped", incident=incident, reason="the incident doesn't wait for a plan any more")

    def _begin(self, incident: str, asking: Callable[[], Coroutine[Any, Any, Answer]]) -> None:
        if self._group is None or not self._room.enter(self._wake):
            return
        self._tasks[incident] = task = self._group.create_task(asking())
        task.add_done_callback(self._end)
        log.info("PlannerAsked", incident=incident)

    def _end(self, task: asyncio.Task[Answer]) -> None:
        self._room.leave()
        self._wake()
