import gc
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
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


@pytest.fixture(autouse=True)
def _nothing_left_open() -> Iterator[None]:
    """Let a test that leaves a connection open fail itself, not whichever runs when that is collected."""
    yield
    gc.collect()
