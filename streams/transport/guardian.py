"""Runs one program and ends it when its own parent ends, also when the parent was killed.

`python -m streams.transport.guardian PROGRAM ARGUMENTS...`, with a pipe as standard input whose other end the parent holds.
The system closes that pipe whenever and however the parent dies. SIGTERM ends the program gently, then firmly.
Descriptors named in `--keep N` stay open in the program (a lock, for instance).
"""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys

from streams.runtime.parent import wait_until_orphaned

GENTLE_SECONDS = 15.0


async def guard(command: list[str], kept: tuple[int, ...]) -> int:
    """Run a program until it ends, the parent ends, or SIGTERM comes; return its exit code."""
    process = await asyncio.create_subprocess_exec(*command, stdin=subprocess.DEVNULL, pass_fds=kept)
    loop = asyncio.get_running_loop()
    asked = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, asked.set)
    async with asyncio.TaskGroup() as group:
        ended = group.create_task(process.wait())
        orphaned = group.create_task(wait_until_orphaned())
        told = group.create_task(asked.wait())
        await asyncio.wait({ended, orphaned, told}, return_when=asyncio.FIRST_COMPLETED)
        if told.done() and not ended.done():
            process.terminate()
            await asyncio.wait({ended, orphaned}, timeout=GENTLE_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        if not ended.done():
            # Nobody is left to wait for a gentle end; acknowledged records are safe with the system.
            process.kill()
        code = await ended
        orphaned.cancel()
        told.cancel()
    return code


def main() -> None:
    """Read the command line."""
    arguments = sys.argv[1:]
    kept: list[int] = []
    while arguments[:1] == ["--keep"]:
        kept.append(int(arguments[1]))
        arguments = arguments[2:]
    sys.exit(abs(asyncio.run(guard(arguments, tuple(kept)))))


if __name__ == "__main__":
    main()
