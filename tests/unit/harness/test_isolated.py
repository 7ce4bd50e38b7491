"""IsolatedBase: what it reads is what LocalBase reads, and what a program does to its process is an error here."""

from __future__ import annotations

import hashlib
import os
import pickle
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from evolve.harness.base import Answers, LocalBase
from evolve.harness.errors import ProgramFailed, TookTooLong
from evolve.harness.isolated import IsolatedBase
from evolve.harness.limits import Limits
from evolve.harness.memory import Memory
from evolve.harness.program import Harness
from evolve.types import JSON

Open = Callable[..., IsolatedBase]

HASTE = Limits(read_seconds=0.5)
TEXTS = ("Caroline moved to Lisbon in May 2023.", "Ann's cat is called Ønske “Ö” 😀.", "", "Lisbon is by the sea.")
QUERIES = ("Where does Caroline live?", "What is Ann's cat called?", "Lisbon", "")

KEEPING = """
class KnowledgeBase:
    def __init__(self, toolkit):
        self.toolkit = toolkit
        self.texts = []

    def write(self, item, raw_text):
        self.texts.append(raw_text)

    def read(self, query):
        if query.text.startswith("run "):
            found = {}
            exec(query.text.removeprefix("run "), {"self": self, "found": found})
            return str(found.get("said", ""))
        return " | ".join(self.texts)
"""
"""Keeps texts, and does what a query tells it to, which no program may that passed the check of the contract."""
TAME = """
class KnowledgeBase:
    def __init__(self, toolkit): ...
    def write(self, item, raw_text): ...
    def read(self, query): ...
"""


def nobody(kind: str, request: JSON) -> JSON:
    raise AssertionError(f"nothing was to be asked: {kind} {request}")


@pytest.fixture
def unchecked(harness: Callable[..., Harness]) -> Callable[..., Harness]:
    """The harness of a program that does not keep the contract."""

    def made(source: str, **known: object) -> Harness:
        checked = harness(TAME, **known)
        digest = hashlib.sha256(source.encode()).hexdigest()
        return replace(checked, source=checked.source.replace(TAME, source), digest=digest)

    return made


@pytest.fixture
def opened() -> Iterator[Open]:
    """Open bases that are closed at the end."""
    bases: list[IsolatedBase] = []

    def make(
        harness: Harness, answers: Answers = nobody, *, limits: Limits = HASTE, snapshot: bytes | None = None
    ) -> IsolatedBase:
        bases.append(IsolatedBase(harness, answers, limits=limits, snapshot=snapshot))
        return bases[-1]

    yield make
    for base in bases:
        base.close()


def told(base: IsolatedBase, code: str) -> str:
    return base.read({"text": "run " + textwrap.dedent(code)})


def number_of(base: IsolatedBase) -> int:
    """The child's process number."""
    return int(told(base, "import os; found['said'] = os.getpid()"))


def lives(number: int) -> bool:
    try:
        return psutil.Process(number).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def gone(number: int, *, within: float = 10.0) -> bool:
    until = time.monotonic() + within
    while lives(number) and time.monotonic() < until:
        time.sleep(0.02)
    return not lives(number)


@pytest.mark.parametrize("name", ["bm25", "vector_search"])
def test_reads_are_those_of_a_base_in_this_process(
    seed_harness: Callable[[str], Harness], opened: Open, name: str
) -> None:
    harness, calm = seed_harness(name), Limits()
    local, isolated = LocalBase(harness, nobody), opened(harness, limits=calm)

    def wrote(*texts: str) -> None:
        for text in texts:
            item: dict[str, JSON] = {field.name: text[:20] for field in harness.item.fields}
            local.write(item, text)
            isolated.write(item, text)

    def read(base: LocalBase | IsolatedBase) -> list[str]:
        return [base.read({field.name: asked for field in harness.query.fields}) for asked in QUERIES]

    wrote(*TEXTS[:3])
    assert read(isolated) == read(local)
    snapshot = isolated.dump()
    assert snapshot is not None
    assert read(opened(harness, limits=calm, snapshot=snapshot)) == read(LocalBase(harness, nobody, snapshot=snapshot))
    before = read(isolated)
    wrote(TEXTS[3])
    assert before != read(isolated) == read(local)
    local.close()


def test_what_a_program_raises_is_said_as_in_this_process(unchecked: Callable[..., Harness], opened: Open) -> None:
    source = KEEPING.replace("self.texts.append(raw_text)", "self.texts.append({}[raw_text])")
    said = []
    for base in (LocalBase(unchecked(source), nobody), opened(unchecked(source))):
        with pytest.raises(ProgramFailed) as failed:
            base.write({"text": "x"}, "Ü\ud800")
        said.append(str(failed.value))
        with pytest.raises(ProgramFailed, match="3,001 characters; at most 3,000"):
            base.read({"text": "run found['said'] = 'x' * 3001"})
        base.close()
    assert said[0] == said[1]
    assert "self.texts.append({}[raw_text])" in said[0]


@pytest.mark.parametrize(
    "hang",
    ["while True: pass", "import re; re.match('(a+)+$', 'a' * 60 + 'b')", "import time; time.sleep(600)"],
    ids=["python", "in C, which lets no other thread in", "asleep"],
)
def test_a_program_that_hangs_is_killed(unchecked: Callable[..., Harness], opened: Open, hang: str) -> None:
    base = opened(unchecked(KEEPING))
    number = number_of(base)
    began = time.monotonic()
    with pytest.raises(TookTooLong, match=r"^the program's read took longer than 0.5 s, and its process was killed.$"):
        told(base, hang)
    assert 0.5 <= time.monotonic() - began < 5
    assert not lives(number)
    with pytest.raises(TookTooLong, match="was killed by SIGKILL"):
        base.read({"text": "anything"})


def test_what_a_program_started_is_killed_with_it(unchecked: Callable[..., Harness], opened: Open) -> None:
    base = opened(unchecked(KEEPING))
    start = "import subprocess; found['said'] = subprocess.Popen(['sleep', '600']).pid"
    sleeper = int(told(base, start))
    assert lives(sleeper)
    with pytest.raises(TookTooLong):
        told(base, "while True: pass")
    assert gone(sleeper)


@pytest.mark.parametrize(
    ("death", "how"),
    [
        ("import os; os._exit(3)", "ended with exit code 3 in its read"),
        ("import ctypes; ctypes.string_at(0)", "was killed by SIGSEGV in its read"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "was killed by SIGKILL in its read"),
        ("import os; os.closerange(3, 99)", "ended with exit code"),
    ],
)
def test_a_program_that_dies_is_an_error(unchecked: Callable[..., Harness], opened: Open, death: str, how: str) -> None:
    base = opened(unchecked(KEEPING))
    number = number_of(base)
    with pytest.raises(TookTooLong, match=how):
        told(base, death)
    assert not lives(number)


def test_memory_is_limited_and_the_base_survives_it(unchecked: Callable[..., Harness], opened: Open) -> None:
    base = opened(unchecked(KEEPING), limits=Limits(read_seconds=20))
    base.write({"text": "x"}, "kept")
    for greedy in ("bytearray(5 << 30)", "kept = [bytearray(1 << 26) for _ in range(80)]"):
        with pytest.raises(ProgramFailed, match="MemoryError"):
            told(base, greedy)
    assert base.read({"text": "anything"}) == "kept"


def test_what_a_program_prints_disturbs_nothing(unchecked: Callable[..., Harness], opened: Open, capfd: object) -> None:
    base = opened(unchecked(KEEPING), limits=Limits())
    flood = """
        import os, sys
        for _ in range(200):
            print("x" * 100_000)
            print("y" * 100_000, file=sys.stderr)
            os.write(1, b"\\0" * 4096)
        os.system("echo from a shell; cat")
        found["said"] = "done"
    """
    assert told(base, flood) == "done"
    assert base.read({"text": "anything"}) == ""
    assert capfd.readouterr() == ("", "")  # type: ignore[attr-defined]


def test_models_are_asked_in_the_thread_that_reads_and_their_time_is_not_the_programs(
    unchecked: Callable[..., Harness], opened: Open
) -> None:
    asked_in: dict[str, int] = {}

    def slow(kind: str, request: JSON) -> JSON:
        assert isinstance(request, dict)
        assert request["kwargs"] == {"temperature": 0.5}
        words = str(request["messages"][0]["content"])  # type: ignore[index, call-overload]
        asked_in[words] = threading.get_ident()
        time.sleep(0.6)
        return f"{kind}: {words} é \ud800"

    ask = "found['said'] = self.toolkit.llm_completion([dict(role='user', content={!r})], temperature=0.5)"
    base = opened(unchecked(KEEPING), slow)

    def reading(number: int) -> tuple[str, int]:
        return told(base, ask.format(f"hello {number}")), threading.get_ident()

    with ThreadPoolExecutor(3) as threads:  # each waits for those before it, too
        for number, (text, thread) in enumerate(threads.map(reading, range(3))):
            assert text == f"llm: hello {number} é ?"
            assert asked_in[f"hello {number}"] == thread


def test_a_program_sees_why_it_has_no_answer(unchecked: Callable[..., Harness], opened: Open) -> None:
    def spent(kind: str, request: JSON) -> JSON:
        raise RuntimeError("only 8 completions are allowed")

    code = """
        try:
            self.toolkit.llm_completion([])
        except RuntimeError as error:
            found["said"] = repr(error)
    """
    assert told(opened(unchecked(KEEPING), spent), code) == "RuntimeError('only 8 completions are allowed')"


def test_a_thread_that_asks_after_its_operation_is_told_so(unchecked: Callable[..., Harness], opened: Open) -> None:
    base = opened(unchecked(KEEPING))
    late = """
        import threading, time
        def ask():
            time.sleep(0.2)
            try:
                self.toolkit.llm_completion([])
            except RuntimeError as error:
                self.texts.append(str(error))
        self.thread = threading.Thread(target=ask)
        self.thread.start()
    """
    told(base, late)
    time.sleep(0.4)
    assert told(base, "self.thread.join()") == ""
    assert base.read({"text": "anything"}) == "the operation is over"


def test_embeddings_of_a_model_arrive_digit_by_digit(unchecked: Callable[..., Harness], opened: Open) -> None:
    rows: JSON = [[0.1, 1 / 3], [2e-300, 1.0]]
    made = unchecked(KEEPING, embedding="openai:e")

    def embedded(kind: str, request: JSON) -> JSON:
        assert (kind, request) == ("embed", {"texts": ["a", "b"]})
        return rows

    code = "found['said'] = self.toolkit.embed(['a', 'b']).tobytes().hex()"
    local = LocalBase(made, embedded)
    assert told(opened(made, embedded), code) == local.read({"text": f"run {code}"}) != ""


def test_closing_leaves_no_process_even_of_one_at_work(unchecked: Callable[..., Harness], opened: Open) -> None:
    base = opened(unchecked(KEEPING), limits=Limits(read_seconds=60))
    number = number_of(base)
    with ThreadPoolExecutor(1) as threads:
        reading = threads.submit(told, base, "import time; time.sleep(600)")
        time.sleep(0.2)
        base.close()
        assert not lives(number)
        assert isinstance(reading.exception(timeout=5), TookTooLong)
    base.close()
    with pytest.raises(TookTooLong, match="was killed by SIGKILL"):
        base.read({"text": "anything"})


@pytest.mark.parametrize("fault", ["raise ValueError('no')", "while True: pass", "import os; os._exit(1)"])
def test_a_base_that_cannot_be_opened_leaves_no_process(unchecked: Callable[..., Harness], fault: str) -> None:
    source = KEEPING.replace("self.texts = []", f"exec({fault!r})")
    before = set(psutil.Process().children())
    with pytest.raises(ProgramFailed, match="__init__"):
        IsolatedBase(unchecked(source), nobody, limits=Limits(write_seconds=1.0))
    assert set(psutil.Process().children()) == before


def test_a_base_outlives_the_thread_that_opened_it(unchecked: Callable[..., Harness], opened: Open) -> None:
    made: list[IsolatedBase] = []
    thread = threading.Thread(target=lambda: made.append(opened(unchecked(KEEPING))))
    thread.start()
    thread.join()
    time.sleep(0.2)
    assert made[0].read({"text": "anything"}) == ""


@pytest.mark.parametrize("busy", ["", "import re; re.match('(a+)+$', 'a' * 60 + 'b')"], ids=["idle", "at work"])
def test_no_child_outlives_a_parent_that_was_killed(
    unchecked: Callable[..., Harness], tmp_path: Path, busy: str
) -> None:
    if busy and sys.platform != "linux":
        pytest.skip("elsewhere a child ends when its operation does")
    (tmp_path / "harness.pickle").write_bytes(pickle.dumps(unchecked(KEEPING)))
    code = f"""
        import pickle, sys, time
        from pathlib import Path
        from evolve.harness.isolated import IsolatedBase
        from evolve.harness.limits import Limits

        made = pickle.loads(Path(sys.argv[1]).read_bytes())
        base = IsolatedBase(made, None, limits=Limits(read_seconds=600))
        print(base.read({{"text": "run import os; found['said'] = os.getpid()"}}), flush=True)
        base.read({{"text": "run " + {busy!r}}})
        time.sleep(600)
    """
    command = [sys.executable, "-c", textwrap.dedent(code), str(tmp_path / "harness.pickle")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        number = int(parent.stdout.readline())
        time.sleep(0.3)
        assert lives(number)
        os.kill(parent.pid, signal.SIGKILL)
    assert gone(number)


def test_a_memory_goes_on_after_its_program_was_killed(
    unchecked: Callable[..., Harness], memory_of: Callable[..., Memory]
) -> None:
    with memory_of(unchecked(KEEPING), isolation="process", limits=Limits(read_seconds=0.5)) as memory:
        memory.write("one", item={"text": ""})
        for death in ("while True: pass", "import os; os._exit(3)"):
            with pytest.raises(TookTooLong):
                memory.read("x", query={"text": "run " + death})
            assert memory.read("x", query={"text": "x"}) == "one"
        memory.write("two", item={"text": ""})
        assert memory.read("x", query={"text": "x"}) == "one | two"
    with memory_of(unchecked(KEEPING)) as memory:
        assert memory.read("x", query={"text": "x"}) == "one | two"


def test_a_snapshot_that_the_program_dies_of_costs_nothing_but_itself(
    unchecked: Callable[..., Harness], memory_of: Callable[..., Memory]
) -> None:
    source = (
        KEEPING
        + """
    def __getstate__(self):
        import os
        os._exit(3)
"""
    )
    limits = Limits(snapshot_every=1)
    with memory_of(unchecked(source), isolation="process", limits=limits) as memory:
        for number in (1, 2):
            assert memory.write("one", item={"text": ""}) == number
        assert memory.read("x", query={"text": "x"}) == "one | one"
