"""Whatever is left unread of the log, each prediction counts once: also those of a worker that took over unheard."""

from __future__ import annotations

from collections.abc import Callable, Collection

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.contracts.errors import TransportError
from streams.contracts.features import Window
from streams.contracts.records import Prediction
from streams.contracts.schema import Column, ModelSchema
from streams.serving.feed import Feed, FeedTopics, Rows
from streams.serving.own import OwnFacts
from streams.serving.remembering import Remembered
from streams.serving.sparing import Sparing
from streams.transport.records import Record
from streams.windows.online import WindowState

SCHEMA = ModelSchema(columns=(Column(name="owner", kind="category"),))
COUNT = Window(aggregate="count", source="requests", by=("owner",), range_ms=10**9)
LATE_MS = 10**8


class Log:
    """The predictions of one partition, and what follows them; nothing of it is Kafka but what is asked of it."""

    def __init__(self, records: list[Record], position: int) -> None:
        self.records = records
        self.position = position
        self.is_paused = False
        self.end = 0
        self.is_reachable = True
        self.brought = 0

    def pause(self, places: Collection[str]) -> None:
        self.is_paused = "p/0" in places

    async def look_again(self, is_wanted: Callable[[str], bool]) -> None:
        if not self.is_reachable:
            raise TransportError("nobody answers")
        if is_wanted("p/0"):
            self.end = len(self.records)

    async def skip(self, places: Collection[str]) -> dict[str, int]:
        if "p/0" not in places or self.position >= self.end:
            return {}
        self.position = self.end
        return {"p/0": self.end}

    async def poll(self, timeout_ms: int) -> list[Record]:
        if self.is_paused:
            return []
        found, self.position = self.records[self.position :], len(self.records)
        self.brought += len(found)
        return found


class World:
    """A worker with a partition, another that takes it over now and then, and the log that both write."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.answered = self.asked = 0
        self.in_flight: list[Record] = []
        self.commits = 0
        self.now_s = 0.0
        self.is_taken = False
        self.own = {0}
        self.feed = Feed((COUNT,), skew_ms=0, schema=SCHEMA, topics=FeedTopics("p", "o", 1))
        self.log = Log(self.records, 0)
        self.sparing = Sparing(lambda partition: self.commits, lambda: self.now_s)

    def answer(self) -> None:
        """Answer two requests, if it thinks it may and the two before are committed."""
        if self.own and not self.in_flight:
            offsets = [self.asked, self.asked + 1]
            self.asked += 2
            self.feed.fold_own(0, offsets, Rows(offsets, {"owner": [f"o{offset % 3}" for offset in offsets]}), {})
            self.in_flight = [_prediction(len(self.records) + place, offset) for place, offset in enumerate(offsets)]

    def commit(self) -> None:
        """Write them, unless another has taken over: then it hears of that."""
        if self.is_taken:
            self.in_flight, self.own = [], set()
        elif self.in_flight:
            self._write(self.in_flight)
            self.in_flight = []
            self.commits += 1

    def take_over(self) -> None:
        """Let the other answer; what was in flight never comes."""
        self.is_taken = True

    def answer_elsewhere(self) -> None:
        """Let the other answer three requests."""
        if self.is_taken:
            self._write([_prediction(len(self.records) + place, self.answered + place) for place in range(3)])

    def hear(self) -> None:
        """Hear of the takeover."""
        if self.is_taken:
            self.in_flight, self.own = [], set()

    def regain(self) -> None:
        """Get the partition back."""
        if self.is_taken:
            self.in_flight, self.own, self.is_taken = [], {0}, False
            self.asked = self.answered
            self.feed.begin_again(0)

    def restart(self) -> None:
        """Go on in a new process with what was kept."""
        kept = self.feed.kept()
        assert kept is not None
        state = WindowState((COUNT,), SCHEMA, 0)
        state.restore(kept.image)
        remembered = Remembered(state, OwnFacts(kept.own), kept.positions, kept.reached_ms, kept.brought)
        self.feed = Feed(
            (COUNT,), skew_ms=0, schema=SCHEMA, topics=FeedTopics("p", "o", 1), skip=kept.positions, remembered=remembered
        )
        self.log = Log(self.records, kept.positions.get("p/0", 0))
        self.in_flight, self.own, self.is_taken = [], {0}, False
        self.asked = self.answered
        self.feed.begin_again(0)

    def be_unreachable(self) -> None:
        """Let the broker answer no questions, or again."""
        self.log.is_reachable = not self.log.is_reachable

    async def look(self) -> None:
        """Do what the stage does before it reads."""
        self.now_s += 1.0
        await self.sparing.look(self.feed, self.log, self.own)

    async def read(self) -> None:
        """Read and fold what there is."""
        self.feed.fold(await self.log.poll(0))

    def _write(self, records: list[Record]) -> None:
        self.records += records
        self.answered += len(records)


def _prediction(place: int, offset: int) -> Record:
    row = Prediction(
        id=str(offset),
        partition=0,
        offset=offset,
        time_ms=offset,
        columns={"owner": f"o{offset % 3}"},
        score=0.5,
        digest="d",
        generation=1,
    )
    return Record("p", 0, place, None, msgspec.json.encode(row), (), 0)


OFTEN = ["answer", "commit", "look", "read"]
STEPS = [*OFTEN, *OFTEN, "take_over", "answer_elsewhere", "answer_elsewhere", "hear", "regain", "restart", "be_unreachable"]


@settings(max_examples=400, deadline=None)
@given(steps=st.lists(st.sampled_from(STEPS), min_size=30, max_size=120))
async def test_each_prediction_counts_once_whoever_wrote_it(steps: list[str]) -> None:
    world = World()
    for step in steps:
        if (done := getattr(world, step)()) is not None:
            await done
    # Whatever was in flight is answered in the end, by whoever has the partition.
    for finish in (world.commit, world.answer_elsewhere, world.regain, world.answer, world.commit):
        finish()
    world.own = set()
    await world.look()
    await world.read()
    truth = Feed((COUNT,), skew_ms=0, schema=SCHEMA, topics=FeedTopics("p", "o", 1))
    truth.fold(world.records)
    asked = {"owner": ["o0", "o1", "o2"]}
    found, expected = (feed.values([LATE_MS] * 3, asked)[COUNT.name] for feed in (world.feed, truth))
    assert found == expected


async def test_what_this_process_answers_is_not_read_back_and_the_position_follows() -> None:
    world = World()
    for _ in range(50):
        for step in ("answer", "commit"):
            getattr(world, step)()
        await world.look()
        await world.read()
    assert len(world.records) == 100
    assert world.log.brought <= 4, "the first ones tell that nothing else is there"
    kept = world.feed.kept()
    assert kept is not None
    assert kept.positions["p/0"] >= 92


async def test_an_end_is_believed_only_after_a_commit_that_began_behind_it() -> None:
    world = World()
    for step in ("answer", "commit", "read"):
        if (done := getattr(world, step)()) is not None:
            await done
    world.answer()
    world.commit()
    await world.look()  # the end is seen
    world.commits += 1  # which may have been on its way
    await world.look()
    assert world.log.position == 2
    world.commits += 1
    await world.look()
    assert world.log.position == 4
