"""The tools over the protocol, by its library's own client: in this process, and as a child on standard input and output."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("mcp", reason="the extra mcp isn't installed")

from mcp import Client, StdioServerParameters, stdio_client

from daemon.mcp.server import server_of
from daemon.mcp.tools import TOOLS
from tests.kit.api_world import api_running
from tests.unit.mcp.test_mcp_tools import desk_of

ROOT = Path(__file__).parents[3]


def told(result: Any) -> Any:
    (content,) = result.content
    assert content.type == "text"
    return content.text


async def test_a_client_finds_the_tools_and_what_they_are_for(tmp_path: Path) -> None:
    async with api_running(tmp_path, until="closed") as world, Client(server_of(desk_of(world))) as client:
        listed = (await client.list_tools()).tools
        assert [one.name for one in listed] == list(TOOLS)
        for one in listed:
            assert one.annotations.read_only_hint == (one.name != "propose_plan")
            assert one.annotations.destructive_hint is False
            assert one.input_schema["additionalProperties"] is False
        (incident,) = world.ledger.incidents()
        result = await client.call_tool("explain", {"incident": incident.id})
        assert result.is_error is False
        assert json.loads(told(result))["incident"]["state"] == "closed"


async def test_what_goes_wrong_is_told_to_who_can_do_something_about_it(tmp_path: Path) -> None:
    async with api_running(tmp_path) as world, Client(server_of(desk_of(world))) as client:
        for name, arguments, said in (
            ("approve", {}, "there is no such tool"),
            ("explain", {}, "incident: Field required"),
            ("explain", {"incident": "nothing"}, "no incident 'nothing'"),
            ("propose_plan", {"model": "parcels", "why": "w"}, "your token's role may not do that"),
        ):
            result = await client.call_tool(name, arguments)
            assert result.is_error is True
            assert said in told(result)


async def test_it_serves_on_standard_input_and_output(tmp_path: Path) -> None:
    async with api_running(tmp_path, until="closed") as world:
        command = ["-m", "daemon.cli", "mcp", "--url", world.url, "--token-file", str(world.secret("operator"))]
        child = StdioServerParameters(command=sys.executable, args=command, cwd=ROOT)
        async with Client(stdio_client(child)) as client:
            models = json.loads(told(await client.call_tool("status", {})))["models"]
            assert [one["model"] for one in models] == ["parcels", "letters"]
            asked = await client.call_tool("propose_plan", {"model": "letters", "why": "a look"})
            assert asked.is_error is False
        (order,) = world.ledger.commands("letters")
        assert (order.command.kind, order.command.by, order.role) == ("propose_plan", "operator", "operator")
