"""`driftwake worker`: one more process of the data plane."""

from __future__ import annotations

from daemon.commands.ordering import broker_address
from daemon.settings import DaemonSettings
from streams.app import work


def run_worker(settings: DaemonSettings, number: int) -> int:
    """Run one process of the data plane until a signal; return the exit status.

    Raises:
        TransportError: no broker is named and none runs here, or none answers.
        ConfigError: no key is known to verify deployments with, or to hash columns with.
    """
    settings.verifier()
    for model in settings.models:
        settings.protection_of(model)
    work(settings, broker_address(settings), number, with_parent=False)
    return 0
