"""`driftwake mcp`: a running daemon's tools for an assistant, over standard input and output."""

from __future__ import annotations

import asyncio
from pathlib import Path

from daemon.commands.configuring import load_config
from daemon.commands.reaching import caller_of
from daemon.errors import DaemonError
from daemon.mcp.tools import Desk


def assist(config: Path, url: str | None, token_file: Path | None) -> int:
    """Answer an assistant until it leaves; return the exit status.

    Raises:
        DaemonError: no daemon runs, there is no token, or the library isn't installed.
        ConfigError: the config can't be used; with a URL none is needed.
        BadInputError: the URL can't be used.
    """
    caller = caller_of(config, url, token_file)
    settings = load_config(config).settings if url is None or config.exists() else None
    try:
        from daemon.mcp.server import serve
    except ModuleNotFoundError as error:
        raise DaemonError(f"MCP needs the library {error.name!r}: pip install 'driftwake[mcp]'") from error
    asyncio.run(serve(Desk(caller, settings)))
    return 0
