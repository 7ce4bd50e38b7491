"""The command line: every command's result, its errors and exit codes, and the talk by pipe and by terminal."""

from __future__ import annotations

import io
import json
import os
import pty
import select
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from evolve.harness.cli import main
from evolve.harness.memory import Memory, bound
from evolve.harness.program import Harness

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def memory_type(seed_harness: Callable[[str], Harness]) -> type[Memory]:
    return bound(seed_harness("bm25"))


@pytest.fixture
def run(
    memory_type: type[Memory],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Run:
    """Run a command in a folder of the test's, and return its exit code, stdout and stderr."""

    def ran(*argv: str, stdin: str = "") -> tuple[int, str, str]:
        monkeypatch.setattr(
            sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode("utf-8", "surrogateescape")), "utf-8")
        )
        code = main(memory_type, [argv[0], "--folder", str(tmp_path / "memory"), *argv[1:]])
        out, err = capsys.readouterr()
        return code, out, err

    return ran


def test_what_was_remembered_is_recalled_by_the_next_process(
    run: Run, memory_type: type[Memory], tmp_path: Path
) -> None:
    assert run("remember", "Caroline: I moved to Lisbon.", "--scope", "c", "--when", "2026-05-08") == (0, "1\n", "")
    assert run("remember", "-", "--scope", "c", stdin="Caroline: I like azulejos.\n") == (0, "2\n", "")
    with memory_type(tmp_path / "memory") as memory:
        expected = memory.read("Where did Caroline move?", scope="c")
    assert "Lisbon" in expected
    assert "8 May, 2026" in expected
    assert run("recall", "Where did Caroline move?", "--scope", "c") == (0, expected + "\n", "")
    assert run("recall", "-", "--scope", "c", stdin="Where did Caroline move?") == (0, expected + "\n", "")
    assert run("answer", "Where did Caroline move?", "--scope", "c") == (0, expected + "\n", "")


def test_the_default_scope_is_the_memorys(run: Run) -> None:
    run("remember", "Ann: I sold the boat.")
    code, out, _ = run("recall", "boat", "--scope", "default")
    assert code == 0
    assert "boat" in out


def test_forget_by_source_and_by_scope(run: Run) -> None:
    run("remember", "Ann: I sold the boat.", "--source", "chat-1")
    run("remember", "Ann: I bought a bicycle.", "--source", "chat-2")
    run("remember", "Bob: I row a boat.", "--source", "chat-1", "--scope", "bob")
    assert run("forget", "--source", "chat-1", "--scope", "default") == (0, "1\n", "")
    assert run("recall", "boat")[1] == "\n"
    assert "boat" in run("recall", "boat", "--scope", "bob")[1]
    assert run("forget", "--source", "chat-1") == (0, "1\n", "")
    assert run("forget", "--scope", "default") == (0, "1\n", "")
    assert run("recall", "bicycle")[0] == 1


def test_stats_list_every_scope_and_a_sum(run: Run, memory_type: type[Memory], tmp_path: Path) -> None:
    for scope in ("ann", "bob", "ann"):
        run("remember", "Ann: I sold the boat.", "--scope", scope)
    _, out, err = run("stats")
    lines = [line.split() for line in out.splitlines()]
    with memory_type(tmp_path / "memory") as memory:
        stats = memory.stats()
    assert lines[0] == ["SCOPE", "WRITES", "BYTES", "FIRST", "LAST"]
    assert [line[:3] for line in lines[1:3]] == [[s.scope, str(s.writes), str(s.bytes)] for s in stats.scopes]
    assert lines[3] == ["2", "scopes", "3", str(stats.bytes)]
    assert [line[1] for line in lines[1:3]] == ["2", "1"]
    assert not err
    assert [line.split()[0] for line in run("stats", "--scope", "bob")[1].splitlines()] == ["SCOPE", "bob"]


def test_a_scope_leaves_and_comes_back(run: Run, tmp_path: Path) -> None:
    run("remember", "Ann: I sold the boat.", "--scope", "ann", "--source", "chat-1")
    path = str(tmp_path / "ann.jsonl")
    assert run("export", path, "--scope", "ann") == (0, "1\n", "")
    assert json.loads(Path(path).read_text())["source"] == "chat-1"
    assert run("import", path, "--scope", "again") == (0, "1\n", "")
    assert run("recall", "boat", "--scope", "again") == run("recall", "boat", "--scope", "ann")


class Provider(BaseHTTPRequestHandler):
    """An OpenAI-compatible server on this machine: it fills a date or a query, and answers "Lisbon"."""

    def do_POST(self) -> None:
        asked = self.rfile.read(int(self.headers["Content-Length"])).decode()
        said = '{"date": "8 May, 2023"}' if "date" in asked and "episode" in asked.lower() else "Lisbon"
        if "the line holding the answer" in asked:
            said = '{"text": "Caroline move"}'
        message = {"role": "assistant", "content": said}
        body = {
            "id": "1",
            "object": "chat.completion",
            "created": 1,
            "model": json.loads(asked)["model"],
            "choices": [{"index": 0, "finish_reason": "stop", "message": message}],
        }
        self.send_response(404 if body["model"] == "gone" else 200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def log_message(self, *_: object) -> None:
        """Say nothing on stderr."""


def test_a_model_at_a_url_fills_the_fields_and_answers(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    with ThreadingHTTPServer(("127.0.0.1", 0), Provider) as provider:
        threading.Thread(target=provider.serve_forever, daemon=True).start()
        model = ("--model", "openai:any", "--base-url", f"http://127.0.0.1:{provider.server_port}/v1")
        assert run("remember", "Caroline: I moved to Lisbon.", *model) == (0, "1\n", "")
        assert run("recall", "Where does she live?", *model) == (0, "[8 May, 2023] Caroline: I moved to Lisbon.\n", "")
        assert run("answer", "Where does she live?", *model) == (0, "Lisbon\n", "")
        code, out, err = run("answer", "Where does she live?", "--model", "openai:gone", *model[2:])
        provider.shutdown()
    assert (code, out) == (1, "")
    assert err.startswith("error: ")
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize(
    ("argv", "code", "says"),
    [
        (("recall", "boat", "--scope", "nobody"), 1, "nobody"),
        (("export", "out.jsonl", "--scope", "nobody"), 1, "nobody"),
        (("remember", "  "), 2, "text is blank"),
        (("remember", "x", "--scope", ""), 2, "scope is empty"),
        (("forget",), 2, "neither scope nor source"),
        (("import", "no-such-file.jsonl"), 1, "no-such-file.jsonl"),
    ],
)
def test_an_error_is_one_line_on_stderr(run: Run, argv: tuple[str, ...], code: int, says: str) -> None:
    run("remember", "Ann: I sold the boat.")
    got, out, err = run(*argv)
    assert (got, out) == (code, "")
    assert err.startswith("error: ")
    assert says in err
    assert len(err.splitlines()) == 1
    assert "1" in run("stats")[1].splitlines()[1]


def test_stdin_that_is_no_text_is_an_error(run: Run) -> None:
    code, out, err = run("remember", "-", stdin="caf\udce9")
    assert (code, out) == (2, "")
    assert err == "error: stdin is not text in utf-8; convert it, as with iconv.\n"


def test_another_harness_folder_is_refused(
    run: Run, seed_harness: Callable[[str], Harness], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run("remember", "Ann: I sold the boat.")
    other = bound(seed_harness("no_memory"))
    assert main(other, ["recall", "boat", "--folder", str(tmp_path / "memory")]) == 1
    assert "bm25" in capsys.readouterr().err


def test_without_the_sdk_the_server_says_what_to_install(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "evolve.harness.mcp", raising=False)
    monkeypatch.setitem(sys.modules, "mcp", None)  # Python's own way to say that a module is not there
    assert run("mcp") == (1, "", "error: the MCP server needs the package mcp: pip install 'mcp>=2,<3'.\n")


@pytest.mark.parametrize("argv", [(), ("erase",), ("recall",), ("recall", "x", "--limit", "3")])
def test_a_wrong_command_is_a_usage_error(
    memory_type: type[Memory], argv: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(memory_type, argv) == 2
    out, err = capsys.readouterr()
    assert not out
    assert err.startswith("usage: python -m evolve.harness")


def test_help_names_every_command(memory_type: type[Memory], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(memory_type, ["--help"]) == 0
    out = capsys.readouterr().out
    for name in ("remember", "recall", "answer", "forget", "stats", "export", "import", "repl", "mcp"):
        assert f"    {name} " in out


def test_a_talk_by_pipe(run: Run) -> None:
    said = [
        "+ Ann: I sold the boat.",
        "What did Ann sell?",
        "",
        "/scope bob",
        "+Bob: I row a canoe.",
        "What does Bob row?",
        "/stats",
        "/quit",
        "+ Bob: I never said this.",
    ]
    code, out, err = run("repl", stdin="\n".join(said))
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0] == "Ann: I sold the boat."
    assert lines[1] == "Bob: I row a canoe."
    assert [line.split()[:2] for line in lines[3:]] == [["bob", "1"], ["default", "1"], ["2", "scopes"]]


def test_a_talk_goes_on_after_an_error_and_says_so_at_the_end(run: Run) -> None:
    code, out, err = run("repl", "--scope", "ann", stdin="Who?\n/erase\n+\n+ Ann: I sold the boat.\nboat\n")
    assert code == 1
    assert out == "Ann: I sold the boat.\n"
    assert [line.split(":")[0] for line in err.splitlines()] == ["error"] * 3
    assert "there is no command '/erase'" in err


@pytest.fixture
def script(seed_harness: Callable[[str], Harness], tmp_path: Path) -> Callable[..., subprocess.Popen[str]]:
    """Start `repl` as a process of its own."""
    harness = seed_harness("bm25")
    (tmp_path / "harness.json").write_text(json.dumps(harness.to_json()))
    (tmp_path / "program.py").write_text(harness.source)
    (tmp_path / "talk.py").write_text(
        "import sys\n"
        "from pathlib import Path\n"
        "from evolve.harness.cli import main\n"
        "from evolve.harness.memory import bound\n"
        "from evolve.harness.program import Harness\n"
        "sys.exit(main(bound(Harness.open(Path(__file__).parent)), ['repl']))\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path), "TERM": "dumb"}
    return lambda **streams: subprocess.Popen(
        [sys.executable, "talk.py"], cwd=tmp_path, env=environment, text=True, **streams
    )


def test_a_reader_that_goes_away_is_no_fault(script: Callable[..., subprocess.Popen[str]], tmp_path: Path) -> None:
    with script(stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as talk:
        talk.stdout.close()
        talk.stdin.write("+ Ann: I sold the boat.\nboat\n")
        talk.stdin.close()
        assert talk.stderr.read() == ""
        assert talk.wait(timeout=60) == 1
    assert (tmp_path / "memory" / "harness.json").exists()


def test_a_talk_at_a_terminal_has_a_prompt(script: Callable[..., subprocess.Popen[str]], tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    talk = script(stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    try:
        seen = _until(ours, b"default> ")
        os.write(ours, b"+ Ann: I sold the boat.\n")
        seen += _until(ours, b"default> ")
        os.write(ours, b"/scope bob\n")
        seen += _until(ours, b"bob> ")
        os.write(ours, b"/erase\n/quit\n")
        assert talk.wait(timeout=60) == 0
        assert b"Traceback" not in seen
    finally:
        talk.kill()
        talk.wait()
        os.close(ours)
    assert (tmp_path / "memory" / "harness.json").exists()


def _until(terminal: int, awaited: bytes) -> bytes:
    """Read a terminal until it shows something; fails after a minute."""
    seen, end = b"", time.monotonic() + 60
    while awaited not in seen:
        assert select.select([terminal], [], [], max(0.0, end - time.monotonic()))[0], seen
        seen += os.read(terminal, 4096)
    return seen
