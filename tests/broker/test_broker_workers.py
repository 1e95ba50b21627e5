"""Workers share a stage's tasks: they come, go and come back, and every record counts once, in order."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import signal
import sys
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import msgspec

from streams.contracts.errors import FencedError
from streams.transport.broker import EmbeddedBroker
from streams.transport.commits import Committer
from streams.transport.inputs import Inputs
from streams.transport.membership import Worker
from streams.transport.processor import TaskCounters, TaskSpec
from streams.transport.records import Output
from streams.transport.work import Task
from tests.kit.running_sum import RunningSum, Sum, runner_of
from tests.kit.topics import make_topics, publish, read_until

Unique = Callable[[str], str]
PARTITIONS = 4


class Bed:
    """A stage of four tasks, its records, and who does what."""

    def __init__(self, bootstrap: str, model: str, topics: tuple[str, str, str]) -> None:
        self.bootstrap = bootstrap
        self.model = model
        self.topics = topics
        self.shares: dict[str, frozenset[int]] = {}
        self.sent = 0
        self._news = asyncio.Event()

    @asynccontextmanager
    async def worker(self, name: str) -> AsyncIterator[asyncio.Event]:
        """A worker that goes at the end of the block, or when the event is set."""
        stopping = asyncio.Event()
        runner = runner_of(
            self.bootstrap,
            self.model,
            self.topics,
            partitions=PARTITIONS,
            worker=Worker(name),
            on_share=functools.partial(self._share, name),
        )
        async with asyncio.TaskGroup() as group:
            group.create_task(runner.run(stopping))
            yield stopping
            stopping.set()
        del self.shares[name]
        self._news.set()

    async def until_shared(self, *counts: int) -> None:
        """Wait until the workers have so many tasks, and each task is one worker's."""
        async with asyncio.timeout(30):
            while not self._are_shared(counts):
                await self._news.wait()

    def _are_shared(self, counts: tuple[int, ...]) -> bool:
        self._news.clear()
        found = sorted(number for numbers in self.shares.values() for number in numbers)
        return found == list(range(PARTITIONS)) and sorted(map(len, self.shares.values())) == sorted(counts)

    def _share(self, name: str, numbers: frozenset[int]) -> None:
        self.shares[name] = numbers
        self._news.set()

    async def send(self, count: int) -> None:
        """Send more records to every partition."""
        outputs = [
            Output(self.topics[0], number, b"k", str(place * 7 % 1_000).encode())
            for place in range(self.sent, self.sent + count)
            for number in range(PARTITIONS)
        ]
        await publish(self.bootstrap, outputs)
        self.sent += count

    async def check(self) -> None:
        """Every record has one output, in order, with the right sum."""
        records = await read_until(self.bootstrap, self.topics[1], self.sent * PARTITIONS)
        sums: dict[int, list[Sum]] = defaultdict(list)
        for record in records:
            sums[record.partition].append(msgspec.json.decode(record.value or b"", type=Sum))
        for number in range(PARTITIONS):
            total = 0
            assert [found.offset for found in sums[number]] == sorted({found.offset for found in sums[number]})
            assert len(sums[number]) == self.sent
            for place, found in enumerate(sums[number]):
                total += place * 7 % 1_000
                assert found.total == total


async def bed_of(broker: EmbeddedBroker, unique: Unique) -> Bed:
    topics = await make_topics(broker.bootstrap, unique("in"), unique("out"), unique("state"), partitions=PARTITIONS)
    return Bed(broker.bootstrap, unique("model"), (topics[0], topics[1], topics[2]))


async def test_workers_come_and_go_under_load(broker: EmbeddedBroker, unique: Unique) -> None:
    bed = await bed_of(broker, unique)
    async with bed.worker("a"):
        await bed.until_shared(4)
        await bed.send(300)
        async with bed.worker("b"):
            await bed.send(300)
            await bed.until_shared(2, 2)
            async with bed.worker("c"):
                await bed.send(300)
                await bed.until_shared(2, 1, 1)
                await bed.check()
            await bed.send(300)
            await bed.until_shared(2, 2)
        await bed.send(300)
        await bed.until_shared(4)
        await bed.check()


async def test_a_worker_that_comes_back_under_its_name_goes_on_at_once(broker: EmbeddedBroker, unique: Unique) -> None:
    bed = await bed_of(broker, unique)
    arguments = (bed.bootstrap, bed.model, *bed.topics, "exactly_once", "a", str(PARTITIONS))
    lost = await asyncio.create_subprocess_exec(sys.executable, "-m", "tests.kit.running_sum", *arguments)
    await bed.send(200)
    await bed.check()
    lost.send_signal(signal.SIGKILL)
    await lost.wait()
    began = asyncio.get_running_loop().time()
    async with bed.worker("a"):
        await bed.send(200)
        await bed.check()
    assert asyncio.get_running_loop().time() - began < Worker("a").session_ms / 1_000, "nobody waited until its session ended"


async def test_two_with_other_names_never_fence_each_other_for_long(broker: EmbeddedBroker, unique: Unique) -> None:
    """Who begins a task that another has still in hand wins, and the other finds out without harm."""
    bed = await bed_of(broker, unique)
    async with bed.worker("a"):
        await bed.until_shared(4)
        await bed.send(100)
        await bed.check()
        # A worker that knows nothing of the group, as a zombie of a former one would, fences all four tasks.
        zombie = runner_of(bed.bootstrap, bed.model, bed.topics, partitions=PARTITIONS)
        async with asyncio.TaskGroup() as group:
            fenced = group.create_task(_until_fenced(zombie.run(asyncio.Event())))
            while not fenced.done():  # it finds out with the next record that it answers
                await bed.send(20)
                await asyncio.wait([fenced], timeout=0.2)
        await bed.send(100)
        await bed.check()


class Lingering(Committer):
    """A writer that is still letting its connections go."""

    def __init__(self, bootstrap: str, name: str, topic: str) -> None:
        super().__init__(bootstrap, name, (topic, 0), "exactly_once")
        self.closing = asyncio.Event()

    async def close(self) -> None:
        await super().close()
        self.closing.set()
        await asyncio.Event().wait()


async def test_a_task_that_is_cancelled_while_it_closes_lets_all_connections_go(broker: EmbeddedBroker, unique: Unique) -> None:
    """Of tasks that are fenced at once, the first to end cancels those that are ending."""
    bed = await bed_of(broker, unique)
    inputs = Inputs(bed.bootstrap, [(bed.topics[0], 0)], unique("reader"), 100)
    writer = Lingering(bed.bootstrap, unique("writer"), bed.topics[2])
    spec = TaskSpec(0, ((bed.topics[0], 0),), RunningSum(bed.topics[0], 0, bed.topics[1]))
    task = Task(
        spec, name="t", inputs=inputs, committer=writer, counters=TaskCounters(), max_records=100, idle_ms=100, on_idle=None
    )
    done = asyncio.Event()
    done.set()
    async with asyncio.TaskGroup() as group:
        work = group.create_task(task.run(done))
        await writer.closing.wait()
        assert await inputs.bounds(), "it has read"
        work.cancel()
    assert work.cancelled()
    assert await inputs.bounds() == {}


async def _until_fenced(work: Awaitable[None]) -> None:
    with contextlib.suppress(FencedError):
        await work
