"""`driftwake deploy`, `rollback`, `approve`, `freeze`: orders to a running daemon.

An order takes effect once, when the daemon comes to it, and only if it is allowed; the answer stands in the audit.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from daemon.api.commands import Asked
from daemon.commands.errors import BadInputError
from daemon.commands.looking import known_model, matching
from daemon.ledger.records import Incident
from daemon.settings import DaemonSettings
from streams.contracts.errors import TransportError
from streams.inference.store import BundleStore
from streams.transport.broker_config import last_address


def challenge(settings: DaemonSettings | None, model: str, bundle: str, shadow: str | None, force: str | None = None) -> Asked:
    """Publish a bundle to the registry, and order that it be judged, run beside the champion, or served at once.

    Args:
        settings: says where the registry is; None where the daemon runs elsewhere.
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
    digest = _published(settings, model, bundle)
    if shadow is not None:
        return Asked(kind="shadow", model=model, arguments={"digest": digest, "name": shadow})
    return Asked(kind="challenge", model=model, arguments={"digest": digest} | ({} if force is None else {"force": force}))


def canary(settings: DaemonSettings | None, model: str, bundle: str | None, weight: float | None) -> Asked:
    """Publish a bundle to the registry, and order that it answer a share of the requests; without a bundle, that none does.

    Args:
        settings: says where the registry is; None where the daemon runs elsewhere.
        model: the model's name.
        bundle: a bundle's folder, or the digest of one in the registry; None ends the canary there is.
        weight: the share.

    Raises:
        BadInputError: the config has no such model, or bundle and weight don't go together.
        BundleRefused: the bundle isn't whole, or is another model's.
    """
    if bundle is None and weight is None:
        return Asked(kind="canary", model=model)
    if bundle is None or weight is None or not 0 < weight <= 1:
        raise BadInputError("a canary is a bundle with a --weight above 0 and at most 1; give neither to end the one there is")
    return Asked(kind="canary", model=model, arguments={"digest": _published(settings, model, bundle), "weight": weight})


def speak(waiting: Sequence[Incident], plan: str, *, refuse: bool) -> Asked:
    """Order that a plan be approved or refused.

    Args:
        waiting: incidents under way, some of whose plans wait.
        plan: its digest, or the incident's id, or a part of either.
        refuse: whether it is refused.

    Raises:
        BadInputError: no plan that waits for approval is meant, or several are.
    """
    model, digest = _waiting_plan(waiting, plan)
    return Asked(kind="refuse" if refuse else "approve", model=model, arguments={"plan_digest": digest})


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


def _published(settings: DaemonSettings | None, model: str, bundle: str) -> str:
    """Return the digest of a folder's bundle, which is brought to the registry, or of one that is there.

    A registry elsewhere can't be looked into: its daemon says whether it has the bundle.
    """
    folder = Path(bundle)
    if settings is None:
        if folder.is_dir():
            raise BadInputError("a folder can't be handed in over --url: bring it to the daemon's registry, and name its digest")
        return bundle
    store = BundleStore(settings.folder("registry"))
    name = known_model(settings, model)
    return store.publish(name, folder) if folder.is_dir() else store.verify(name, bundle).digest


def _waiting_plan(known: Sequence[Incident], name: str) -> tuple[str, str]:
    waiting = [one for one in known if one.state == "awaiting_approval" and one.plan_digest]
    found = [one for one in waiting if name and str(one.plan_digest).startswith(name)]
    if not found:
        found = [one for one in waiting if one.id == matching(known, name).id]
    if len(found) != 1:
        digests = ", ".join(f"{str(one.plan_digest)[:12]} ({one.id})" for one in waiting) or "none"
        raise BadInputError(f"{name!r} names {len(found)} plans that wait for approval; waiting are: {digests}")
    return found[0].model, str(found[0].plan_digest)
