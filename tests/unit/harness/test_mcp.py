"""The MCP server, met by the SDK's own client: over stdio, killed and started again, and in one process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import mcp
import pytest
from mcp import types
from mcp.client import Client
from mcp.client.stdio import StdioServerParameters, get_default_environment

from evolve.harness.mcp import server
from evolve.harness.memory import Memory
from evolve.harness.program import Harness

SCRIPT = """
import os, sys
from pathlib import Path
from evolve.harness.cli import main
from evolve.harness.memory import bound
from evolve.harness.program import Harness

here = Path(__file__).parent
(here / "pid").write_text(str(os.getpid()))
sys.exit(main(bound(Harness.open(here)), ["mcp", "--folder", str(here / "memory"), *sys.argv[1:]]))
"""
ASKING = """
class KnowledgeBase:
    def __init__(self, toolkit):
        self.toolkit = toolkit
        self.notes = []

    def write(self, item, raw_text):
        if raw_text.startswith("slow"):
            raw_text = self.toolkit.llm_completion([{"role": "user", "content": raw_text}])
        self.notes.append(raw_text)

    def read(self, query):
        return " ".join(self.notes)
"""
LOUD = """
from time import sleep

class KnowledgeBase:
    def __init__(self, toolkit):
        print("a base is made")
        self.notes = []

    def write(self, item, raw_text):
        print("writing", raw_text)
        if raw_text == "slowly":
            sleep(1)
        self.notes.append(raw_text)

    def read(self, query):
        print("reading")
        if query.text == "fail":
            raise RuntimeError("first line\\nsecond line")
        return " ".join(self.notes)
"""


class Served:
    """A server's script in a folder, started as often as wanted."""

    def __init__(self, folder: Path, harness: Harness) -> None:
        self.folder = folder
        (folder / "harness.json").write_text(json.dumps(harness.to_json()))
        (folder / "program.py").write_text(harness.source)
        (folder / "serve.py").write_text(SCRIPT)
        # As bare as a client makes it: PYTHONUNBUFFERED would hide what is printed at the exit.
        paths = os.pathsep.join(path for path in sys.path if path)
        self.environment = {**get_default_environment(), "PYTHONPATH": paths}

    def client(self, *argv: str) -> Client:
        script = [str(self.folder / "serve.py"), *argv]
        return Client(StdioServerParameters(command=sys.executable, args=script, env=self.environment))

    def kill(self) -> None:
        os.kill(int((self.folder / "pid").read_text()), signal.SIGKILL)


@pytest.fixture
def served(tmp_path: Path) -> Callable[[Harness], Served]:
    return lambda harness: Served(tmp_path, harness)


def _text(result: types.CallToolResult) -> str:
    (content,) = result.content
    assert isinstance(content, types.TextContent)
    return content.text


def _with(client: Client, act: Callable[[Client], Awaitable[Any]]) -> Any:
    """Connect, act, and return what came of it; a minute at most."""

    async def connected() -> Any:
        with anyio.fail_after(60):
            async with client:
                return await act(client)

    return anyio.run(connected)


def test_the_sdk_and_this_module_are_two() -> None:
    assert Path(str(mcp.__file__)).parts[-2:] == ("mcp", "__init__.py")
    assert server.__module__ == "evolve.harness.mcp"
    assert mcp.__name__ == "mcp"


def test_fifty_facts_outlive_a_kill(
    served: Callable[[Harness], Served], seed_harness: Callable[[str], Harness]
) -> None:
    own = served(seed_harness("bm25"))
    facts = {f"Person{number:02}": f"door code {7000 + number * 13}" for number in range(50)}
    acknowledged: list[str] = []

    async def remember(client: Client) -> None:
        for person, fact in facts.items():
            result = await client.call_tool("remember", {"text": f"{person}: I have the {fact}.", "scope": "house"})
            assert not result.is_error
            assert result.structured_content == {"number": len(acknowledged) + 1, "scope": "house"}
            acknowledged.append(person)
        async with anyio.create_task_group() as group:
            group.start_soon(more, client)
            await anyio.sleep(0.05)
            own.kill()

    async def more(client: Client) -> None:
        """Go on until the server is gone: it dies at work."""
        try:
            while True:
                await client.call_tool("remember", {"text": "Nobody: I have nothing.", "scope": "house"})
                acknowledged.append("Nobody")
        except mcp.MCPError:
            return

    async def recall(client: Client) -> list[str]:
        asked = [{"question": f"Which door code has {person}?", "scope": "house"} for person in facts]
        return [_text(await client.call_tool("recall", arguments)) for arguments in asked]

    async def writes(client: Client) -> int:
        return int((await client.call_tool("stats", {})).structured_content["writes"])

    _with(own.client(), remember)
    assert acknowledged[:50] == list(facts)
    read = _with(own.client(), recall)
    for text, (person, fact) in zip(read, facts.items(), strict=True):
        assert f"{person}: I have the {fact}." in text
    assert len(acknowledged) <= _with(own.client(), writes) <= len(acknowledged) + 1


class Wire:
    """A server's process, spoken to by hand: what is on its stdout is seen to the last character."""

    def __init__(self, served: Served) -> None:
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        command = [sys.executable, str(served.folder / "serve.py")]
        self.process = subprocess.Popen(command, env=served.environment, text=True, **pipes)
        hello = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}
        self.send("initialize", hello, number=0)
        self.server = self.received()["result"]["serverInfo"]
        self.send("notifications/initialized", {})

    def send(self, method: str, params: dict[str, Any], *, number: int | None = None) -> None:
        """Send a request of this number, or a notification."""
        message = {"jsonrpc": "2.0", "method": method, "params": params}
        if number is not None:
            message["id"] = number
        self.process.stdin.write(json.dumps(message) + "\n")
        self.process.stdin.flush()

    def received(self) -> Any:
        return json.loads(self.process.stdout.readline())

    def __enter__(self) -> Wire:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        with self.process:  # closes the pipes, and waits
            pass


def test_stdout_is_the_protocols_alone(served: Callable[[Harness], Served], harness: Callable[..., Harness]) -> None:
    """A program prints, and raises an error of two lines; each line on stdout is a message all the same."""
    calls = [
        ("remember", {"text": "the boat"}),
        ("recall", {"question": "boat"}),
        ("recall", {"question": "fail"}),
        ("recall", {"question": "boat"}),
    ]
    results = []
    with Wire(served(harness(LOUD))) as wire:
        for number, (name, arguments) in enumerate(calls, 1):
            wire.send("tools/call", {"name": name, "arguments": arguments}, number=number)
            results.append(wire.received()["result"])
        out, err = wire.process.communicate(timeout=60)
        assert wire.process.returncode == 0
    assert wire.server == {"name": "small", "version": "1.0"}
    assert not out
    assert [result["isError"] for result in results] == [False, False, True, False]
    assert results[1]["structuredContent"] == results[3]["structuredContent"] == {"text": "the boat"}
    failure = results[2]["content"][0]["text"]
    assert "first line" in failure
    assert len(failure.splitlines()) == 1
    assert "Traceback" not in failure + err
    assert "writing the boat" in err


def test_a_write_at_work_is_finished_when_the_client_leaves(
    served: Callable[[Harness], Served], harness: Callable[..., Harness], memory_of: Callable[..., Memory]
) -> None:
    loud = harness(LOUD)
    with Wire(served(loud)) as wire:
        wire.send("tools/call", {"name": "remember", "arguments": {"text": "slowly"}}, number=1)
        while "writing slowly" not in wire.process.stderr.readline():
            assert wire.process.poll() is None
        wire.process.stdin.close()
        assert wire.process.wait(timeout=60) == 0
    assert memory_of(loud).read("What was written?") == "slowly"


def test_an_interrupt_ends_it_at_once(served: Callable[[Harness], Served], harness: Callable[..., Harness]) -> None:
    with Wire(served(harness(LOUD))) as wire:
        wire.process.send_signal(signal.SIGINT)
        assert wire.process.wait(timeout=20) == -signal.SIGINT
        assert wire.process.stderr.read() == ""


def test_a_slow_write_holds_nobody_up(memory_of: Callable[..., Memory], harness: Callable[..., Harness]) -> None:
    asked, answered = threading.Event(), threading.Event()

    def model(messages: list[dict[str, str]]) -> str:
        asked.set()
        assert answered.wait(30)
        return "a canoe"

    memory = memory_of(harness(ASKING), toolkit_model=model)
    memory.write("the boat", scope="ann")

    async def slow(client: Client) -> None:
        assert not (await client.call_tool("remember", {"text": "slow", "scope": "bob"})).is_error

    async def act(client: Client) -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(slow, client)
            assert await anyio.to_thread.run_sync(asked.wait, 20)
            assert _text(await client.call_tool("recall", {"question": "boat", "scope": "ann"})) == "the boat"
            answered.set()

    _with(Client(server(memory)), act)
    assert memory.read("boat", scope="bob") == "a canoe"


def test_a_fault_of_our_own_is_one_line_too(seed_harness: Callable[[str], Harness], tmp_path: Path) -> None:
    class Faulty(Memory):
        harness = seed_harness("bm25")

        def read(self, question: str, **options: Any) -> str:
            raise TypeError("a private path\nand more of it")

    async def act(client: Client) -> types.CallToolResult:
        return await client.call_tool("recall", {"question": "boat"})

    failed = _with(Client(server(Faulty(tmp_path / "memory"))), act)
    assert failed.is_error
    assert _text(failed) == "recall failed by a fault of the memory's (TypeError); its log on stderr says more."


def test_agents_are_told_what_each_tool_does(
    memory_of: Callable[..., Memory], seed_harness: Callable[[str], Harness]
) -> None:
    async def act(client: Client) -> tuple[Sequence[types.Tool], str | None]:
        return (await client.list_tools()).tools, client.instructions

    tools, instructions = _with(Client(server(memory_of(seed_harness("bm25")))), act)
    hints = {tool.name: (tool.annotations.read_only_hint, tool.annotations.destructive_hint) for tool in tools}
    assert hints == {
        "remember": (False, False),
        "recall": (True, False),
        "forget": (False, True),
        "stats": (True, False),
    }
    assert "recall" in str(instructions)
    for tool in tools:
        assert len(tool.description) > 80
        assert tool.output_schema["type"] == "object"
    properties = {tool.name: set(tool.input_schema["properties"]) for tool in tools}
    assert properties == {
        "remember": {"text", "scope", "source", "when"},
        "recall": {"question", "scope"},
        "forget": {"scope", "source"},
        "stats": {"scope"},
    }


def test_with_a_model_there_is_an_answer(
    memory_of: Callable[..., Memory], seed_harness: Callable[[str], Harness]
) -> None:
    def model(messages: list[dict[str, str]]) -> str:
        said = messages[-1]["content"]
        if '"date"' in said:
            return '{"date": "8 May, 2023"}'
        return '{"text": "Caroline Lisbon"}' if '"text"' in said else "Lisbon"

    memory = memory_of(seed_harness("bm25"), model=model)

    async def act(client: Client) -> tuple[set[str], types.CallToolResult, types.CallToolResult]:
        names = {tool.name for tool in (await client.list_tools()).tools}
        await client.call_tool("remember", {"text": "Caroline: I moved to Lisbon."})
        question = {"question": "Where does Caroline live?"}
        return names, await client.call_tool("answer", question), await client.call_tool("recall", question)

    names, answer, read = _with(Client(server(memory)), act)
    assert names == {"remember", "recall", "answer", "forget", "stats"}
    assert answer.structured_content == {"text": "Lisbon"}
    assert _text(answer) == "Lisbon"
    assert _text(read) == "[8 May, 2023] Caroline: I moved to Lisbon."


def test_one_scope_can_be_served_and_no_other(
    memory_of: Callable[..., Memory], seed_harness: Callable[[str], Harness]
) -> None:
    memory = memory_of(seed_harness("bm25"))
    memory.write("Bob: my code is 4711.", scope="bob")

    async def act(client: Client) -> list[types.CallToolResult]:
        assert all("scope" not in tool.input_schema["properties"] for tool in (await client.list_tools()).tools)
        calls: list[tuple[str, dict[str, Any]]] = [
            ("remember", {"text": "Ann: my code is 1234."}),
            ("recall", {"question": "What is the code?"}),
            ("recall", {"question": "What is the code?", "scope": "bob"}),
            ("forget", {}),
        ]
        return [await client.call_tool(name, arguments) for name, arguments in calls]

    wrote, read, other, gone = _with(Client(server(memory, scope="ann")), act)
    assert wrote.structured_content == {"number": 1, "scope": "ann"}
    assert read.structured_content == {"text": "Ann: my code is 1234."}
    assert other.is_error
    assert "4711" not in _text(other)
    assert gone.structured_content == {"forgotten": 1}
    assert memory.scopes() == ["bob"]


@pytest.mark.parametrize(
    ("name", "arguments", "says"),
    [
        ("recall", {"question": "boat", "scope": "nobody"}, "nobody"),
        ("recall", {"question": 7}, "question is of the type int; give a text."),
        ("recall", {}, "recall needs 'question'"),
        ("remember", {"text": " \n "}, "text is blank"),
        (
            "remember",
            {"text": "x", "mood": "good"},
            "remember has no argument 'mood'; it has text, scope, source, when.",
        ),
        ("forget", {}, "neither scope nor source is given"),
    ],
)
def test_a_failed_call_is_one_line_for_the_agent(
    memory_of: Callable[..., Memory],
    seed_harness: Callable[[str], Harness],
    name: str,
    arguments: dict[str, Any],
    says: str,
) -> None:
    memory = memory_of(seed_harness("bm25"))
    memory.write("Ann: I sold the boat.")

    async def act(client: Client) -> tuple[types.CallToolResult, types.CallToolResult]:
        return await client.call_tool(name, arguments), await client.call_tool("recall", {"question": "boat"})

    failed, after = _with(Client(server(memory)), act)
    assert failed.is_error
    assert says in _text(failed)
    assert len(_text(failed).splitlines()) == 1
    assert failed.structured_content is None
    assert _text(after) == "Ann: I sold the boat."


def test_a_tool_that_is_not_there_is_a_protocol_error(
    memory_of: Callable[..., Memory], seed_harness: Callable[[str], Harness]
) -> None:
    async def act(client: Client) -> str:
        with pytest.raises(mcp.MCPError) as caught:
            await client.call_tool("answer", {"question": "boat"})
        assert caught.value.code == types.INVALID_PARAMS
        return caught.value.message

    assert "remember, recall, forget, stats" in _with(Client(server(memory_of(seed_harness("bm25")))), act)
