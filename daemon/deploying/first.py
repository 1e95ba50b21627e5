"""The first deployment of a model: the bundle that the config names, when nothing was ever deployed."""

from __future__ import annotations

import asyncio
from pathlib import Path

from daemon.deploying.world import World
from streams.contracts.records import CHAMPION, Deployment, Slot
from streams.inference.store import BundleStore


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
