"""The memory's tools in a real graph: LangGraph's own tool node, threads, async, and a scope that the config names."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import langgraph
import pytest
from langchain_core.messages import AIMessage, ToolMessage
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode

from evolve.harness.langgraph import Whose, tools
from evolve.harness.memory import Memory
from evolve.harness.program import Harness


@pytest.fixture
def memory(seed_harness: Callable[[str], Harness], memory_of: Callable[..., Memory]) -> Memory:
    return memory_of(seed_harness("bm25"))


def _graph(memory: Memory, scope: Whose = None) -> Any:
    graph = StateGraph(MessagesState)
    graph.add_node("tools", ToolNode(tools(memory, scope=scope)))
    graph.add_edge(START, "tools")
    graph.add_edge("tools", END)
    return graph.compile()


def _asked(*calls: tuple[str, dict[str, Any]]) -> dict[str, Any]:
    """Return the state after a model's turn that calls these tools."""
    made = [{"name": name, "args": arguments, "id": f"call-{n}"} for n, (name, arguments) in enumerate(calls)]
    return {"messages": [AIMessage("", tool_calls=made)]}


def _told(state: dict[str, Any]) -> list[ToolMessage]:
    return [message for message in state["messages"] if isinstance(message, ToolMessage)]


def test_langgraph_and_this_module_are_two() -> None:
    assert langgraph.__name__ == "langgraph"
    assert tools.__module__ == "evolve.harness.langgraph"
    assert StateGraph.__module__.startswith("langgraph.")


def test_a_graph_remembers_and_recalls(memory: Memory) -> None:
    graph = _graph(memory)
    written = _told(graph.invoke(_asked(("remember", {"text": "Caroline: I moved to Lisbon.", "scope": "c"}))))
    assert [message.status for message in written] == ["success"]
    assert written[0].content == '{"number": 1, "scope": "c"}'
    read, size = _told(graph.invoke(_asked(("recall", {"question": "Lisbon", "scope": "c"}), ("stats", {}))))
    assert read.content == memory.read("Lisbon", scope="c") == "Caroline: I moved to Lisbon."
    assert '"writes": 1' in str(size.content)


def test_an_async_graph_writes_to_many_scopes_at_once(memory: Memory) -> None:
    asked = _asked(*[("remember", {"text": f"Ann: my code is {n}.", "scope": f"s{n}"}) for n in range(8)])
    told = _told(asyncio.run(_graph(memory).ainvoke(asked)))
    assert [message.status for message in told] == ["success"] * 8
    assert [memory.read("code", scope=f"s{n}") for n in range(8)] == [f"Ann: my code is {n}." for n in range(8)]


def test_a_failed_call_is_a_message_with_one_line(memory: Memory) -> None:
    memory.write("Ann: I sold the boat.")
    calls: list[tuple[str, dict[str, Any]]] = [
        ("recall", {"question": "boat", "scope": "nobody"}),
        ("remember", {"text": " "}),
        ("forget", {}),
        ("recall", {"question": "boat"}),
    ]
    told = _told(_graph(memory).invoke(_asked(*calls)))
    assert [message.status for message in told] == ["error", "error", "error", "success"]
    for message, says in zip(told, ("nobody", "text is blank", "neither scope nor source"), strict=False):
        assert says in str(message.content)
        assert len(str(message.content).splitlines()) == 1


def test_the_config_names_the_scope_and_the_model_cannot(memory: Memory) -> None:
    graph = _graph(memory, lambda config: str(config["configurable"]["user_id"]))
    ann, bob = ({"configurable": {"user_id": name}} for name in ("ann", "bob"))
    graph.invoke(_asked(("remember", {"text": "Ann: my code is 1234."})), ann)
    graph.invoke(_asked(("remember", {"text": "Bob: my code is 4711."})), bob)
    calls = _asked(("recall", {"question": "code"}), ("recall", {"question": "code", "scope": "bob"}))
    own, other = _told(graph.invoke(calls, ann))
    assert own.content == "Ann: my code is 1234."
    assert other.status == "error"
    assert "4711" not in str(other.content)
    asyncio.run(graph.ainvoke(_asked(("forget", {})), ann))
    assert memory.scopes() == ["bob"]


@pytest.mark.parametrize(("scope", "named"), [(None, True), ("ann", False), (lambda config: "ann", False)])
def test_the_model_sees_a_scope_only_where_it_may_name_one(memory: Memory, scope: Whose, named: bool) -> None:
    made = tools(memory, scope=scope)
    assert [tool.name for tool in made] == ["remember", "recall", "forget", "stats"]
    assert all(("scope" in tool.tool_call_schema["properties"]) == named for tool in made)  # type: ignore[operator,index]
    assert all("config" not in tool.args for tool in made)
