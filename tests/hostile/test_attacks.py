"""Programs that try to get at what is not theirs. Each attack runs for real, in both sandboxes."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from evolve.agents.extractive import ExtractiveAgent
from evolve.config import Limits
from evolve.errors import ProgramFault
from evolve.evaluation.evaluate import Evaluator, Lease
from evolve.evaluation.splits import Work
from evolve.program import parse
from evolve.sandbox.base import Sandbox
from evolve.sandbox.box import Box
from evolve.sandbox.docker import DockerSandbox
from evolve.sandbox.process import ProcessSandbox, bubblewrap_works
from evolve.scoring import SupportScorer
from evolve.testing.programs import no_completions, program
from evolve.types import Episode, Evidence, Query

LIMITS = Limits(load_seconds=5, write_seconds=2, read_seconds=3, memory_mb=200, scratch_mb=8, pids=64)
SECRET = "sk-canary-2f6b1c"


@pytest.fixture(scope="module", params=["process", pytest.param("docker", marks=pytest.mark.docker)])
def sandbox(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    """Each sandbox in turn; the one without an engine only where bubblewrap works: it promises no more without."""
    patch = pytest.MonkeyPatch()
    patch.setenv("OPENAI_API_KEY", SECRET)
    if request.param == "process" and not bubblewrap_works():
        pytest.skip("bubblewrap does not work here, and without it the process sandbox promises none of this")
    sandbox = DockerSandbox(LIMITS) if request.param == "docker" else ProcessSandbox(LIMITS)
    yield sandbox
    sandbox.close()
    patch.undo()


@pytest.fixture
def attack(sandbox: Sandbox) -> Iterator[Callable[[str, str], str]]:
    """Run the body of a `read` and return what it returns."""
    boxes: list[Box] = []

    def run(imports: str, read: str) -> str:
        boxes.append(sandbox.start())
        return boxes[-1].open(program(imports=imports, read=read), call_llm=no_completions).read({})

    yield run
    for box in boxes:
        box.close()


Attack = Callable[[str, str], str]


def test_gold_answers_on_disk_are_out_of_reach(attack: Attack, tmp_path: Path) -> None:
    gold = tmp_path / "gold.json"
    gold.write_text("the answer")
    names = [str(gold), str(tmp_path), __file__, "/etc/shadow", "/proc/1/root/etc/shadow", "/var/run/docker.sock"]
    read = f"""
        got = []
        for name in {names!r}:
            try:
                os.listdir(name) if os.path.isdir(name) else open(name, 'rb').read()
                got.append(name)
            except OSError:
                pass
        return repr(got)
    """
    assert attack("import os", read) == "[]"


def test_no_other_process_gives_its_environment_away(attack: Attack) -> None:
    read = """
        seen = repr(dict(os.environ))
        for pid in filter(str.isdigit, os.listdir('/proc')):
            try:
                seen += open(f'/proc/{pid}/environ').read()
            except OSError:
                pass
        return seen[:3000]
    """
    assert SECRET not in attack("import os", read)


def test_there_is_no_network(attack: Attack) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        read = f"""
            reached = []
            for host in ('127.0.0.1', '172.17.0.1', 'localhost'):
                try:
                    socket.create_connection((host, {port}), timeout=0.5)
                    reached.append(host)
                except OSError:
                    pass
            return repr(reached)
        """
        assert attack("import socket", read) == "[]"


def test_only_scratch_can_be_written(attack: Attack) -> None:
    read = """
        written = []
        for folder in ('/', '/usr', '/opt', '/opt/evolve', '/etc', '/dev/shm', '/dev', '/var/tmp', '/home', '/run'):
            try:
                with open(folder + '/trace', 'w') as file:
                    file.write('x')
                written.append(folder)
            except OSError:
                pass
        return repr(written)
    """
    assert attack("", read) == "[]"


def test_scratch_is_small(attack: Attack) -> None:
    read = """
        written = 0
        try:
            for number in range(100):
                with open(f'/tmp/{number}', 'wb') as file:
                    file.write(bytes(1 << 20))
                written += 1
        except OSError:
            pass
        return str(written)
    """
    assert int(attack("", read)) <= LIMITS.scratch_mb


def test_it_is_nobody(attack: Attack) -> None:
    read = """
        status = open('/proc/self/status').read()
        caps = [line.split()[1] for line in status.splitlines() if line.startswith('CapEff')]
        return f'{os.getuid()} {os.getgid()} {int(caps[0], 16)}'
    """
    assert attack("import os", read) == "65534 65534 0"


def test_the_runner_cannot_be_killed_from_inside(attack: Attack) -> None:
    read = """
        for signal_number in (9, 15, 19):
            try:
                os.kill(1, signal_number)
            except OSError:
                pass
        return 'still here'
    """
    assert attack("import os", read) == "still here"


def test_a_bomb_of_processes_is_contained(sandbox: Sandbox) -> None:
    box = sandbox.start()
    read = """
        for number in range(100):
            try:
                if os.fork() == 0:
                    time.sleep(60)
                    os._exit(0)
            except OSError:
                return f'stopped at {number}'
        return 'unlimited'
    """
    memory = box.open(program(imports="import os, time", read=read), call_llm=no_completions)
    answer = memory.read({})
    if sandbox.name == "docker":
        assert answer.startswith("stopped at")
    began = time.monotonic()
    box.close()
    assert time.monotonic() - began < 10


def test_a_dead_runner_is_not_a_bad_program(sandbox: Sandbox) -> None:
    """Fault is decided outside: what ends the box as a whole is never held against the program."""
    box = sandbox.start()
    memory = box.open(program(read="return 'fine'"), call_llm=no_completions)
    assert memory.read({}) == "fine"
    box.close()
    with pytest.raises(Exception, match="sandbox") as caught:
        memory.read({})
    assert not isinstance(caught.value, ProgramFault)


def test_no_gold_answer_is_ever_sent(sandbox: Sandbox) -> None:
    """The program writes down everything that it can see, its own memory and the runner's frames included."""
    source = """
from dataclasses import dataclass, field

INSTRUCTION_KNOWLEDGE_ITEM = "x"
INSTRUCTION_QUERY = "x"
INSTRUCTION_RESPONSE = "x"
ALWAYS_ON_KNOWLEDGE = ""

@dataclass
class KnowledgeItem:
    summary: str = field(default="", metadata={"description": "all of it"})

@dataclass
class Query:
    text: str = field(default="", metadata={"description": "the question"})

class KnowledgeBase:
    def __init__(self, toolkit):
        self.seen = []

    def write(self, item, raw_text):
        self.seen.append(raw_text + item.summary)

    def read(self, query):
        gc, marker = __import__("gc"), "-".join(["CANARY", "GOLD"])
        found = [o for o in gc.get_objects() if isinstance(o, (dict, list, tuple)) and marker in repr(o)[:100_000]]
        return (query.text + " ".join(self.seen) + f" leaks {len(found)}")[:3000]
"""
    episode = Episode("e1", "s", "Ann: I moved to a new town.")
    query = Query("q1", "s", "Where does Ann live?", "CANARY-" + "GOLD", (Evidence("e1", "I moved to a new town."),))
    evaluator = Evaluator(ExtractiveAgent(), SupportScorer(), sandbox)
    with Lease(sandbox) as lease:
        result = evaluator.evaluate(parse(source), [Work("s", (episode,), (query,))], lease, stage=lambda text: None)
    (case,) = result.cases
    assert case.outcome == "scored"
    assert case.score == 1.0
    assert "I moved to a new town." in case.read
    assert "GOLD" not in case.read
    assert "leaks 0" in case.read
