"""A joining stage as a process of its own, to be killed by tests.

Usage: `python -m tests.kit.joiner BOOTSTRAP MODEL PARTITIONS LABEL_PARTITIONS`; prints `ready` and works until its standard
input ends.
"""

from __future__ import annotations

import asyncio
import sys

from streams.contracts.topics import topic_name
from streams.joining.config import JoinedModel
from streams.joining.stage import JoiningStage
from streams.runtime.clock import SystemClock
from streams.runtime.parent import wait_until_orphaned
from streams.runtime.telemetry import Telemetry


def joined_model(model: str, partitions: int, label_partitions: int, *, replay: bool = True) -> JoinedModel:
    """A model whose topics have their usual names."""
    names = {kind: topic_name(kind, model) for kind in ("predictions", "labels", "join_predictions", "join_labels", "outcomes")}
    return JoinedModel(
        name=model,
        task="binary",
        rekey_state=topic_name("state", model, "rekey"),
        match_state=topic_name("state", model, "joining"),
        partitions=partitions,
        label_partitions=label_partitions,
        horizon_ms=30 * 86_400_000,
        replay=replay,
        **names,
    )


def stage_of(bootstrap: str, model: JoinedModel) -> JoiningStage:
    """Make the stage."""
    return JoiningStage(model, bootstrap=bootstrap, clock=SystemClock(), telemetry=Telemetry([model.name]))


async def main(bootstrap: str, model: str, partitions: str, label_partitions: str) -> None:
    """Work until the parent is gone."""
    stage = stage_of(bootstrap, joined_model(model, int(partitions), int(label_partitions)))
    async with stage:
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        await wait_until_orphaned()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
