from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest_asyncio

from streams.transport.broker import EmbeddedBroker
from tests.kit.serving import Bench, make_topics


@pytest_asyncio.fixture
async def bench(broker: EmbeddedBroker, unique: Callable[[str], str], tmp_path: Path) -> AsyncIterator[Bench]:
    bench = Bench(broker.bootstrap, unique("toys"), tmp_path / "registry")
    await make_topics(broker.bootstrap, bench.model)
    await bench.publisher.start()
    await bench.watcher.start()
    yield bench
    await bench.watcher.stop()
    await bench.publisher.stop()
