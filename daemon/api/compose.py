"""The API put together: who is believed, what can be asked, and the server in front."""

from __future__ import annotations

from daemon.access.attempts import Attempts
from daemon.access.tokens import tokens_of
from daemon.api.guard import Guard
from daemon.api.reading import ReadingRoom
from daemon.api.routes import Desk, Routes, Take
from daemon.api.service import ApiService
from daemon.commands.deployed import slots_at
from daemon.ledger.ledger import Ledger
from daemon.settings import DaemonSettings
from streams.runtime.clock import WallClock


def api_of(settings: DaemonSettings, reading: Ledger, take: Take, bootstrap: str, wall: WallClock) -> ApiService:
    """Compose the API.

    Args:
        settings: say who is believed, where to listen, and which models there are.
        reading: a ledger opened for reading, with the key that checks its seals.
        take: takes commands in.
        bootstrap: of the broker, which knows what is deployed.
        wall: for tokens that expire and the ids of commands.

    Raises:
        ConfigError: it isn't clear who is believed.
    """
    room = ReadingRoom(reading)
    tokens = tokens_of(settings.access, settings.folder("keys"), wall, settings.own_models)
    desk = Desk(settings, room, tokens, wall, take, lambda model: slots_at(settings, model, bootstrap))
    guard = Guard(Routes(desk).application(), tokens, Attempts(wall), settings.access.hosts)
    return ApiService(guard, settings.access, settings.data_dir, room)
