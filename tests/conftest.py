"""Fixtures that all tests share."""

from __future__ import annotations

import gc
import importlib.util
from collections.abc import AsyncIterator, Callable, Iterator
from itertools import count

import pytest
import pytest_asyncio

from streams.detectors._alibi import WORKER
from streams.transport import protocol
from streams.transport.broker import EmbeddedBroker
from tests.kit import postgres as servers

_numbers = count(1)


def pytest_addoption(parser: pytest.Parser) -> None:
    """The seeds that the fault suite is run with."""
    parser.addoption("--fault-seeds", default="0-0", help="first and last seed of the fault suite, for instance 5-9")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Draw the cases of the fault suite once for each seed."""
    if "fault_seed" in metafunc.fixturenames:
        first, _, last = metafunc.config.getoption("--fault-seeds").partition("-")
        metafunc.parametrize("fault_seed", range(int(first), int(last or first) + 1))


def pytest_collection_finish() -> None:
    """Leave what was imported out of the collections after each test."""
    gc.collect()
    gc.freeze()


def pytest_sessionfinish() -> None:
    """Let everything be collected at the end; libraries in C say otherwise what they hold."""
    gc.unfreeze()


@pytest_asyncio.fixture(scope="session")
async def broker(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[EmbeddedBroker]:
    """A real broker for the whole session; its `bootstrap` is what tests need."""
    async with EmbeddedBroker(tmp_path_factory.mktemp("broker"), brief=True) as running:
        yield running


@pytest.fixture(scope="session")
def alibi_worker() -> Iterator[None]:
    """alibi-detect's process, which lives as long as somebody may ask: it takes 9 s to start."""
    WORKER.join()
    yield
    WORKER.leave()


@pytest.fixture(scope="session")
def postgres() -> Iterator[servers.Cluster]:
    """A real PostgreSQL for the whole session; its `database()` makes an empty one."""
    if servers.binaries() is None:
        pytest.skip(servers.MISSING)
    if importlib.util.find_spec("psycopg") is None:
        pytest.skip("psycopg isn't installed: it comes with the extra `postgresql`, which is in requirements.lock")
    with servers.Cluster() as running:
        yield running


@pytest.fixture
def unique() -> Callable[[str], str]:
    """Names that no other test of the session has, for topics, models and transactional ids."""
    return lambda name: f"t{next(_numbers)}.{name}"


@pytest.fixture(params=["new", "old"])
def transactions(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Transactions as they are since Kafka 4.0, and as they were before; the broker has both."""

    async def has_none(*_: object) -> bool:
        return False

    if request.param == "old":
        monkeypatch.setattr(protocol, "has_new_transactions", has_none)
    return str(request.param)
