"""A model under load, the workers that serve it, the faults that befall them, and what must hold whatever happened.

Requests are sent as they are answered, a few hundred ahead. One in a hundred is poison, one repeats an earlier id; labels go with
them. Deployments change all the time: champions, canaries, shadows.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import random
import signal
import sys
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec

from streams.contracts.canary import takes
from streams.contracts.records import (
    Canary,
    Deployment,
    GenerationMarker,
    Label,
    Outcome,
    Prediction,
    Rejected,
    Slot,
    TaskState,
)
from streams.contracts.topics import TABLE, topic_name
from streams.dialects import native
from streams.runtime.watermark import read_watermark
from streams.transport.admin import ensure_topics
from streams.transport.deployments import deployment_output
from streams.transport.follower import Follower
from streams.transport.publisher import Publisher
from streams.transport.records import Output
from tests.kit.bundles import START_MS, make_bundle, rows_of
from tests.kit.serving import PARTITIONS, SIGNER, SKEW_MS, Watcher, make_topics

ROOT = Path(__file__).parents[2]
CUSTOMERS = 40
AHEAD = 300
CHUNK = 50
# While something is waited for, the load goes on up to so many times what was asked for.
MOST = 4
ROWS = rows_of(997, seed=7)

Act = Callable[[], Awaitable[None]]


class World:
    """One model of a name of its own, under load."""

    def __init__(self, bootstrap: str, model: str, registry: Path, seed: int) -> None:
        self.bootstrap = bootstrap
        self.model = model
        self.registry = registry
        self.random = random.Random(seed)  # noqa: S311 - drawn again from its seed
        self.publisher = Publisher(bootstrap)
        self.watcher = Watcher(bootstrap, model)
        self.workers: dict[str, asyncio.subprocess.Process] = {}
        self.deployments: dict[int, Deployment] = {}
        self.bundles = [make_bundle(registry, model=model, seed=number, skew_ms=SKEW_MS) for number in range(3)]
        self.sent = 0
        self.ids: list[str] = []
        self.repeats = 0
        self.poison = 0
        self.extra: Counter[int] = Counter()
        self.canaried: dict[int, tuple[int, int]] = {}
        self._acts: list[tuple[int, Act]] = []

    # The load.

    def at(self, share: float, act: Act) -> None:
        """Do something when about this share of all requests has been answered."""
        self._acts.append((int(share * 1_000), act))

    async def run(self, total: int) -> None:
        """Send requests until `total` are answered and all that was asked for is done, in the order of its shares."""
        acts = sorted(self._acts, key=lambda act: act[0])
        async with asyncio.timeout(60), asyncio.TaskGroup() as group:
            doing = group.create_task(self._act(acts, total))
            while not doing.done() or self.answered < self.sent:
                wanted = total if doing.done() else MOST * total
                if self.sent < wanted and self.sent - self.answered < AHEAD:
                    await self.send(CHUNK)
                await self.watcher.look()

    @property
    def answered(self) -> int:
        """How many requests have an answer or are in quarantine."""
        return len(self.watcher.predictions) + len(self.watcher.rejected)

    async def _act(self, acts: list[tuple[int, Act]], total: int) -> None:
        for share, act in acts:
            await self._seen(functools.partial(self._has_answered, share * total / 1_000))
            await act()

    def _has_answered(self, least: float) -> bool:
        return self.answered >= least

    async def _seen(self, is_true: Callable[[], bool]) -> None:
        """Wait until something is true of what the watcher has seen; `run` keeps it looking."""
        while not is_true():
            await self.watcher.looked.wait()

    async def send(self, count: int) -> None:
        """Send more requests, their labels, a little poison and a few repetitions."""
        outputs: list[Output] = []
        for number in range(self.sent, self.sent + count):
            drawn = self.random.random()
            key = b"customer-%d" % self.random.randrange(CUSTOMERS)
            if drawn < 0.01:
                self.poison += 1
                outputs.append(self._request(number, key, self.random.choice([b"", b"junk", b"{}", b"\xff" * 99])))
                continue
            is_repeat = drawn < 0.02 and bool(self.ids)
            request_id = self.random.choice(self.ids) if is_repeat else f"r{number}"
            row = {name: values[number % len(values)] for name, values in ROWS.items()}
            outputs.append(self._request(number, key, native.example(request_id, START_MS + number, row).value))
            if is_repeat:
                self.repeats += 1
            else:
                self.ids.append(request_id)
                label = msgspec.json.encode(Label(request_id, float(number % 2), START_MS + number + 1_000))
                outputs.append(Output(f"{self.model}.labels", None, request_id.encode(), label))
        self.sent += count
        await self.publisher.send_many(outputs)

    def _request(self, number: int, key: bytes, value: bytes | None) -> Output:
        return Output(f"{self.model}.requests", number % PARTITIONS, key, value)

    # Deployments.

    async def deploy(self, champion: str, canary: Canary | None = None, **shadows: str) -> None:
        """Deploy the next generation, from now on in event time."""
        generation = len(self.deployments) + 1
        active = tuple(Slot(name=name, digest=digest) for name, digest in ({"champion": champion} | shadows).items())
        effective_ms = START_MS + self.sent if self.deployments else 0
        deployment = Deployment(
            model=self.model,
            generation=generation,
            active=active,
            canary=canary,
            effective_ms=effective_ms,
            reason="a fault test",
        )
        self.deployments[generation] = deployment
        await self.publisher.send(deployment_output(deployment, SIGNER))

    async def swap(self) -> None:
        """Deploy something else: another champion, often with a canary or a shadow."""
        champion, other = self.random.sample(self.bundles, 2)
        kind = self.random.choice(["alone", "canary", "shadow"])
        canary = Canary(digest=other, weight=self.random.choice([0.1, 0.5]), salt=f"s{len(self.deployments)}")
        await self.deploy(champion, canary if kind == "canary" else None, **({"shadow": other} if kind == "shadow" else {}))

    def swap_often(self, times: int = 6) -> None:
        """Swap at moments that the seed draws."""
        for _ in range(times):
            self.at(self.random.uniform(0.02, 0.98), self.swap)

    # Workers.

    async def start(self, name: str) -> None:
        """Start a worker."""
        command = [sys.executable, "-m", "tests.kit.fault_worker", self.bootstrap, self.model, str(self.registry), name]
        self.workers[name] = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=asyncio.subprocess.PIPE)

    async def kill(self, name: str) -> None:
        """End a worker as a failing machine would."""
        await self._end(name, signal.SIGKILL)

    async def leave(self, name: str) -> None:
        """End a worker as an operator would, once it runs; it has nothing to complain about."""
        stdout = self.workers[name].stdout
        assert stdout is not None
        assert await stdout.readline() == b"runs\n"
        assert await self._end(name, signal.SIGTERM) == 0, f"{name} didn't stop as it should"

    async def restart(self, name: str) -> None:
        """Kill a worker and start it again, as its supervisor would."""
        await self.kill(name)
        await self.start(name)

    def halt(self, name: str) -> None:
        """Let a worker stand still, as a machine without memory would."""
        self.workers[name].send_signal(signal.SIGSTOP)

    def wake(self, name: str) -> None:
        """Let it go on where it stood."""
        self.workers[name].send_signal(signal.SIGCONT)

    async def until_shared(self, *names: str) -> None:
        """Wait, under load, until exactly these workers answer."""
        reports = self.watcher.reports
        await self._seen(lambda: {report.epoch for report in reports.values()} == set(names))

    async def until_ready(self, digest: str) -> None:
        """Wait, under load, until every partition has a bundle loaded."""
        reports = self.watcher.reports
        await self._seen(lambda: len(reports) == PARTITIONS and all(digest in report.ready for report in reports.values()))

    async def until_two_share(self) -> None:
        """Wait, under load, until two workers answer, whichever they are."""
        reports = self.watcher.reports
        await self._seen(lambda: len({report.epoch for report in reports.values()}) == PARTITIONS)

    async def _end(self, name: str, how: signal.Signals) -> int:
        process = self.workers.pop(name)
        process.send_signal(how)
        return await process.wait()

    # What must hold, from the topics alone.

    async def check(self) -> None:
        """Check everything that was written, read committed, as anybody could."""
        await self._until_joined()
        records = await self._read("predictions")
        predictions = [msgspec.json.decode(value, type=Prediction) for kind, value in records if kind == "row"]
        markers = [msgspec.json.decode(value, type=GenerationMarker) for kind, value in records if kind == "marker"]
        quarantined = [one for one in await self._quarantined() if one.topic == f"{self.model}.requests"]
        answers = Counter((one.partition, one.offset) for one in [*predictions, *quarantined])
        wanted = {(number, offset) for number in range(PARTITIONS) for offset in range(self._count(number))}
        assert answers.keys() == wanted, f"not answered: {sorted(wanted - answers.keys())[:5]}"
        assert set(answers.values()) == {1}, f"answered twice: {[place for place, count in answers.items() if count > 1][:5]}"
        assert len(quarantined) == self.poison + self.extra.total()
        self._check_order(predictions)
        self._check_generations(predictions, markers)
        self._check_canaries(predictions)
        await self._check_joined(predictions)

    def _count(self, number: int) -> int:
        return len(range(number, self.sent, PARTITIONS)) + self.extra[number]

    @staticmethod
    def _check_order(predictions: list[Prediction]) -> None:
        """What follows in a partition follows in its answers, so every key's order is kept; what lies between was rejected."""
        for number in range(PARTITIONS):
            own = [one for one in predictions if one.partition == number]
            offsets = [-1, *(one.offset for one in own)]
            assert offsets == sorted(offsets)
            rejected = [offset - before - 1 for before, offset in pairwise(offsets)]
            assert [one.rejected_before for one in own] == rejected

    def _check_generations(self, predictions: list[Prediction], markers: list[GenerationMarker]) -> None:
        """Each row was answered by the generation that the markers say, and by a bundle of it."""
        for number in range(PARTITIONS):
            own = [marker for marker in markers if marker.partition == number]
            assert [marker.generation for marker in own] == sorted({marker.generation for marker in own})
            assert [marker.first_offset for marker in own] == sorted({marker.first_offset for marker in own})
            for one in (one for one in predictions if one.partition == number):
                generation = [marker.generation for marker in own if marker.first_offset <= one.offset][-1]
                assert one.generation == generation
                deployment = self.deployments[generation]
                digests = {"champion": deployment.champion} | ({"canary": deployment.canary.digest} if deployment.canary else {})
                assert one.digest == digests[one.route]

    def _check_canaries(self, predictions: list[Prediction]) -> None:
        """Where both have scored a row, its key alone says who answers; the shares are what the weights say."""
        keys: dict[int, list[bool]] = defaultdict(list)
        for one in predictions:
            canary = self.deployments[one.generation].canary
            others = {shadow.name for shadow in one.shadows}
            if canary is None or not others & {"champion", "canary"}:
                assert one.route == "champion"
                continue
            key = self._keys[one.partition, one.offset]
            assert (one.route == "canary") == takes(canary, key, one.id)
            keys[one.generation].append(one.route == "canary")
        self.canaried = {generation: (sum(taken), len(taken)) for generation, taken in keys.items()}

    async def _check_joined(self, predictions: list[Prediction]) -> None:
        """Each id was joined once, with one of the rows that bear it, and every repetition was counted."""
        outcomes = [msgspec.json.decode(value, type=Outcome) for _, value in await self._read("outcomes")]
        assert Counter(one.prediction.id for one in outcomes) == dict.fromkeys(self.ids, 1)
        # A repetition may reach the join before what it repeats when they are of different partitions.
        places = defaultdict(set)
        for one in predictions:
            places[one.id].add((one.partition, one.offset))
        assert all((one.prediction.partition, one.prediction.offset) in places[one.prediction.id] for one in outcomes)
        states = await self._states("joining")
        assert sum(state.details["counts"].get("duplicate", 0) for state in states) == self.repeats

    async def _until_joined(self) -> None:
        follower = Follower(self.bootstrap, [f"{self.model}.outcomes"])
        found = {record.key for record in await follower.start() if not record.headers}
        try:
            async with asyncio.timeout(30):
                while len(found) < len(self.ids):
                    found |= {record.key for record in await follower.poll(100) if not record.headers}
        finally:
            await follower.stop()

    async def _read(self, kind: str) -> list[tuple[str, bytes]]:
        """Return what isn't a watermark, as markers and rows."""
        records = await self._records(f"{self.model}.{kind}")
        told = [record for record in records if read_watermark(record.key, record.headers) is None]
        return [("marker" if record.headers else "row", record.value or b"") for record in told]

    async def _quarantined(self) -> list[Rejected]:
        own = [record for record in await self._records(topic_name("quarantine")) if record.key == self.model.encode()]
        return [msgspec.json.decode(record.value or b"", type=Rejected) for record in own]

    async def _states(self, stage: str) -> list[TaskState]:
        newest = {record.partition: record for record in await self._records(topic_name("state", self.model, stage))}
        return [msgspec.json.decode(record.value or b"", type=TaskState) for record in newest.values()]

    async def _records(self, topic: str) -> list[Any]:
        follower = Follower(self.bootstrap, [topic])
        try:
            return await follower.start()
        finally:
            await follower.stop()

    async def learn_keys(self) -> None:
        """Read which key each request has."""
        requests = await self._records(f"{self.model}.requests")
        self._keys = {(record.partition, record.offset): record.key for record in requests}


@asynccontextmanager
async def world_of(bootstrap: str, model: str, folder: Path, seed: int) -> AsyncIterator[World]:
    """A world with its topics; at the end everything is checked and every worker ended."""
    world = World(bootstrap, model, folder / "registry", seed)
    await make_topics(bootstrap, model)
    joins = {topic_name(kind, model): TABLE[kind] for kind in ("labels", "join_predictions", "join_labels")}
    states = {topic_name("state", model, "joining"): TABLE["state"]}
    await ensure_topics(bootstrap, joins | states, PARTITIONS)
    await ensure_topics(bootstrap, {topic_name("state", model, "rekey"): TABLE["state"]}, 2 * PARTITIONS)
    await world.publisher.start()
    await world.watcher.start()
    await world.deploy(world.bundles[0])
    try:
        yield world
        await world.learn_keys()
        await world.check()
    finally:
        for process in world.workers.values():
            for number in (signal.SIGCONT, signal.SIGKILL):
                with contextlib.suppress(ProcessLookupError):
                    process.send_signal(number)
            await process.wait()
        await world.watcher.stop()
        await world.publisher.stop()
