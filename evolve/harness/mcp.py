"""The memory as an MCP server over stdin and stdout, for every agent that speaks the Model Context Protocol.

Made with the official SDK (the package `mcp`, 2.x), on its low-level server: that one takes the schemas of
`evolve.harness.tools` as they are, and gives a failed call back in our own words.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping
from contextlib import redirect_stdout
from typing import Any

import anyio
import anyio.to_thread
from mcp import types
from mcp.server import Server, ServerRequestContext
from mcp.server.stdio import stdio_server
from mcp.shared.exceptions import MCPError

from evolve.harness.errors import HarnessError
from evolve.harness.memory import Memory
from evolve.harness.tools import FOR_MODELS, TOOLS, Tool, outcome, told

_log = logging.getLogger(__name__)
_INSTRUCTIONS = (
    "A long-term memory. Call `recall` before you answer what may rest on earlier conversations, and `remember` when "
    "something is said that will matter later."
)


def server(memory: Memory, *, scope: str | None = None) -> Server[Any]:
    """Return a server whose tools are remember, recall, forget, stats, and answer where the memory has a model.

    `scope` is whose memory is served, and then no call reaches another one; None: the agent names the scope.
    """
    tools = TOOLS if memory.has_model else {tool.name: tool for tool in FOR_MODELS}
    listed = types.ListToolsResult(tools=[_described(tool, scope) for tool in tools.values()])

    async def list_tools(
        context: ServerRequestContext[Any], params: types.PaginatedRequestParams | None
    ) -> types.ListToolsResult:
        return listed

    async def call_tool(
        context: ServerRequestContext[Any], params: types.CallToolRequestParams
    ) -> types.CallToolResult:
        if params.name not in tools:
            raise MCPError(types.INVALID_PARAMS, f"There is no tool {params.name!r}; call one of {', '.join(tools)}.")
        # In a thread, so that others are served while a write waits for a model or the disk.
        return await anyio.to_thread.run_sync(_called, memory, params.name, params.arguments or {}, scope)

    return Server(
        memory.harness.name,
        version=memory.harness.version,
        instructions=_INSTRUCTIONS,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
    )


def serve(memory: Memory, *, scope: str | None = None) -> None:
    """Serve until the client closes stdin; calls at work finish first. `scope` as for `server`."""
    anyio.run(_serve, server(memory, scope=scope))


async def _serve(own: Server[Any]) -> None:
    # stdout is the protocol's: what a program prints goes to stderr.
    async with stdio_server() as (read, write):
        with redirect_stdout(sys.stderr):
            await own.run(read, write, own.create_initialization_options())


def _called(memory: Memory, name: str, arguments: Mapping[str, Any], scope: str | None) -> types.CallToolResult:
    try:
        result = outcome(memory, name, arguments, scope=scope)
    except HarnessError as error:
        return _failed(str(error))
    except Exception as error:  # a bug: the client gets one line, the server's log the rest
        _log.exception("%s failed", name)
        return _failed(
            f"{name} failed by a fault of the memory's ({type(error).__name__}); its log on stderr says more."
        )
    return types.CallToolResult(content=[types.TextContent(text=told(result))], structured_content=result)


def _failed(message: str) -> types.CallToolResult:
    return types.CallToolResult(content=[types.TextContent(text=message)], is_error=True)


def _described(tool: Tool, scope: str | None) -> types.Tool:
    return types.Tool(
        name=tool.name,
        title=tool.title,
        description=tool.description,
        input_schema=tool.schema(scope=scope),
        output_schema=tool.result_schema(),
        annotations=types.ToolAnnotations(
            read_only_hint=tool.only_reads,
            destructive_hint=tool.removes,
            idempotent_hint=tool.only_reads or tool.removes,
            open_world_hint=False,
        ),
    )
