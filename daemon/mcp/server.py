"""The tools over the Model Context Protocol, on standard input and output. The one door to its library."""

from __future__ import annotations

import asyncio
from importlib.metadata import version
from typing import Any, Final

import msgspec
from mcp import types
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server

from daemon.errors import DaemonError
from daemon.mcp.tools import TOOLS, Desk, Tool, answer
from streams.contracts.errors import StreamsError
from streams.runtime.text import cleaned

NAME: Final = "driftwake"
_INSTRUCTIONS: Final = (
    "driftwake keeps models on Kafka streams healthy: monitors open incidents, a planner makes plans within guardrails, "
    "people approve them, challengers are judged before they serve. Look with these tools; `propose_plan` asks for a plan, which "
    "somebody else has to approve. Ids of incidents (inc-...) are handles for the other tools."
)


def server_of(desk: Desk) -> Server[Any]:
    """Return the server that answers with a desk's tools."""

    async def list_tools(context: Any, asked: Any) -> types.ListToolsResult:
        return types.ListToolsResult(tools=[_declared(name, tool) for name, tool in TOOLS.items()])

    async def call_tool(context: Any, asked: types.CallToolRequestParams) -> types.CallToolResult:
        try:
            told = await asyncio.to_thread(answer, desk, asked.name, asked.arguments or {})
        except (DaemonError, StreamsError) as error:
            return _result(cleaned(str(error), 500), is_error=True)
        return _result(msgspec.json.encode(told).decode(), is_error=False)

    return Server(NAME, version=version(NAME), instructions=_INSTRUCTIONS, on_list_tools=list_tools, on_call_tool=call_tool)


async def serve(desk: Desk) -> None:
    """Answer on standard input and output until the other side leaves."""
    server = server_of(desk)
    async with stdio_server() as (reading, writing):
        await server.run(reading, writing, server.create_initialization_options())


def _declared(name: str, tool: Tool) -> types.Tool:
    hints = types.ToolAnnotations(
        read_only_hint=tool.is_reading, destructive_hint=False, idempotent_hint=tool.is_reading, open_world_hint=False
    )
    schema = tool.takes.model_json_schema()
    return types.Tool(name=name, description=tool.description, input_schema=schema, annotations=hints)


def _result(text: str, *, is_error: bool) -> types.CallToolResult:
    return types.CallToolResult(content=[types.TextContent(type="text", text=text)], is_error=is_error)
