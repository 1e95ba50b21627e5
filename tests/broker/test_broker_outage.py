"""While the broker is away, readers can be let go, and those that stay read on when it is back."""

from __future__ import annotations

from pathlib import Path

from streams.transport.broker import EmbeddedBroker
from streams.transport.follower import Follower
from streams.transport.records import Output
from tests.kit.topics import make_topics, publish


async def test_a_reader_can_be_let_go_while_no_broker_answers(tmp_path: Path) -> None:
    async with EmbeddedBroker(tmp_path) as broker:
        await make_topics(broker.bootstrap, "kept")
        stays, *others = (Follower(broker.bootstrap, ["kept"]) for _ in range(4))
        for follower in (stays, *others):
            await follower.start()
        await broker.stop()
        assert await stays.poll(200) == []
        for follower in others:
            await follower.stop()
        await broker.start()
        await publish(broker.bootstrap, [Output("kept", 0, b"key", b"value")])
        found = []
        while not found:
            found = await stays.poll(1_000)
        assert [record.value for record in found] == [b"value"]
        await stays.stop()
