"""The deployment that a daemon begins with: the newest that its ledger knows, or the first, of the config's bundle."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec

from daemon.deploying.world import World
from daemon.ledger.ledger import Ledger
from streams.contracts.records import CHAMPION, Deployment, Slot
from streams.inference.store import BundleStore


async def deploy_again(world: World, ledger: Ledger, model: str) -> bool:
    """Write the newest deployment of the ledger again when its topic has lost it; false when the topic has it, or there is none.

    The topic can have been made anew, or hold what isn't signed with this daemon's key.
    """
    known = [msgspec.convert(step.payload, Deployment) for step in ledger.deployments(model, "done") if step.payload]
    newest = max(known, key=lambda deployment: deployment.generation, default=None)
    current = await world.deployment()
    if newest is None or (current is not None and current.generation >= newest.generation):
        return False
    await world.publish(newest)
    return True


async def deploy_first(world: World, store: BundleStore, model: str, bundle: str | None) -> bool:
    """Deploy the configured bundle as generation 1; false when something is deployed already, or no bundle is named.

    Args:
        world: the model's data plane.
        store: the bundles.
        model: the model's name.
        bundle: a digest in the store, or a folder whose bundle is published there first.

    Raises:
        BundleRefused: the bundle can't be trusted, or is another model's.
    """
    if bundle is None or await world.deployment() is not None:
        return False
    digest = await asyncio.to_thread(published, store, model, bundle)
    slot = Slot(name=CHAMPION, digest=digest)
    await world.publish(Deployment(model=model, generation=1, active=(slot,), effective_ms=0, reason="the first champion"))
    return True


def published(store: BundleStore, model: str, bundle: str) -> str:
    """Return the digest of a configured bundle, in the store and verified; a folder is published first.

    Raises:
        BundleRefused: it can't be trusted, or is another model's.
    """
    digest = store.publish(model, Path(bundle)) if Path(bundle).is_dir() else bundle
    store.verify(model, digest)
    return digest
