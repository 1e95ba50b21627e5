"""`driftwake deploy`, `rollback`, `approve`, `freeze`: orders to the daemon, sent as commands on their topic.

An order takes effect when the daemon reads it, once, and only if it is allowed; the answer stands in the audit.
"""

from __future__ import annotations

import asyncio
import os
import pwd
import secrets
from pathlib import Path
from typing import Any, Literal

import msgspec

from daemon.commands.errors import BadInputError
from daemon.commands.looking import find_incident, known_model, reading
from daemon.ledger.ids import time_part
from daemon.ledger.ledger import Ledger
from daemon.settings import DaemonSettings
from streams.contracts.errors import TransportError
from streams.contracts.records import Command
from streams.contracts.topics import topic_name
from streams.inference.store import BundleStore
from streams.runtime.clock import SystemClock, WallClock
from streams.transport.broker_config import last_address
from streams.transport.publisher import Publisher
from streams.transport.records import Output

Kind = Literal[
    "challenge", "shadow", "canary", "rollback", "freeze", "unfreeze", "approve", "refuse", "propose_goal", "approve_goal",
    "retire_goal",
]  # fmt: skip


def order(kind: Kind, model: str, arguments: dict[str, Any], wall: WallClock | None = None) -> Command:
    """Make a command in the name of the person who runs this process."""
    wall_ms = int((wall or SystemClock()).now().timestamp() * 1_000)
    by = pwd.getpwuid(os.getuid()).pw_name
    return Command(id=f"cmd-{time_part(wall_ms)}-{secrets.token_hex(4)}", kind=kind, model=model, by=by, arguments=arguments)


def challenge(settings: DaemonSettings, model: str, bundle: str, shadow: str | None, force: str | None = None) -> Command:
    """Publish a bundle to the registry, and order that it be judged, run beside the champion, or served at once.

    Args:
        settings: says where the registry is.
        model: the model's name.
        bundle: a bundle's folder, or the digest of one in the registry.
        shadow: the name of the shadow that it shall be; None has it judged.
        force: why it shall serve without being judged; None has it judged.

    Raises:
        BadInputError: the config has no such model, or a bundle is to be a shadow and to serve.
        BundleRefused: the bundle isn't whole, or is another model's.
    """
    if shadow is not None and force is not None:
        raise BadInputError("a bundle can be a shadow or be forced to serve; give one of --shadow and --force")
    name = known_model(settings, model)
    digest = _published(settings, name, bundle)
    if shadow is not None:
        return order("shadow", name, {"digest": digest, "name": shadow})
    return order("challenge", name, {"digest": digest} | ({} if force is None else {"force": force}))


def canary(settings: DaemonSettings, model: str, bundle: str | None, weight: float | None) -> Command:
    """Publish a bundle to the registry, and order that it answer a share of the requests; without a bundle, that none does.

    Args:
        settings: says where the registry is.
        model: the model's name.
        bundle: a bundle's folder, or the digest of one in the registry; None ends the canary there is.
        weight: the share.

    Raises:
        BadInputError: the config has no such model, or bundle and weight don't go together.
        BundleRefused: the bundle isn't whole, or is another model's.
    """
    name = known_model(settings, model)
    if bundle is None and weight is None:
        return order("canary", name, {})
    if bundle is None or weight is None or not 0 < weight <= 1:
        raise BadInputError("a canary is a bundle with a --weight above 0 and at most 1; give neither to end the one there is")
    return order("canary", name, {"digest": _published(settings, name, bundle), "weight": weight})


def speak(settings: DaemonSettings, plan: str, *, refuse: bool) -> Command:
    """Order that a plan be approved or refused; `plan` is its digest, or the incident's id, or a part of either.

    Raises:
        BadInputError: no plan that waits for approval is meant, or several are.
        LedgerError: the ledger can't be read.
    """
    with reading(settings) as ledger:
        model, digest = _waiting_plan(ledger, plan)
    return order("refuse" if refuse else "approve", model, {"plan_digest": digest})


def send(settings: DaemonSettings, command: Command) -> None:
    """Write a command to its topic; on return the broker has it.

    Raises:
        TransportError: no broker answers.
    """
    output = Output(topic_name("commands"), None, command.model.encode(), msgspec.json.encode(command))
    asyncio.run(_publish(broker_address(settings), output))


def broker_address(settings: DaemonSettings) -> str:
    """Find the broker: the configured one, or the embedded one that runs with this data folder.

    Raises:
        TransportError: none is configured and none runs.
    """
    if settings.broker.bootstrap is not None:
        return settings.broker.bootstrap
    address = last_address(settings.folder("broker"))
    if address.endswith(":0"):
        raise TransportError(f"no broker has run with {settings.data_dir}: start `driftwake up` first, or set broker.bootstrap")
    return address


def _published(settings: DaemonSettings, model: str, bundle: str) -> str:
    """Return the digest of a folder's bundle, which is brought to the registry, or of one that is there."""
    store, folder = BundleStore(settings.folder("registry")), Path(bundle)
    return store.publish(model, folder) if folder.is_dir() else store.verify(model, bundle).digest


async def _publish(bootstrap: str, output: Output) -> None:
    publisher = Publisher(bootstrap, "driftwake.command")
    try:
        await publisher.send(output)
    finally:
        await publisher.stop()


def _waiting_plan(ledger: Ledger, name: str) -> tuple[str, str]:
    waiting = [one for one in ledger.incidents(only_open=True) if one.state == "awaiting_approval" and one.plan_digest]
    found = [one for one in waiting if name and str(one.plan_digest).startswith(name)]
    if not found:
        found = [one for one in waiting if one.id == find_incident(ledger, name).id]
    if len(found) != 1:
        digests = ", ".join(f"{str(one.plan_digest)[:12]} ({one.id})" for one in waiting) or "none"
        raise BadInputError(f"{name!r} names {len(found)} plans that wait for approval; waiting are: {digests}")
    return found[0].model, str(found[0].plan_digest)
