"""ask_of: the real SDKs against a server on the loopback that speaks both APIs, and callables."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from evolve.errors import EvolveError, ModelDeclined, ProviderError, RequestRefused
from evolve.harness.errors import BadInput, ModelFailed
from evolve.harness.memory import Memory
from evolve.harness.models import ask_of
from evolve.harness.program import Harness
from evolve.models.base import Ask, Message, Reply, Request, Usage
from evolve.testing.model_server import Asked, Faults, ModelServer, Said, Unscripted

KEY = "sk-proj-very-secret-key-0123456789"
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"town": {"type": "string"}},
    "required": ["town"],
    "additionalProperties": False,
}
LOOSE: dict[str, Any] = {"type": "object"}
TURNS = (Message("system", "You know towns."), Message("user", "Where is Ann?"))
APIS = ["chat", "responses", "messages"]


def said(asked: Asked) -> Said:
    """What the model says: only to what is scripted here."""
    if asked.system != "You know towns.":
        raise Unscripted(asked.system)
    if asked.text.startswith("Where is Ann?"):
        return Said('{"town": "Oslo"}' if asked.schema or "JSON Schema" in asked.text else "In Oslo.")
    if asked.text == "Where is the treasure?":
        return Said("I will not say.", refused=True)
    if asked.text == "Tell me all.":
        return Said("word " * 1000)
    raise Unscripted(asked.text)


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with ModelServer(said, key=KEY) as running:
        yield running


Asking = Callable[..., Ask]


@pytest.fixture
def asking(server: ModelServer, monkeypatch: pytest.MonkeyPatch) -> Asking:
    """What asks the server by one of the APIs."""

    def made(api: str, **known: Any) -> Ask:
        known = {"api_key": KEY, **known}
        if api == "messages":
            return ask_of("anthropic:m-1", base_url=f"{server.address}/v1/", **known)
        if api == "chat":
            return ask_of("openai:m-1", base_url=server.openai, **known)
        monkeypatch.setenv("OPENAI_BASE_URL", server.openai)
        return ask_of("openai:m-1", **known)

    return made


def request(text: str = "Where is Ann?", **more: Any) -> Request:
    return Request("agent", (TURNS[0], Message("user", text)), **more)


@pytest.mark.parametrize("api", APIS)
def test_what_is_asked_arrives_and_what_is_said_comes_back(server: ModelServer, asking: Asking, api: str) -> None:
    ask = asking(api)
    reply = ask(request(temperature=0.5, max_tokens=77))
    assert reply == Reply("In Oslo.", Usage(7, 0, 0, 2), None)
    ask(request())
    first, second = (arrival.asked for arrival in server.arrivals)
    assert first is not None
    assert second is not None
    assert (first.api, first.model, first.system) == (api, "m-1", "You know towns.")
    assert (first.text, first.temperature, first.max_tokens) == ("Where is Ann?", 0.5, 77)
    assert (second.temperature, second.max_tokens, second.schema) == (None, 4096, None)


@pytest.mark.parametrize("api", APIS)
def test_a_schema_goes_with_the_call(server: ModelServer, asking: Asking, api: str) -> None:
    assert asking(api)(request(schema=SCHEMA)).text == '{"town": "Oslo"}'
    (arrival,) = server.arrivals
    assert arrival.asked is not None
    assert (arrival.asked.schema, arrival.asked.text) == (SCHEMA, "Where is Ann?")


@pytest.mark.parametrize("api", APIS)
def test_a_schema_that_is_refused_is_asked_for_in_the_prompt_for_good(
    server: ModelServer, asking: Asking, api: str
) -> None:
    server.refuses = ["schema"]
    ask = asking(api)
    for _ in range(3):
        assert ask(request(schema=SCHEMA)).text == '{"town": "Oslo"}'
    assert server.ends == {"refused": 1, "answered": 3}
    last = server.arrivals[-1].asked
    assert last is not None
    assert '"required": ["town"]' in last.text


@pytest.mark.parametrize("api", APIS)
def test_a_loose_schema_is_never_refused(server: ModelServer, asking: Asking, api: str) -> None:
    assert asking(api)(request(schema=LOOSE)).text == '{"town": "Oslo"}'
    assert server.ends == {"answered": 1}


@pytest.mark.parametrize("api", APIS)
def test_a_temperature_that_is_refused_is_left_out_for_good(server: ModelServer, asking: Asking, api: str) -> None:
    server.refuses = ["temperature"]
    ask = asking(api)
    for _ in range(2):
        assert ask(request(temperature=0.0, schema=SCHEMA)).text == '{"town": "Oslo"}'
    assert server.ends == {"refused": 1, "answered": 2}
    last = server.arrivals[-1].asked
    assert last is not None
    assert last.schema == SCHEMA


@pytest.mark.parametrize("api", APIS)
def test_a_truncated_reply_says_so(asking: Asking, api: str) -> None:
    reply = asking(api)(request("Tell me all.", max_tokens=16))
    assert (reply.truncated, len(reply.text), reply.usage.output_tokens) == (True, 64, 16)


@pytest.mark.parametrize("api", APIS)
def test_a_model_that_declines_is_told_from_a_provider_that_fails(asking: Asking, api: str) -> None:
    words = r"^\w+:m-1 refuses to answer: .+\.$"
    with pytest.raises(ModelDeclined, match=words) as declined:
        asking(api)(request("Where is the treasure?"))
    assert api == "messages" or "I will not say." in str(declined.value)


@pytest.mark.parametrize("api", APIS)
def test_a_wrong_key_is_an_error_that_does_not_show_it(server: ModelServer, asking: Asking, api: str) -> None:
    wrong = KEY + "x"
    with pytest.raises(ProviderError, match="401") as failed:
        asking(api, api_key=wrong)(request())
    assert "sk-" not in str(failed.value)
    assert server.ends == {"denied": 1}


@pytest.mark.parametrize("api", APIS)
def test_a_model_that_is_not_there(server: ModelServer, asking: Asking, api: str) -> None:
    server.models = ["other"]
    with pytest.raises(ProviderError, match=r"404.*m-1.*does not exist"):
        asking(api)(request())


@pytest.mark.parametrize("api", APIS)
def test_an_unscripted_call_is_refused_and_fails_the_test(api: str, monkeypatch: pytest.MonkeyPatch) -> None:
    server = ModelServer(said)
    monkeypatch.setenv("OPENAI_BASE_URL", server.openai)
    url = {"chat": server.openai, "responses": None, "messages": server.address}[api]
    ask = ask_of("anthropic:m" if api == "messages" else "openai:m", base_url=url, api_key=KEY)
    with pytest.raises(RequestRefused, match=r"refuses the request.*unscripted") as refused:
        ask(request("Who are you?"))
    assert not isinstance(refused.value, ModelDeclined)
    with pytest.raises(AssertionError, match="1 requests went wrong"):
        server.close()


@pytest.mark.parametrize("api", ["chat", "messages"])
def test_passing_faults_are_tried_again_from_many_threads(api: str) -> None:
    faults = Faults(seed=6, limited=0.2, broken=0.1, timeouts=0.0, cut=0.1, retry_after=0.01)
    with ModelServer(said, faults) as server:
        url = server.openai if api == "chat" else server.address
        ask = ask_of("openai:m" if api == "chat" else "anthropic:m", base_url=url, api_key=KEY)
        with ThreadPoolExecutor(8) as threads:
            replies = list(threads.map(lambda tokens: ask(request(max_tokens=tokens)).text, range(16, 40)))
        assert replies == ["In Oslo."] * 24
        assert server.ends["answered"] == 24 < sum(server.ends.values())


def test_a_server_of_ones_own_needs_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with ModelServer(said, key="none") as server:
        assert ask_of("openai:m", base_url=server.openai)(request()).text == "In Oslo."


def test_the_key_comes_from_the_environment(server: ModelServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", f" {KEY}\n")
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    assert ask_of("anthropic:m", base_url=server.address)(request()).text == "In Oslo."
    assert ask_of("openai:m", base_url=server.openai)(request()).text == "In Oslo."


def test_nobody_there_is_an_error_that_names_the_model(server: ModelServer, asking: Asking) -> None:
    ask = asking("chat", timeout=0.5)
    server.close()
    with pytest.raises(ProviderError, match=r"^openai:m-1 gave no answer: Connection error\. \(.+\)\.$"):
        ask(request())


@pytest.mark.parametrize("model", ["gpt-5", "openai:", "mistral:large", ""])
def test_a_model_that_cannot_be_named_so(model: str) -> None:
    with pytest.raises(BadInput, match='give "openai:NAME", "anthropic:NAME", or a callable'):
        ask_of(model)


@pytest.mark.parametrize("provider", ["openai", "anthropic"])
def test_a_key_that_is_missing_or_broken_is_said_at_once(provider: str, monkeypatch: pytest.MonkeyPatch) -> None:
    variable = f"{provider.upper()}_API_KEY"
    monkeypatch.delenv(variable, raising=False)
    with pytest.raises(BadInput, match=f"^{variable} is not set, and {provider}:m needs a key"):
        ask_of(f"{provider}:m")
    with pytest.raises(BadInput, match=r"^api_key holds a space") as broken:
        ask_of(f"{provider}:m", api_key="sk-one two")
    assert "two" not in str(broken.value)


@pytest.mark.parametrize("provider", ["openai", "anthropic"])
def test_a_package_that_is_missing_is_named_with_its_extra(provider: str) -> None:
    code = f"""
import sys
sys.modules[{provider!r}] = None  # as if it were not installed
from evolve.harness.models import ask_of
try:
    ask_of("{provider}:m", api_key="k")
except Exception as error:
    print(type(error).__name__, error)
"""
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    assert found == (
        f"BadInput {provider}:m needs the package {provider}, which is not installed: pip install 'evolve[{provider}]'."
    )


def test_no_sdk_is_loaded_before_it_is_needed() -> None:
    code = (
        "import sys, evolve.harness.models as m; m.ask_of(lambda messages: ''); "
        "print({'openai', 'anthropic', 'pydantic'} & sys.modules.keys())"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "set()"


def test_a_callable_is_asked_with_the_messages() -> None:
    asked: list[list[dict[str, str]]] = []

    def model(messages: list[dict[str, str]]) -> str:
        asked.append(messages)
        return "In Oslo."

    assert ask_of(model)(request()) == Reply("In Oslo.", Usage(), None)
    assert asked == [
        [{"role": "system", "content": "You know towns."}, {"role": "user", "content": "Where is Ann?"}],
    ]
    ask_of(model)(request(schema=SCHEMA))
    assert asked[1][0] == asked[0][0]
    assert asked[1][1]["content"].startswith("Where is Ann?\n\nAnswer with one JSON object")


def test_a_callable_that_fails_is_a_provider_that_fails() -> None:
    def broken(messages: list[dict[str, str]]) -> str:
        raise LookupError("no such town")

    with pytest.raises(ProviderError, match=r"^the model raised LookupError: no such town$") as failed:
        ask_of(broken)(request())
    assert isinstance(failed.value.__cause__, LookupError)
    with pytest.raises(ProviderError, match="returned NoneType; expected a string"):
        ask_of(lambda messages: None)(request())  # type: ignore[arg-type, return-value]


@pytest.mark.parametrize("api", ["chat", "messages"])
def test_a_reply_of_another_form(api: str) -> None:
    class Odd(ModelServer):
        """Answers every request with JSON of its own."""

        def _answer(self, exchange: Any, raw: bytes) -> None:
            exchange.send(200, {"choices": [], "content": None, "hello": "world"})

    with Odd(said) as server:
        url = server.openai if api == "chat" else server.address
        ask = ask_of("openai:m" if api == "chat" else "anthropic:m", base_url=url)
        with pytest.raises(ProviderError, match="the reply is not of this API's form"):
            ask(request())


def test_a_memory_answers_through_a_hosted_model(
    seed_harness: Callable[[str], Harness], memory_of: Callable[..., Memory]
) -> None:
    def model(asked: Asked) -> str:
        if asked.schema is not None:
            name = next(iter(asked.schema["properties"]))  # type: ignore[arg-type]
            return f'{{"{name}": "Lisbon"}}'
        if "Where does Caroline live?" in asked.text and "moved to Lisbon" in asked.text:
            return "Lisbon"
        raise Unscripted(asked.text)

    with (
        ModelServer(model) as server,
        memory_of(seed_harness("bm25"), model="openai:m", base_url=server.openai) as memory,
    ):
        memory.write("Caroline: I moved to Lisbon in May.")
        assert memory.answer("Where does Caroline live?") == "Lisbon"
        server.models = []
        with pytest.raises(ModelFailed, match="does not exist") as failed:
            memory.answer("Where does Caroline live?")
        assert not isinstance(failed.value, EvolveError)
