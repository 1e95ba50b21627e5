"""Daemons that share a ledger on PostgreSQL, as processes of their own; and what becomes of them when the server goes."""

from __future__ import annotations

import asyncio
import itertools
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
from sqlalchemy import create_engine
from sqlalchemy.exc import DBAPIError, OperationalError

from daemon.errors import LedgerError
from daemon.ledger import postgresql
from daemon.ledger.engine import url_of
from daemon.ledger.ledger import open_ledger
from tests.kit.incidents import START_MS, opened, through
from tests.kit.ledgers import migrate
from tests.kit.postgres import Cluster

ROOT = Path(__file__).parents[3]
EACH = 200


@pytest.fixture
def place(postgres: Cluster) -> str:
    return postgres.database()


@asynccontextmanager
async def writer(place: str, model: str, count: int = EACH) -> AsyncIterator[Process]:
    """A process that has opened the ledger for a model."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.kit.ledger_writer", place, model, str(count), cwd=ROOT, stdin=PIPE, stdout=PIPE
    )
    try:
        assert process.stdout is not None
        assert await process.stdout.readline() == b"open\n"
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def tell(process: Process) -> None:
    """Let a writer go on."""
    assert process.stdin is not None
    process.stdin.write(b"\n")
    await process.stdin.drain()


@pytest.fixture
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgresql, "CLAIM_WAIT", "200ms")
    monkeypatch.setattr(postgresql, "TURN_WAIT", "500ms")


async def test_two_daemons_write_one_chain(place: str) -> None:
    with open_ledger(place):
        pass
    async with AsyncExitStack() as stack:
        processes = [await stack.enter_async_context(writer(place, model)) for model in ("a", "b")]
        for process in processes:
            await tell(process)
        for process in processes:
            assert process.stdout is not None
            assert await process.stdout.readline() == b"done\n"
    with open_ledger(place, read_only=True) as ledger:
        found = ledger.examine()
        assert (found.fault, found.head.number) == (None, 2 * EACH)
        written = [record.model for record in ledger.trail()]
    assert (written.count("a"), written.count("b")) == (EACH, EACH)
    changes = sum(one != other for one, other in itertools.pairwise(written))
    assert changes > 10, "they didn't write at the same time, so nothing was tried"


@pytest.mark.usefixtures("_short_waits")
async def test_a_model_is_one_daemons_until_that_dies(place: str) -> None:
    with open_ledger(place):
        pass
    async with writer(place, "a") as process:
        for models in (["a"], ["b", "a"], None):
            with pytest.raises(LedgerError, match="another daemon"), open_ledger(place, models=models):
                pass
        with open_ledger(place, models=["b"]) as other:
            other.note("noted", "b", "s", 1)
        process.send_signal(signal.SIGKILL)
        await process.wait()
        with open_ledger(place, models=["a"]) as heir:
            heir.note("noted", "a", "s", 2)
            assert heir.verify() is None


@pytest.mark.usefixtures("_short_waits")
def test_who_lost_its_connection_writes_again_only_if_nobody_else_has_the_model(postgres: Cluster, place: str) -> None:
    name = url_of(place).database
    cut = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"  # noqa: S608 - our own name
    with open_ledger(place, models=["m"]) as first:
        first.note("noted", "m", "before", 1)
        postgres.execute(cut)
        first.note("noted", "m", "again", 2)
        postgres.execute(cut)
        with open_ledger(place, models=["m"]) as heir:
            heir.note("noted", "m", "heir", 3)
            with pytest.raises(OperationalError):
                first.note("noted", "m", "too late", 4)
            assert [record.subject for record in heir.trail()] == ["before", "again", "heir"]
        first.note("noted", "m", "its own again", 5)
        assert first.verify() is None


@pytest.mark.usefixtures("postgres")
def test_what_was_committed_outlives_a_crash_of_the_server() -> None:
    # A server of its own: after a crash it syncs every file of every database, which the others' make minutes of.
    with Cluster() as server, open_ledger(server.database()) as ledger:
        for number in range(20):
            ledger.note("noted", "m", "s", number)
        head = ledger.head()
        server.stop(signal.SIGQUIT)
        server.start()
        assert ledger.head() == head
        ledger.note("noted", "m", "s", 20)
        assert ledger.verify(head) is None


@pytest.mark.usefixtures("_short_waits")
def test_the_schema_isn_t_changed_under_another_daemon(place: str) -> None:
    engine = create_engine(url_of(place))
    migrate(engine, "0001")
    with engine.connect() as other:
        other.exec_driver_sql("SELECT pg_advisory_lock_shared(%s)", (postgresql._WHOLE,))
        with pytest.raises(LedgerError, match="another daemon"), open_ledger(place, models=["m"]):
            pass
    engine.dispose()
    with open_ledger(place, models=["m"]) as ledger:
        assert ledger.head().number == 0


@pytest.mark.parametrize("setting", ["synchronous_commit"])
def test_a_server_that_may_forget_is_refused(postgres: Cluster, place: str, setting: str) -> None:
    postgres.execute(f"ALTER DATABASE {url_of(place).database} SET {setting} = off")
    with pytest.raises(LedgerError, match=f"set {setting} to on"), open_ledger(place):
        pass


def test_roles_are_enough_as_the_readme_makes_them(postgres: Cluster) -> None:
    postgres.execute("CREATE ROLE keeper LOGIN", "CREATE DATABASE kept OWNER keeper", "CREATE ROLE auditor LOGIN")
    with open_ledger(postgres.url("kept", "keeper"), models=["parcels"]) as ledger:
        through(ledger, opened(ledger, "e1", START_MS), until="closed")
        head = ledger.head()
    with pytest.raises(LedgerError, match="permission denied"), open_ledger(postgres.url("kept", "auditor"), read_only=True):
        pass
    postgres.execute("GRANT SELECT ON ALL TABLES IN SCHEMA public TO auditor", database="kept")
    with open_ledger(postgres.url("kept", "auditor"), read_only=True) as ledger:
        assert ledger.verify(head) is None
        assert [incident.state for incident in ledger.incidents()] == ["closed"]
    with open_ledger(postgres.url("kept", "auditor")) as ledger, pytest.raises(DBAPIError, match="permission denied"):
        ledger.note("noted", "parcels", "s", 1)
