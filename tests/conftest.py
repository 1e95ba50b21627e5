"""Fixtures that all tests share."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from itertools import count

import pytest
import pytest_asyncio

from streams.transport.broker import EmbeddedBroker

_numbers = count(1)


@pytest_asyncio.fixture(scope="session")
async def broker(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[EmbeddedBroker]:
    """A real broker for the whole session; its `bootstrap` is what tests need."""
    async with EmbeddedBroker(tmp_path_factory.mktemp("broker"), brief=True) as running:
        yield running


@pytest.fixture
def unique() -> Callable[[str], str]:
    """Names that no other test of the session has, for topics, models and transactional ids."""
    return lambda name: f"t{next(_numbers)}.{name}"
