"""What every sandbox must give to the programs in it: stores, and calls that the worker answers."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import NoReturn

import pytest

from evolve.errors import ProgramFault, ProviderError, RequestRefused
from evolve.sandbox.base import Sandbox
from evolve.sandbox.box import Box, Scope
from evolve.testing.programs import LIMITS, no_completions, program
from evolve.types import JSON


class ToolkitContract:
    """The part of `SandboxContract` that is about the toolkit."""

    @pytest.fixture
    def box(self, sandbox: Sandbox) -> Iterator[Box]:
        """A box of its own for each test."""
        box = sandbox.start()
        yield box
        box.close()

    def _open(self, box: Box, source: str) -> Scope:
        return box.open(source, call_llm=no_completions)

    def test_the_toolkit_is_there(self, box: Box) -> None:
        source = program(
            init="""
                self.lines = toolkit.chroma.get_or_create_collection("lines")
                toolkit.db.execute("CREATE VIRTUAL TABLE words USING fts5(text)")
            """,
            write="""
                self.toolkit.db.execute("INSERT INTO words VALUES (?)", (raw_text,))
                self.lines.add(ids=[str(len(self.seen))], documents=[raw_text])
                self.toolkit.logger.debug("wrote " + raw_text)
            """,
            read="""
                rows = self.toolkit.db.execute("SELECT text FROM words WHERE words MATCH 'cat'").fetchall()
                near = self.lines.query(query_texts=[query.text], n_results=1)["documents"][0][0]
                shape = self.toolkit.embed(["one", "two"]).shape
                return f"{rows[0][0]} / {near} / {shape}"
            """,
        )
        memory = self._open(box, source)
        memory.write({}, "the cat sleeps")
        memory.write({}, "stocks fell sharply")
        assert memory.read({"text": "share prices dropped"}) == "the cat sleeps / stocks fell sharply / (2, 256)"
        assert memory.log == ["wrote the cat sleeps", "wrote stocks fell sharply"]

    def test_completions_go_through_the_worker(self, box: Box) -> None:
        asked: list[tuple[list[JSON], dict[str, JSON]]] = []

        def answer(messages: list[JSON], kwargs: dict[str, JSON]) -> str:
            asked.append((messages, kwargs))
            return "forty-two"

        source = program(read="return self.toolkit.llm_completion([{'role': 'user', 'content': 'q'}], max_tokens=5)")
        assert box.open(source, call_llm=answer).read({}) == "forty-two"
        assert asked == [([{"role": "user", "content": "q"}], {"max_tokens": 5})]

    def test_completions_are_counted_outside(self, box: Box) -> None:
        ask = "self.toolkit.llm_completion([{'role': 'user', 'content': 'q'}])"
        source = program(read=f"return {ask} + {ask}")
        memory = box.open(source, call_llm=lambda messages, kwargs: "yes")
        with pytest.raises(ProgramFault, match="only 1 completions are allowed"):
            memory.read({})

    def test_a_refused_completion_is_an_error_the_program_can_catch(self, box: Box) -> None:
        source = program(
            read="""
                try:
                    return self.toolkit.llm_completion([])
                except RuntimeError as error:
                    return str(error)
            """
        )
        assert self._open(box, source).read({}) == "no toolkit model"

    def test_embeddings_go_through_the_worker(self, box: Box) -> None:
        asked: list[str] = []

        def embed(texts: list[str]) -> list[list[float]]:
            asked.extend(texts)
            return [[3.0 * ("cat" in text), 4.0, 0.0] for text in texts]

        source = program(
            init='self.lines = toolkit.chroma.get_or_create_collection("lines")',
            write="self.lines.add(ids=[raw_text], documents=[raw_text])",
            read="""
                near = self.lines.query(query_texts=[query.text], n_results=1)["documents"][0][0]
                return f"{near} {self.toolkit.embed(['cat', ' ']).tolist()} {self.toolkit.embed([]).shape}"
            """,
        )
        memory = box.open(source, call_llm=no_completions, call_embed=embed)
        memory.write({}, "a cat")
        memory.write({}, "a dog")
        read = memory.read({"text": "cats"})
        assert asked == ["a cat", "a dog", "cats", "cat"]  # a text without a word has no vector to ask for
        assert read.startswith("a cat [[0.6000000238418579, 0.800000011920929, 0.0], [1.0, 0.0, 0.0]] (0, 3)")

    def test_embeddings_longer_than_a_frame_arrive_in_order(self, box: Box) -> None:
        """Texts of 400 kB and vectors of 3 MB through frames of 256 kB."""
        wide = 384

        def embed(texts: list[str]) -> list[list[float]]:
            return [[1 / 3, float(text.partition(" ")[0]), *[1 / 7] * (wide - 2)] for text in texts]

        source = program(
            read="""
                rows = self.toolkit.embed([str(number) + " word" * 200 for number in range(400)])
                order = (rows[:, 1] / rows[:, 0]).argsort().tolist()
                return f"{rows.shape} {order == list(range(400))}"
            """
        )
        memory = box.open(source, call_llm=no_completions, call_embed=embed)
        assert memory.read({}) == f"(400, {wide}) True"

    def test_a_slow_call_is_not_the_programs_time(self, box: Box) -> None:
        def embed(texts: list[str]) -> list[list[float]]:
            time.sleep(LIMITS.read_seconds + 0.3)
            return [[1.0] for _ in texts]

        memory = box.open(
            program(read="return str(self.toolkit.embed(['x']).shape)"), call_llm=no_completions, call_embed=embed
        )
        assert memory.read({}) == "(1, 1)"

    @pytest.mark.parametrize("refusal", [ProgramFault("raised", "not this"), RequestRefused("not this")])
    def test_a_refused_embedding_is_an_error_the_program_can_catch(self, box: Box, refusal: Exception) -> None:
        def embed(texts: list[str]) -> list[list[float]]:
            raise refusal

        source = program(
            read="""
                try:
                    return str(self.toolkit.embed(["x"]))
                except RuntimeError as error:
                    return str(error)
            """
        )
        memory = box.open(source, call_llm=no_completions, call_embed=embed)
        assert memory.read({}) == "not this"
        assert memory.read({}) == "not this"

    @pytest.mark.parametrize("call", ["embed(['x'])", "llm_completion([])"])
    def test_what_a_call_raises_passes_through_and_ends_its_scope_alone(self, box: Box, call: str) -> None:
        def fails(*arguments: object) -> NoReturn:
            raise ProviderError("nobody answers")

        source = program(read=f"return str(self.toolkit.{call})")
        memory, other = box.open(source, call_llm=fails, call_embed=fails), self._open(box, program())
        with pytest.raises(ProviderError, match="nobody answers"):
            memory.read({})
        with pytest.raises(ProgramFault, match="closed"):
            memory.read({})
        assert other.read({}) == ""
