"""Giving an order, and saying where its fate can be read. Imported by commands at once, so it loads nothing heavy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from daemon.commands.options import screen

if TYPE_CHECKING:
    from daemon.api.commands import Asked
    from daemon.commands.reaching import Source


def send(source: Source, asked: Asked, also: str = "", *, is_told: bool = True) -> None:
    """Give an order.

    Args:
        source: the daemon that takes it.
        asked: the order.
        also: where else one can see what comes of it.
        is_told: whether to say that it is on its way; not where the command's output is JSON.

    Raises:
        DaemonError: it wasn't taken.
        StreamsError: nobody answers.
    """
    command = source.order(asked)
    if is_told:
        said = f"{asked.kind} for {asked.model} is on its way; `driftwake audit show --subject {command}` tells what came of it"
        screen().line(", ".join([said, also]) if also else said)
