"""The broker is stopped and started again on the same port and data, while the replay goes on."""

from __future__ import annotations

from tests.bench.closed_loop.faults.base import Ground

KIND = "broker_restart"


async def happen(ground: Ground) -> None:
    """Restart it, and return when it answers again. Everybody else isn't told.

    Raises:
        BrokerError: it doesn't come back.
    """
    await ground.broker.stop()
    await ground.broker.start()
