"""What a run found is taken home: installed where there is no evolve, tested, used, started again, equal throughout."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

import pytest

from evolve.cli.main import main
from evolve.paths import seeds_dir
from evolve.session import open_run

SMALL = ("task_options.lives=2", "task_options.sessions=16", "task_options.queries=10", "sandbox.kind=process")
SEEDS = ('search.seeds=["bm25", "hybrid", "vector_search"]', "budget.candidates=2")
SCRIPT = """
import json, sys
from taken_home import Memory

with Memory(sys.argv[1]) as memory:
    for text in json.loads(sys.stdin.read()):
        memory.write(text, scope="ann", when="2026-05-08")
    print(json.dumps([memory.read(question, scope="ann") for question in sys.argv[2:]]))
"""
TEXTS = ["Ann: I moved to Lisbon in May.", "Ben: my dog is called Rex.", "Ann: I had to sell the red bicycle."]
QUESTIONS = ["Where does Ann live?", "What is the name of Ben's dog?", "What did Ann sell?"]


@dataclass(frozen=True)
class Home:
    """An environment without evolve, with an export installed."""

    python: Path
    project: Path
    wheel: Path

    def run(self, *words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Run the environment's Python in the project's folder."""
        environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
        command = [str(self.python), "-P", *words]
        return subprocess.run(
            command, cwd=self.project, env=environment, input=stdin, capture_output=True, text=True, timeout=250
        )


def run_of(name: str, *settings: str) -> list[str]:
    """The words that make a short run."""
    given = [word for setting in (*SMALL, *settings) for word in ("--set", setting)]
    return ["run", "chronicle", "--name", name, "--quiet", "--workers", "1", *given]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A short run, its best candidate exported and installed."""
    folder = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EVOLVE_RUNS", str(folder / "runs"))
        assert main(run_of("short", *SEEDS)) == 0
        # Forced, for growth is told from times, and a busy machine's say anything; what must hold is asserted below.
        assert main(["export", "short", "--to", str(folder / "project"), "--name", "Taken.Home", "--force"]) == 0
    wheel = next((folder / "project" / "dist").glob("*.whl"))
    python = environment_without_evolve(folder / "env")
    install = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--no-index", str(wheel)]
    subprocess.run(install, check=True, timeout=200)
    return Home(python, folder / "project", wheel)


def environment_without_evolve(folder: Path) -> Path:
    """Make a virtual environment that finds the packages of this one, evolve excepted; return its Python."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True, timeout=100)
    packages = folder / "packages"
    packages.mkdir()
    for path in Path(sysconfig.get_path("purelib")).iterdir():
        if not path.name.startswith(("evolve", "_editable_impl_evolve", "__editable__.evolve")):
            (packages / path.name).symlink_to(path)
    site = next((folder / "lib").glob("python*/site-packages"))
    (site / "packages.pth").write_text(f"{packages}\n")
    return folder / "bin" / "python"


@pytest.mark.slow
def test_there_is_no_evolve_where_it_is_installed(home: Home) -> None:
    failed = home.run("-c", "import evolve")
    assert failed.returncode == 1
    assert "No module named 'evolve'" in failed.stderr


@pytest.mark.slow
def test_importing_it_loads_nothing_heavy(home: Home) -> None:
    heavy = (
        "numpy",
        "chromadb",
        "wordllama",
        "openai",
        "anthropic",
        "mcp",
        "json_repair",
        "langchain_core",
        "pydantic",
    )
    code = f"import sys, taken_home; print([name for name in {heavy!r} if name in sys.modules])"
    assert home.run("-c", code).stdout.strip() == "[]"


@pytest.mark.slow
def test_its_own_tests_pass(home: Home) -> None:
    done = home.run("-m", "pytest", "-q", "-p", "no:cacheprovider")
    assert done.returncode == 0, done.stdout + done.stderr
    cases = json.loads((home.project / "tests" / "cases.json").read_text())
    reads = [read for scope in cases["scopes"] for read in scope["reads"]]
    assert any(read["expected"] for read in reads)


@pytest.mark.slow
@pytest.mark.parametrize("isolation", ["none", "process"])
def test_a_script_reads_the_same_before_and_after_a_restart(home: Home, tmp_path: Path, isolation: str) -> None:
    script = SCRIPT.replace("sys.argv[1])", f'sys.argv[1], isolation="{isolation}")')
    memory = str(tmp_path / "memory")
    before = home.run("-c", script, memory, *QUESTIONS, stdin=json.dumps(TEXTS))
    assert before.returncode == 0, before.stderr
    after = home.run("-c", script, memory, *QUESTIONS, stdin="[]")
    assert after.returncode == 0, after.stderr
    assert json.loads(after.stdout) == json.loads(before.stdout)
    for fact, read in zip(("Lisbon", "Rex", "bicycle"), json.loads(after.stdout), strict=True):
        assert fact in read
    for snapshot in Path(memory).glob("scopes/*/snapshot"):
        snapshot.unlink()
    assert home.run("-c", script, memory, *QUESTIONS, stdin="[]").stdout == before.stdout, "from the log alone"


@pytest.mark.slow
def test_the_command_line_is_installed(home: Home, tmp_path: Path) -> None:
    command = home.python.with_name("taken-home")
    words = ["--folder", str(tmp_path / "memory"), "--scope", "ann"]
    subprocess.run([str(command), "remember", *words, TEXTS[0]], check=True, timeout=60)
    told = home.run("-m", "taken_home", "recall", *words, QUESTIONS[0])
    assert "Lisbon" in told.stdout


@pytest.mark.slow
def test_the_project_says_where_it_is_from(home: Home, tmp_path: Path) -> None:
    run = open_run(home.project.parent / "runs" / "short")
    assert run.best is not None
    program = home.project / "src" / "taken_home" / "harness" / "program.py"
    assert program.read_text(encoding="utf-8") == run.best.source
    origin = json.loads((home.project / "provenance.json").read_text(encoding="utf-8"))
    assert origin["harness"]["candidate"] == run.best.id
    results = {row["check"]: row["result"] for row in origin["readiness"]}
    timed = {"growth", "latency"}
    assert len(results.keys() - timed) >= 6
    assert "failed" not in [result for check, result in results.items() if check not in timed]
    assert run.best.id in (home.project / "MODEL_CARD.md").read_text(encoding="utf-8")


@pytest.mark.slow
def test_the_python_interface_writes_the_same_wheel(home: Home, tmp_path: Path) -> None:
    run = open_run(home.project.parent / "runs" / "short")
    again = run.export(tmp_path / "again", name="taken-home", force=True)
    assert again.wheel.name == home.wheel.name
    assert again.wheel.read_bytes() == home.wheel.read_bytes()


@pytest.mark.slow
def test_what_is_not_ready_stays_where_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A program that has a key in it."""
    monkeypatch.setenv("EVOLVE_RUNS", str(tmp_path / "runs"))
    source = (seeds_dir() / "bm25.py").read_text(encoding="utf-8")
    program = tmp_path / "telling.py"
    program.write_text(source + '\nKEY = "AKIA' + 'Q3ZJ7XW2M5LRT8VB"\n', encoding="utf-8")
    assert main(run_of("telling", f'search.seeds=["{program}"]', "budget.candidates=0")) == 0
    capsys.readouterr()

    assert main(["export", "telling", "--check"]) == 1
    assert re.search(r"secrets +failed", capsys.readouterr().out)
    project = tmp_path / "project"
    assert main(["export", "telling", "--to", str(project)]) == 1
    assert "secrets" in capsys.readouterr().err
    assert not project.exists()


@pytest.mark.slow
def test_a_folder_is_needed_to_write_to(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    run = str(home.project.parent / "runs" / "short")
    assert main(["export", run]) == 2
    assert "--to is not given" in capsys.readouterr().err
    assert main(["export", run, "--to", str(home.project), "--name", "another"]) == 2
    assert "has the export 'taken-home'" in capsys.readouterr().err
