"""Another server's requests and answers on a real broker become answered requests, each once, whoever is killed."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable

import msgspec
import numpy as np
import pytest

from streams.contracts.records import Rejected
from streams.dialects import native
from streams.transport.broker import EmbeddedBroker
from streams.transport.records import Output
from tests.kit.observer import PARTITIONS, RESPONSE_PARTITIONS, observed_model, stage_of
from tests.kit.topics import make_topics, publish, read_all, read_until

START = 1_700_000_000_000


def halves_of(model: str, numbers: list[int]) -> list[Output]:
    """Requests and answers in any order, on partitions that have nothing to do with each other."""
    found = observed_model(model)
    outputs = []
    for number in numbers:
        asked = native.example(f"p{number}", START + number, {"size": float(number), "colour": None})
        answer = native.answer_example(f"p{number}", (number % 100) / 100)
        outputs += [
            Output(found.requests, number % PARTITIONS, b"the user's", asked.value),
            Output(str(found.responses), number % RESPONSE_PARTITIONS, None, answer.value),
        ]
    return [outputs[place] for place in np.random.default_rng(1).permutation(len(outputs))]


@pytest.mark.timeout(180)
async def test_kills_lose_and_double_nothing(broker: EmbeddedBroker, unique: Callable[[str], str]) -> None:
    bootstrap, name, total = broker.bootstrap, unique("observed"), 4_000
    model = observed_model(name)
    await make_topics(bootstrap, model.requests, model.answered, model.paired, model.pair_state, partitions=PARTITIONS)
    await make_topics(bootstrap, str(model.responses), partitions=RESPONSE_PARTITIONS)
    await make_topics(bootstrap, model.note_state, partitions=PARTITIONS + RESPONSE_PARTITIONS)
    await make_topics(bootstrap, "driftwake.quarantine")
    halves = halves_of(name, list(range(total)))
    junk = [Output(model.requests, 0, None, b"{"), Output(str(model.responses), 0, None, b'{"id":"p0","score":2}')]
    for part in range(4):
        worker = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.kit.observer", bootstrap, name, stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        assert worker.stdout is not None
        assert await worker.stdout.readline() == b"ready\n"
        await publish(bootstrap, halves[len(halves) // 4 * part : len(halves) // 4 * (part + 1)])
        await read_until(bootstrap, model.answered, 50 * (part + 1) ** 2)
        worker.kill()
        await worker.wait()
    await publish(bootstrap, junk)
    async with stage_of(bootstrap, name) as stage:
        records = await read_until(bootstrap, model.answered, total)
        await read_until(bootstrap, "driftwake.quarantine", 2)
        assert stage.counts == {"paired": total}
    found = [msgspec.json.decode(record.value or b"") for record in records]
    assert sorted(one["id"] for one in found) == sorted(f"p{number}" for number in range(total))
    for one in found:
        number = int(one["id"][1:])
        assert (one["partition"], one["score"], one["features"]["size"]) == (number % PARTITIONS, (number % 100) / 100, number)
    sent = {(record.partition, record.offset): record.value for record in await read_all(bootstrap, model.requests)}
    assert all(msgspec.json.decode(sent[one["partition"], one["offset"]] or b"")["id"] == one["id"] for one in found)
    refused = [
        msgspec.json.decode(record.value or b"", type=Rejected)
        for record in await read_all(bootstrap, "driftwake.quarantine")
        if record.key == name.encode()
    ]
    assert sorted(one.reason for one in refused) == ["bad_score", "not_json"]
