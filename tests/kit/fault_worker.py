"""A worker that faults happen to: it serves and joins a model of the tests' schema until it is killed, or stopped by SIGTERM.

`python -m tests.kit.fault_worker BOOTSTRAP MODEL REGISTRY NAME`
"""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from pathlib import Path

import structlog

from streams.joining.stage import JoiningStage
from streams.runtime.clock import SystemClock
from streams.runtime.telemetry import Telemetry
from streams.transport.membership import Worker
from tests.kit.joiner import joined_model
from tests.kit.serving import PARTITIONS, stage_of

# The shortest that Kafka allows: a fault suite waits for it often.
SESSION_MS = 6_000


async def work(bootstrap: str, model: str, registry: Path, name: str) -> None:
    """Work until told to stop; end at once, with an error, when a stage crashes."""
    worker = Worker(name, SESSION_MS)
    serving = stage_of(bootstrap, model, registry, replay=False, worker=worker, max_records=50)
    joining = JoiningStage(
        joined_model(model, PARTITIONS, PARTITIONS, replay=False),
        bootstrap=bootstrap,
        clock=SystemClock(),
        telemetry=Telemetry([model]),
        worker=worker,
    )
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    for stage in (serving, joining):
        await stage.start()
    sys.stdout.write("runs\n")
    sys.stdout.flush()
    await serving.wait_first(stopping.wait(), serving._crashed.wait(), joining._crashed.wait())
    for stage in (serving, joining):
        if stage.crashed:
            raise RuntimeError(f"{type(stage).__name__} crashed") from stage.crash_reason
        await stage.stop()


if __name__ == "__main__":
    # Nobody reads standard output beyond its first line.
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    asyncio.run(work(sys.argv[1], sys.argv[2], Path(sys.argv[3]), sys.argv[4]))
