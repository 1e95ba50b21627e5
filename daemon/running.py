"""One machine's driftwake: the broker if none is named, the data plane and the control plane, as processes under this one."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import NamedTuple

from daemon.access.tokens import tokens_of
from daemon.deploying.first import published
from daemon.errors import DaemonError
from daemon.processes import ManagedProcess
from daemon.settings import DaemonSettings
from daemon.topics import make_topics
from streams.contracts.errors import BundleRefused, ConfigError
from streams.inference.store import BundleStore
from streams.runtime.clock import SystemClock
from streams.runtime.logging import logging_to
from streams.runtime.signing import key_in
from streams.transport.broker import EmbeddedBroker

DATA_PLANE = "streams.app"
CONTROL_PLANE = "daemon.app"


class Running(NamedTuple):
    """What runs: the broker's address, and the processes by name."""

    bootstrap: str
    processes: dict[str, ManagedProcess]


def run_up(settings: DaemonSettings, config: Path) -> int:
    """Run everything until a signal; return the exit status.

    Raises:
        ConfigError: a first champion can't be trusted, or it isn't clear who may give orders; nothing was started.
        BrokerError: the embedded broker can't be started.
        TransportError: the topics can't be what the config says.
        ProcessFailedError: a process died too often.
    """
    check_bundles(settings)
    check_access(settings)
    with logging_to(settings.folder("logs"), "up", level=settings.log.level):
        asyncio.run(_up(settings, config))
    return 0


def check_bundles(settings: DaemonSettings) -> None:
    """Verify the first champions that the config names, before anything runs.

    Raises:
        ConfigError: with a finding for each bundle that is refused.
    """
    store, findings = BundleStore(settings.folder("registry").resolve()), []
    for place, model in enumerate(settings.models):
        try:
            if model.bundle is not None:
                published(store, model.name, model.bundle)
        except BundleRefused as error:
            findings.append(f"models[{place}].bundle: {error}; name the folder of a bundle, or the digest of one in the registry")
    if findings:
        raise ConfigError(findings)


def check_access(settings: DaemonSettings) -> None:
    """Read who may look on and give orders, before anything runs; the machine's own token is made where nobody is named.

    Raises:
        ConfigError: with the finding.
    """
    tokens_of(settings.access, settings.folder("keys"), SystemClock())


async def _up(settings: DaemonSettings, config: Path) -> None:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopping.set)
    async with broker_of(settings) as bootstrap:
        try:
            async with processes_of(settings, config, bootstrap):
                await stopping.wait()
        except* DaemonError as errors:
            raise errors.exceptions[0] from None


@asynccontextmanager
async def broker_of(settings: DaemonSettings) -> AsyncIterator[str]:
    """Give the bootstrap servers of the config, or of an embedded broker that runs as long as the block.

    Raises:
        BrokerError: the embedded broker can't be started.
        TransportError: the topics can't be what the config says.
    """
    async with AsyncExitStack() as stack:
        bootstrap = settings.broker.bootstrap
        if bootstrap is None:
            broker = EmbeddedBroker(settings.folder("broker"), settings.broker.port or None, brief=settings.is_replay)
            bootstrap = (await stack.enter_async_context(broker)).bootstrap
        await make_topics(settings, bootstrap)
        yield bootstrap


@asynccontextmanager
async def processes_of(settings: DaemonSettings, config: Path, bootstrap: str) -> AsyncIterator[Running]:
    """Run the data plane and the control plane as long as the block; each is started again when it dies.

    Raises:
        ProcessFailedError: one died too often (inside an exception group).
    """
    key_in(settings.folder("keys"))  # both planes need it, whichever starts first
    settings.make_hash_key()
    arguments = ["--config", str(config), "--bootstrap", bootstrap, "--with-parent"]
    logs = settings.folder("logs")
    running = Running(
        bootstrap,
        {
            **{process.name: process for process in _workers(settings, arguments)},
            "daemon": ManagedProcess("daemon", CONTROL_PLANE, arguments, logs / "daemon.out"),
        },
    )
    async with asyncio.TaskGroup() as group:
        for process in running.processes.values():
            group.create_task(process.run())
        try:
            yield running
        finally:
            # The control plane goes first: the data plane can do without it, not the other way round.
            for process in reversed(running.processes.values()):
                await process.stop()


def _workers(settings: DaemonSettings, arguments: list[str]) -> Iterator[ManagedProcess]:
    """Make the processes of the data plane; the first is called `streams`, the others `streams-2` and so on."""
    for number in range(1, settings.workers + 1):
        name = "streams" if number == 1 else f"streams-{number}"
        yield ManagedProcess(name, DATA_PLANE, [*arguments, "--number", str(number)], settings.folder("logs") / f"{name}.out")
