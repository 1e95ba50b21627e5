"""The control plane's process: a Faust app whose agents fill the inbox, and one loop a model that acts on it.

`python -m daemon.app --config FILE --bootstrap HOST:PORT`. Events, commands and watermarks come through table-less agents;
what they do is idempotent by id, because Faust delivers at least once. Everything that must not be lost is in the ledger.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import signal
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import faust
import uvloop
from faust.worker import Worker
from mode import Service

from daemon.api.compose import api_of
from daemon.deploying.first import deploy_again, deploy_first
from daemon.deploying.stage import KafkaWorld
from daemon.deploying.swap import Deploying
from daemon.door import Door, Inbox
from daemon.executing.stage import Executing
from daemon.goals.in_force import InForce
from daemon.goals.keeping import Keeping
from daemon.judging.stage import Judging
from daemon.ledger.ledger import Ledger, open_ledger
from daemon.loop import Loop, Stages
from daemon.machine import read_machine
from daemon.metrics import DaemonMetrics
from daemon.orders import Orders
from daemon.places import Places
from daemon.planners.base import Office, Planner
from daemon.planning.arbiter import POLICY
from daemon.planning.asks import Asks, Room
from daemon.planning.stage import Planning
from daemon.registry.announce import Announcer, Webhook
from daemon.registry.follow import Follow
from daemon.registry.mlflow_door import MlflowRegistry
from daemon.replay.warm import WarmSkills
from daemon.settings import DaemonSettings, GovernedModelSettings
from daemon.standing import Standing
from daemon.triaging.stage import Triaging
from skills._kit.ranges import Lengths
from streams.contracts.topics import topic_name
from streams.inference.store import BundleStore
from streams.runtime.clock import EventClock, SystemClock
from streams.runtime.config import load
from streams.runtime.logging import Log, logging_to
from streams.runtime.parent import end_with_parent
from streams.runtime.plugins import kinds_of, load_kind
from streams.runtime.signing import Signer, key_in
from streams.runtime.telemetry import Telemetry, serving_metrics
from streams.transport.follower import Follower

PROCESS = "daemon"
_METRICS_SECONDS = 2.0
log = Log("daemon.app")


class LoopService(Service):
    """Runs one model's loop on every watermark, on every command in between, and when another planner has answered."""

    def __init__(
        self,
        loop: Loop,
        world: KafkaWorld,
        inbox: Inbox,
        model: GovernedModelSettings,
        *,
        ledger: Ledger,
        store: BundleStore,
        metrics: DaemonMetrics,
        asks: Asks | None = None,
    ) -> None:
        super().__init__()
        self._driven = loop
        self._world = world
        self._inbox = inbox
        self._model = model
        self._ledger = ledger
        self._store = store
        self._metrics = metrics
        self._asks = asks

    async def on_start(self) -> None:
        """Read what is deployed; where nothing is, deploy what the ledger knows, or the first champion of the config."""
        await self._world.start()
        await deploy_again(self._world, self._ledger, self._model.name)
        await deploy_first(self._world, self._store, self._model.name, self._model.bundle)

    async def on_shutdown(self) -> None:
        """Let go of the broker."""
        await self._world.stop()

    @Service.task
    async def run(self) -> None:
        """Act, then wait for news."""
        while not self.should_stop:
            await self.wait_first(self._inbox.news.wait(), self.wait_for_stopped())
            self._inbox.news.clear()
            if self._inbox.watermark_ms >= 0 and not self.should_stop:
                await self._driven.on_watermark(self._inbox.watermark_ms)

    @Service.task
    async def ask(self) -> None:
        """Hold the planners that are asked beside the loop, and let go of them at the end."""
        if self._asks is not None:
            await self._asks.run()

    @Service.timer(_METRICS_SECONDS)
    async def count(self) -> None:
        """Bring `/metrics` up to date."""
        self._metrics.refresh()


class ParentWatch(Service):
    """Ends the process, gently, when the one that started it is gone."""

    @Service.task
    async def watch(self) -> None:
        """Wait for the end of standard input."""
        await end_with_parent()


def asks_of(model: GovernedModelSettings, settings: DaemonSettings, room: Room, inbox: Inbox) -> Asks | None:
    """Return where a model's other planner is asked; None where there is none, and in a replay, which waits for it."""
    if model.replay or model.planning.planner == POLICY:
        return None
    return Asks(room, inbox.news.set, settings.planners.deadline.seconds)


def loop_of(
    model: GovernedModelSettings,
    settings: DaemonSettings,
    ledger: Ledger,
    world: KafkaWorld,
    *,
    owner: str,
    signer: Signer,
    asks: Asks | None,
) -> Loop:
    """Compose one model's control plane."""
    is_observed, schema = model.sidecar is not None, model.schema_contract()
    places = Places(
        model.name,
        settings.lake_place,
        settings.folder("registry").resolve(),
        model.archiving.flush_every.ms,
        schema.sources,
        model.watch(),
        schema,
    )
    skills = settings.executing_config()
    planning = Planning(
        ledger,
        places,
        model.planning_config(),
        frozenset(kinds_of("skills")),
        label_wait_ms=model.triaging.label_wait.ms,
        most_waits=model.triaging.most_waits,
        has_windows=not is_observed,
        policy=_planner(POLICY, model, ledger),
        planner=_planner(model.planning_config().planner, model, ledger),
        asks=asks,
        machine=lambda: read_machine(float(skills.memory_mb)),
        judging=model.judging.model_dump(mode="json"),
    )
    deploying = Deploying(
        model.name,
        ledger,
        world,
        model.deploying_config(),
        owner=owner,
        shadow_ms=model.judging.shadow.ms,
        probation_ms=model.judging.probation.ms,
    )
    executing = Executing(model.name, ledger, skills, owner, run=WarmSkills(skills).run if skills.warm else None)
    stages = Stages(
        triaging=Triaging(ledger, places, model.triaging, Lengths(model.planning.train.ms, model.planning.sealed.ms)),
        planning=planning,
        executing=executing,
        judging=Judging(places, model.judging, model.declared.task, goals=InForce(ledger, places)),
        deploying=deploying,
        orders=Orders(ledger, places, planning, deploying, goals=Keeping(ledger, model.vocabulary), is_observed=is_observed),
        registry=Follow(
            model.name,
            ledger,
            MlflowRegistry(settings.mlflow_url, settings.mlflow_artifacts),
            places.registry,
            is_observed=is_observed,
            announcer=_announcer(model, ledger, places.registry, signer),
        ),
        standing=Standing(ledger, places, model.judging, executing, deploying),
    )
    return Loop(places, ledger, world, stages, EventClock())


def _planner(kind: str, model: GovernedModelSettings, ledger: Ledger) -> Planner:
    """Make a planner; its settings are the model's section of its name, where there is one."""
    office = Office(model.name, ledger, model.schema_contract(), SystemClock())
    return cast("Planner", load_kind("daemon.planners", kind).build(model.planner_section(kind), office))


def _announcer(model: GovernedModelSettings, ledger: Ledger, bundles: Path, signer: Signer) -> Announcer | None:
    url = model.sidecar.webhook if model.sidecar is not None else None
    return None if url is None else Announcer(model.name, ledger, Webhook(url, signer), bundles)


async def catch_up(door: Door, bootstrap: str) -> None:
    """Take in all events and commands that are still there, once more; those that were known change nothing.

    Faust goes on behind a watermark as soon as it was noted, also when the daemon died before all was done that it called for.
    Who waits for that watermark to be reported, as a replay does, would wait for ever; and the next may be long in coming.

    Raises:
        TransportError: they can't be read.
    """
    follower = Follower(bootstrap, [topic_name("events"), topic_name("commands")])
    try:
        for record in await follower.start():
            if record.topic == topic_name("events"):
                door.take_event(record.key, record.value, list(record.headers))
            else:
                door.take_command(record.value)
    finally:
        await follower.stop()


@contextlib.contextmanager
def ending_on_failure(what: str) -> Iterator[None]:
    """End the process when something could not be taken in: Faust acknowledges it all the same, the next start reads it again."""
    try:
        yield
    except Exception:
        log.warning("RecordRefused", what=what, reason="it could not be stored; the process ends and reads it again")
        signal.raise_signal(signal.SIGTERM)
        raise


def build(services: list[Service], door: Door, bootstrap: str, loop: asyncio.AbstractEventLoop) -> faust.App:
    """Make the Faust app: two agents for the inbox, and the services."""
    app = faust.App(
        f"driftwake-{PROCESS}",
        broker=f"kafka://{bootstrap}",
        loop=loop,
        web_enabled=False,
        topic_disable_leader=True,
        topic_allow_declare=False,
        store="memory://",
        value_serializer="raw",
        key_serializer="raw",
        broker_session_timeout=10.0,
        broker_heartbeat_interval=3.0,
        consumer_group_instance_id=f"driftwake-{PROCESS}",
    )

    @app.agent(app.topic(topic_name("events"), value_serializer="raw", key_serializer="raw"))
    async def events(stream: Any) -> None:
        async for event in stream.events():
            with ending_on_failure("event"):
                door.take_event(event.message.key, event.message.value, list(event.message.headers or ()))

    @app.agent(app.topic(topic_name("commands"), value_serializer="raw", key_serializer="raw"))
    async def commands(stream: Any) -> None:
        async for event in stream.events():
            with ending_on_failure("command"):
                door.take_command(event.message.value)

    class Root(Service):
        """Holds the services, so that Faust starts and stops them in order."""

        def on_init_dependencies(self) -> list[Service]:
            """Return what runs."""
            return services

    app.service(Root)
    app.finalize()
    return app


def run(settings: DaemonSettings, bootstrap: str, *, with_parent: bool) -> None:
    """Run all models' loops until a signal, or until the parent is gone.

    Raises:
        SystemExit: always at the end; 1 when a loop crashed.
        TransportError: what came before can't be read.
    """
    loop = uvloop.new_event_loop()
    asyncio.set_event_loop(loop)
    owner, wall = uuid.uuid4().hex[:12], SystemClock()
    store = BundleStore(settings.folder("registry").resolve())
    names, seal = [model.name for model in settings.models], settings.audit_key()
    telemetry = Telemetry(names)
    with (
        open_ledger(settings.ledger_place, models=names, key=seal) as ledger,
        open_ledger(settings.ledger_place, read_only=True, key=seal) as reading,
        serving_metrics(telemetry, settings.metrics.host, settings.metrics.port and settings.metrics.port + 1) as port,
    ):
        log.info("MetricsServed", port=port)
        signer = key_in(settings.folder("keys"))
        worlds = {model.name: KafkaWorld(bootstrap, model.name, owner, wall, signer) for model in settings.models}
        inboxes, room = {name: Inbox() for name in names}, Room(settings.planners.at_once)
        asks = {model.name: asks_of(model, settings, room, inboxes[model.name]) for model in settings.models}
        loops = {
            model.name: loop_of(model, settings, ledger, worlds[model.name], owner=owner, signer=signer, asks=asks[model.name])
            for model in settings.models
        }
        services: list[Service] = [ParentWatch()] if with_parent else []
        metrics = DaemonMetrics(ledger, telemetry, names)
        services += [
            LoopService(
                loops[model.name],
                worlds[model.name],
                inboxes[model.name],
                model,
                ledger=ledger,
                store=store,
                metrics=metrics,
                asks=asks[model.name],
            )
            for model in settings.models
        ]
        door = Door(loops, inboxes, settings.topic_role, is_replay=settings.is_replay)
        if not settings.is_replay:
            services.append(api_of(settings, reading, door.order, bootstrap, wall))
        loop.run_until_complete(catch_up(door, bootstrap))
        app = build(services, door, bootstrap, loop)
        Worker(app, loop=loop, quiet=True, redirect_stdouts=False, override_logging=False).execute_from_commandline()


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(prog="python -m daemon.app", description="The control plane of driftwake")
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--bootstrap", required=True, help="host:port of the broker")
    parser.add_argument("--with-parent", action="store_true", help="stop when standard input ends")
    given = parser.parse_args()
    settings = load(DaemonSettings, given.config).settings
    with logging_to(settings.folder("logs"), PROCESS, level=settings.log.level), contextlib.suppress(KeyboardInterrupt):
        run(settings, given.bootstrap, with_parent=given.with_parent)


if __name__ == "__main__":
    main()
