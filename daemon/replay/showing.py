"""How far a replay has come, for whoever waits for it; and the folder that it may empty."""

from __future__ import annotations

import shutil
from pathlib import Path

from daemon.ledger.ledger import Ledger
from daemon.replay.seats import Seats
from daemon.report.terminal import LiveView
from streams.contracts.errors import StreamsError
from streams.runtime.clock import WallClock


class Progress:
    """Feeds the live view: requests a second since the beginning, incidents, and which generation serves."""

    def __init__(self, view: LiveView, seats: Seats, ledger: Ledger, model: str, clock: WallClock) -> None:
        self._view = view
        self._seats = seats
        self._ledger = ledger
        self._model = model
        self._clock = clock
        self._begun = clock.monotonic()
        self._requests = 0

    def count(self, requests: int) -> None:
        """Note requests that were released."""
        self._requests += requests

    async def show(self, time_ms: int) -> None:
        """Show the state at an event time."""
        deployed, incidents = await self._seats.look(), self._ledger.incidents(self._model)
        self._view.update(
            time_ms,
            requests_per_second=self._requests / max(self._clock.monotonic() - self._begun, 1e-9),
            incidents_open=sum(not incident.is_over for incident in incidents),
            incidents_total=len(incidents),
            generation=deployed.generation if deployed is not None else 0,
            digest=deployed.champion if deployed is not None else "",
            note=f"{incidents[-1].id}: {incidents[-1].state}" if incidents else "",
        )


def empty(folder: Path, mark: str) -> None:
    """Empty a folder that is absent, empty, or an earlier replay's, which the file `mark` in it shows; leave the mark.

    Raises:
        StreamsError: it holds something else.
    """
    if folder.exists() and any(folder.iterdir()) and not (folder / mark).exists():
        raise StreamsError(f"{folder} holds something that is no earlier run; name another folder with --data-dir, or empty it")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    # From now on it is ours, also if we are interrupted before there is a config to write.
    (folder / mark).touch()
