"""Bundles as a careless person's tools would write them: trained with the skills, then altered, and consistent in themselves."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from streams.contracts.bundle import REFERENCE_FILE, Manifest
from streams.inference.store import Bundle, BundleStore, write_bundle
from tests.bench.closed_loop.faults.base import Ground
from tests.bench.closed_loop.policies.base import TRAILING_MS
from tests.bench.closed_loop.setting import MODEL

Alter = Callable[[Bundle], tuple[Manifest, bytes]]


async def good_bundle(ground: Ground, name: str, time_ms: int) -> str:
    """Train what anybody would at this moment: on the newest 35 days whose labels are known. Return its digest."""
    until_ms = await ground.archived(time_ms)
    data = await ground.by_hand.dataset(name, until_ms, TRAILING_MS + ground.label_delay_ms, 1, ground.windows)
    return await ground.by_hand.train(name, str(data["train"]), ground.windows)


def published(registry: Path, digest: str, alter: Alter) -> str:
    """Publish an altered copy of a bundle, its digests made anew over the alteration, and return its digest."""
    store = BundleStore(registry)
    bundle = store.read(MODEL, digest)
    reference = (store.path(MODEL, digest) / REFERENCE_FILE).read_bytes()
    with TemporaryDirectory() as folder:
        write_bundle(Path(folder), *alter(bundle), reference, bundle.profile)
        return store.publish(MODEL, Path(folder))
