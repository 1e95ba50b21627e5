"""A model file with a hole in it, published by a tool that hashes what it is given: every digest fits, the graph doesn't load."""

from __future__ import annotations

from streams.contracts.bundle import Manifest
from streams.inference.store import Bundle
from tests.bench.closed_loop.faults.altering import good_bundle, published
from tests.bench.closed_loop.faults.base import Ground

KIND = "corrupt_onnx"
HOLE_BYTES = 4_096


async def make(ground: Ground, time_ms: int) -> str:
    """Publish the bundle and return its digest."""
    return published(ground.registry, await good_bundle(ground, KIND, time_ms), with_a_hole)


def with_a_hole(bundle: Bundle) -> tuple[Manifest, bytes]:
    """Write zeros over the middle of the model file, as a lost block of a disk reads."""
    size = min(HOLE_BYTES, len(bundle.model) // 2)
    begin = (len(bundle.model) - size) // 2
    return bundle.manifest, bundle.model[:begin] + bytes(size) + bundle.model[begin + size :]
