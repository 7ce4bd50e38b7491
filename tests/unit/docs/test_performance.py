"""The page of figures: what benches print is kept, and put together."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[3]
BENCH = '''"""Compares one thing with another.

By doing both.
"""
import json

print("one    {figure}")
print("other  2")
target = {{"what": "one beside other", "figure": {figure}, "unit": "times", "target": "at most 2 times"}}
print(json.dumps({{"bench": "NAME", "targets": [{{**target, "met": {figure} <= 2, "bound": "design"}}]}}))
'''


@pytest.fixture(scope="module")
def performance() -> ModuleType:
    path = ROOT / "docs" / "performance.py"
    spec = importlib.util.spec_from_file_location("performance_page", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with a bench that reaches its target, one that does not, and a module that is no bench."""
    (tmp_path / "docs").mkdir()
    (tmp_path / "bench").mkdir()
    (tmp_path / "bench" / "good.py").write_text(BENCH.format(figure=1.5))
    (tmp_path / "bench" / "poor.py").write_text(BENCH.format(figure=2.5))
    (tmp_path / "bench" / "_part.py").write_text("raise SystemExit('no bench')")
    return tmp_path


def page(project: Path) -> str:
    return (project / "docs" / "performance.md").read_text()


def test_every_bench_is_run_and_its_figures_are_in_the_table(performance: ModuleType, project: Path) -> None:
    assert performance.main([], project) == 0
    assert "| one beside other | 1.5 times | at most 2 times | yes | design | [good](#good) |" in page(project)
    assert "| one beside other | 2.5 times | at most 2 times | **no** | design | [poor](#poor) |" in page(project)
    assert "```text\none    1.5\nother  2\n```" in page(project), "the table without the JSON line"
    assert "## good\n\nCompares one thing with another.\n\nBy doing both.\n" in page(project)


def test_a_bench_that_is_not_run_keeps_its_figures(performance: ModuleType, project: Path) -> None:
    performance.main([], project)
    (project / "bench" / "good.py").write_text(BENCH.format(figure=1.25))
    (project / "bench" / "poor.py").write_text(BENCH.format(figure=1.75))
    assert performance.main(["good"], project) == 0
    assert "| 1.25 times |" in page(project)
    assert "| 2.5 times |" in page(project), "poor was not asked for"
    before = page(project)
    assert performance.main(["--page"], project) == 0
    assert page(project) == before


@pytest.mark.parametrize("broken", ["raise ValueError('no')", "print('a table without figures')", ""])
def test_a_bench_that_fails_is_told_and_keeps_its_figures(
    performance: ModuleType, project: Path, broken: str, capsys: pytest.CaptureFixture[str]
) -> None:
    performance.main([], project)
    before = page(project)
    (project / "bench" / "good.py").write_text(broken)
    assert performance.main(["good"], project) == 1
    assert "failed, and stayed as they were: good" in capsys.readouterr().err
    assert page(project).partition("## good")[0] == before.partition("## good")[0]


def test_a_bench_that_is_not_there_is_an_error_that_names_those_that_are(
    performance: ModuleType, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        performance.main(["god"], project)
    assert "there is no bench god; there are good, poor" in capsys.readouterr().err
    assert not (project / "docs" / "performance.md").exists()


def test_the_page_of_this_project_is_made_of_what_is_kept(performance: ModuleType) -> None:
    benches = [performance.read(path.stem, ROOT) for path in sorted((ROOT / "bench").glob("[!_]*.py"))]
    kept = [bench for bench in benches if bench.table]
    assert kept
    assert performance.page(kept) == page(ROOT)
    assert all(bench.about for bench in benches), "every bench says what it compares"
    assert not [word for word in ("/home/", "/tmp/", "/work/", "/root/") if word in page(ROOT)], "no paths of a machine"
