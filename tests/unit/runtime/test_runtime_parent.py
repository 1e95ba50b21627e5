"""A child ends with its parent: gently, and when it can't, all the same."""

import asyncio
import sys

import pytest

CHILD = """
import asyncio, signal, sys
from streams.runtime.parent import end_with_parent

def stop(*_):
    print("gently", flush=True)
    if {gentle}:
        sys.exit(0)

signal.signal(signal.SIGTERM, stop)

async def main():
    print("up", flush=True)
    await end_with_parent(patience_seconds=0.3)
    await asyncio.Event().wait()

asyncio.run(main())
"""


@pytest.mark.parametrize(("gentle", "status"), [("True", 0), ("False", 1)])
async def test_a_child_whose_parent_is_gone_ends_also_when_stopping_takes_for_ever(gentle: str, status: int):
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", CHILD.format(gentle=gentle), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert child.stdin is not None
    assert child.stdout is not None
    async with asyncio.timeout(30):
        assert await child.stdout.readline() == b"up\n"
        child.stdin.close()
        assert await child.stdout.readline() == b"gently\n"
        assert await child.wait() == status
