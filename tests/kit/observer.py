"""An observing stage on a real broker, also as a child process: `python -m tests.kit.observer BOOTSTRAP MODEL`."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from streams.contracts.schema import Column, ModelSchema
from streams.observing.config import ObservedModel, ObservingConfig
from streams.observing.stage import ObservingStage
from streams.runtime.telemetry import Telemetry

PARTITIONS, RESPONSE_PARTITIONS = 2, 3
SCHEMA = ModelSchema(columns=(Column(name="size", kind="number"), Column(name="colour", kind="category")))


def observed_model(name: str) -> ObservedModel:
    """Describe a model whose answers have a topic of their own."""
    return ObservedModel(
        name=name,
        schema=SCHEMA,
        requests=f"{name}.requests",
        responses=f"{name}.responses",
        answered=f"{name}.answered",
        paired=f"{name}.paired",
        note_state=f"{name}.noting",
        pair_state=f"{name}.pairing",
        partitions=PARTITIONS,
        response_partitions=RESPONSE_PARTITIONS,
        dialect="native",
        dialect_options={},
        answer_dialect="native",
        answer_options={},
    )


@asynccontextmanager
async def stage_of(bootstrap: str, name: str) -> AsyncIterator[ObservingStage]:
    """Run a stage."""
    stage = ObservingStage(
        observed_model(name),
        bootstrap=bootstrap,
        telemetry=Telemetry([name]),
        config=ObservingConfig(responses=f"{name}.responses"),
    )
    await stage.start()
    try:
        yield stage
    finally:
        await stage.stop()


async def observe_until_killed(bootstrap: str, name: str) -> None:
    """Observe."""
    async with stage_of(bootstrap, name):
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(observe_until_killed(sys.argv[1], sys.argv[2]))
