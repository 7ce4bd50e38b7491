"""The memory as tools of a LangGraph or LangChain agent: `ToolNode(tools(memory))`.

Tools, and not a LangGraph `BaseStore`, because a store's contract is that of a dictionary and a memory is none:

- `get` gives back the value that was put under a key. A program keeps what it makes of a text, not the text.
- `put` replaces what is under its key. Here a later text does not replace an earlier one, it stands beside it; to
  remove and write again would make all later writes anew, and a kill between the two would lose both.
- `search` gives back the items that were put, each with its key and its score, filtered by their fields, by pages. A
  read is one text over all that was written, and it was measured as one text.
- Namespaces are a tree, and a search is over all below a prefix. A scope is one user's memory, and never another's.

A store that pretends would have agents cache things in it, and lose them. Use a real one beside the memory for those.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from langchain_core.runnables import RunnableConfig
from langchain_core.tools import BaseTool, StructuredTool, ToolException

from evolve.harness.errors import HarnessError
from evolve.harness.memory import Memory
from evolve.harness.tools import FOR_MODELS, Tool, call

Whose: TypeAlias = str | Callable[[RunnableConfig], str] | None
"""A scope; or what finds it in the config of a call, such as `lambda config: config["configurable"]["user_id"]`; or
None where the model names it."""


def tools(memory: Memory, *, scope: Whose = None) -> list[BaseTool]:
    """Return remember, recall, forget and stats as tools, sync and async.

    With a scope of yours no call reaches another one. A call that fails is a tool message with the status "error".
    """
    return [_made(memory, tool, scope) for tool in FOR_MODELS]


def _made(memory: Memory, tool: Tool, scope: Whose) -> BaseTool:
    def run(config: RunnableConfig, **arguments: Any) -> str:
        try:
            return call(memory, tool.name, arguments, scope=scope(config) if callable(scope) else scope)
        except HarnessError as error:
            raise ToolException(str(error)) from None

    return StructuredTool(
        name=tool.name,
        description=tool.description,
        args_schema=tool.schema(scope="" if callable(scope) else scope),
        func=run,
        handle_tool_error=True,
    )
