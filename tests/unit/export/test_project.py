"""A candidate becomes a project: all of it or nothing, always the same bytes, and over nobody's files."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from email.parser import Parser
from pathlib import Path

import pytest

from evolve.errors import ConfigError, EvolveError
from evolve.export.naming import names
from evolve.export.placing import LISTED, digests, place
from evolve.export.project import Exported, Plan, export, harness_of, planned, write
from evolve.export.readiness import Readiness, Row
from evolve.folder import Run
from evolve.harness.program import Harness
from evolve.plan import program_of
from evolve.population import Candidate, Population
from evolve.session import open_run

READY = Readiness((Row("restart", True, "12 reads equal."), Row("leaks", None, "not measured: no queries.")))
UNREADY = Readiness((Row("secrets", False, "a key is in line 3: take it out."),))


def seed(run: Run, name: str) -> Candidate:
    """The candidate that a seed of the run became: their attempts are the first, in order."""
    return run.candidate(f"c{run.config.search.seeds.index(name):03}")


@pytest.fixture(scope="module")
def written(plain_run: Run, tmp_path_factory: pytest.TempPathFactory) -> Exported:
    """The best candidate of the plain run."""
    return write(planned(plain_run, name="Plain_Memory"), READY, tmp_path_factory.mktemp("plain") / "project")


def inside(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as opened:
        return {name: opened.read(name) for name in opened.namelist()}


def metadata(wheel: Path) -> Mapping[str, str]:
    held = inside(wheel)
    return Parser().parsestr(held[next(name for name in held if name.endswith("/METADATA"))].decode())


def test_a_project_has_all_that_one_needs(written: Exported) -> None:
    held = digests(written.folder).keys()
    top = {"pyproject.toml", "constraints.txt", "README.md", "CHANGELOG.md", "LICENSE", ".gitignore"}
    assert top | {"MODEL_CARD.md", "provenance.json", "tests/cases.json", "tests/test_regression.py"} <= held
    own = ("__init__.py", "__main__.py", "py.typed", "_toolkit.py", "harness/harness.json", "harness/program.py")
    assert {f"src/plain_memory/{name}" for name in own} <= held
    assert (written.project, written.package) == ("plain-memory", "plain_memory")
    assert written.wheel.is_file()
    assert written.cases > 0


def test_the_program_is_the_candidates_byte_for_byte(plain_run: Run, written: Exported) -> None:
    assert plain_run.best is not None
    assert plain_run.best.source is not None
    place = written.folder / "src" / "plain_memory" / "harness"
    assert (place / "program.py").read_bytes() == plain_run.best.source.encode()
    assert Harness.open(place) == planned(plain_run, name="plain-memory").harness


def test_the_same_candidate_gives_the_same_bytes(plain_run: Run, written: Exported, tmp_path: Path) -> None:
    again = write(planned(plain_run, name="plain-memory"), READY, tmp_path / "elsewhere")
    assert digests(again.folder) == digests(written.folder)
    assert (again.folder / LISTED).read_bytes() == (written.folder / LISTED).read_bytes()


def test_the_wheel_has_the_package_and_nothing_of_this_machine(written: Exported) -> None:
    held = inside(written.wheel)
    tops = {name.partition("/")[0] for name in held}
    assert tops == {"plain_memory", "plain_memory-0.1.0.dist-info"}
    assert b"plain-memory = plain_memory.__main__:run" in held["plain_memory-0.1.0.dist-info/entry_points.txt"]
    assert "plain_memory/_evolve/agents/prompts/extract.v1.md" in held
    here = str(Path(__file__).parents[3]).encode()
    assert not [name for name, content in held.items() if here in content or str(written.folder).encode() in content]


def test_it_depends_on_what_the_program_uses_and_on_nothing_else(plain_run: Run, tmp_path: Path) -> None:
    for name, expected in (("bm25", set()), ("vector_search", {"chromadb", "numpy", "wordllama"})):
        exported = write(planned(plain_run, seed(plain_run, name).id), READY, tmp_path / name)
        stated = metadata(exported.wheel).get_all("Requires-Dist")  # type: ignore[attr-defined]
        required = {re.split("[<>=]", each)[0] for each in stated if "extra ==" not in each}
        assert required == expected
        assert not [each for each in stated if each.startswith("evolve")]
    versions = json.loads(plain_run.paths.versions.read_text())["versions"]
    pins = (exported.folder / "constraints.txt").read_text().splitlines()
    assert {f"chromadb=={versions['chromadb']}", f"numpy=={versions['numpy']}"} <= set(pins)


@pytest.mark.parametrize(
    ("license", "stated"),
    [("MIT", "MIT AND Apache-2.0"), ("none", "LicenseRef-Proprietary AND Apache-2.0"), ("Apache-2.0", "Apache-2.0")],
)
def test_the_licence_is_a_choice(plain_run: Run, tmp_path: Path, license: str, stated: str) -> None:
    exported = write(planned(plain_run, license=license), READY, tmp_path / "project")  # type: ignore[arg-type]
    assert metadata(exported.wheel)["License-Expression"] == stated
    files = {Path(name).name for name in inside(exported.wheel) if "/licenses/" in name}
    assert files == ({"LICENSE"} if license == "Apache-2.0" else {"LICENSE", "LICENSE-evolve"})
    assert "$" not in (exported.folder / "LICENSE").read_text()


def test_a_licence_that_is_not_offered_is_refused(plain_run: Run) -> None:
    with pytest.raises(ConfigError, match=r"Apache-2\.0, MIT, none"):
        planned(plain_run, license="GPL")  # type: ignore[arg-type]


def test_a_later_export_has_a_later_version_and_the_old_wheel_is_gone(plain_run: Run, tmp_path: Path) -> None:
    for version in ("0.1.0", "0.2.0rc1"):
        exported = write(planned(plain_run, version=version), READY, tmp_path / "project")
        assert metadata(exported.wheel)["Version"] == version
        assert [path.name for path in exported.wheel.parent.iterdir()] == [exported.wheel.name]
    assert f"## {version}" in (exported.folder / "CHANGELOG.md").read_text()


@pytest.mark.parametrize("version", ["", "1.", "v1.0", "01.0", "1.0 ", "1.0\n", "later"])
def test_a_version_that_pip_would_not_take_as_it_is_is_refused(plain_run: Run, version: str) -> None:
    with pytest.raises(ConfigError, match=r"such as 0\.2\.0"):
        planned(plain_run, version=version)


def test_the_readme_says_what_can_be_run(written: Exported) -> None:
    text = (written.folder / "README.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    compile(code, "README.md", "exec")
    (served,) = re.findall(r"```json\n(.*?)```", text, re.DOTALL)
    assert json.loads(served)["mcpServers"]["plain-memory"]["args"][:3] == ["-m", "plain_memory", "mcp"]
    assert "(MODEL_CARD.md)" in text
    assert f"dist/{written.wheel.name}" in text
    assert "quotes texts of the task `chronicle`; the wheel holds none" in text
    assert not re.search(r"\$\w", text), "every place of the template is filled"


def test_the_example_runs_with_the_wheel_alone(written: Exported, tmp_path: Path) -> None:
    site = tmp_path / "site"
    with zipfile.ZipFile(written.wheel) as opened:
        opened.extractall(site)
    code = f"import sys; sys.modules['evolve'] = None; sys.path.insert(0, {str(site)!r})\n{written.example}"
    done = subprocess.run([sys.executable, "-P", "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    assert "Lisbon" in done.stdout


def test_the_project_file_is_valid_whatever_the_run_is_called(plain_run: Run, tmp_path: Path) -> None:
    moved = tmp_path / 'a "run" \\ of ours'
    moved.symlink_to(plain_run.paths.root)
    run = open_run(moved)
    with pytest.raises(ConfigError, match="--name"):
        planned(run)
    exported = write(planned(run, name="ours"), READY, tmp_path / "project")
    about = tomllib.loads((exported.folder / "pyproject.toml").read_text())
    assert 'a "run" \\ of ours' in about["project"]["description"]


def test_a_program_that_asks_models_says_so(model_run: Run, tmp_path: Path) -> None:
    candidate = next(each for each in model_run.candidates if each.source and "llm_completion" in each.source)
    plan = planned(model_run, candidate.id)
    assert plan.harness.uses_llm
    assert plan.harness.model == "openai:weak"
    assert plan.harness.embedding == "openai:weak-embed"
    exported = write(plan, READY, tmp_path / "project")
    text = (exported.folder / "README.md").read_text(encoding="utf-8")
    assert 'Memory("memory/", model="openai:weak", embedding=embed)' in text
    assert "It was measured with `openai:weak`." in text
    assert exported.install == f"{exported.wheel}[openai]"
    assert not [each for each in metadata(exported.wheel).get_all("Requires-Dist") if each.startswith("wordllama")]  # type: ignore[attr-defined]


def test_an_embedding_that_no_program_asks_for_is_not_needed(model_run: Run, plain_run: Run) -> None:
    bm25 = program_of(seed(plain_run, "bm25"))
    assert harness_of(bm25, name="x", version="1", config=model_run.config).embedding == ""


@pytest.mark.parametrize(
    ("given", "project", "package"),
    [
        ("locomo-memory", "locomo-memory", "locomo_memory"),
        ("Locomo__Memory.2", "locomo-memory-2", "locomo_memory_2"),
        ("m", "m", "m"),
    ],
)
def test_names(given: str, project: str, package: str) -> None:
    assert (names(given).project, names(given).package) == (project, package)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("", "letters, digits"),
        ("-x", "letters, digits"),
        ("a b", "letters, digits"),
        ("mémoire", "letters, digits"),
        ("../up", "letters, digits"),
        ("x\n", "letters, digits"),
        ("x" * 81, "at most 80"),
        ("2024-memory", "which Python cannot"),
        ("class", "which Python cannot"),
        ("json", "module of Python's own"),
        ("evolve", "there already"),
        ("Chromadb", "there already"),
        ("mcp", "there already"),
    ],
)
def test_names_that_cannot_be_are_refused(given: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        names(given)


def test_only_what_was_measured_can_be_exported(plain_run: Run) -> None:
    with pytest.raises(ConfigError, match="has no candidate 'c999'"):
        planned(plain_run, "c999")
    rejected = replace(seed(plain_run, "bm25"), outcome="rejected", reason="it broke")
    held = Population(candidates={rejected.id: rejected})
    with pytest.raises(ConfigError, match=r"not measured to the end \(it broke\)"):
        planned(replace(plain_run, population=held), rejected.id)
    with pytest.raises(EvolveError, match="has measured no candidate yet"):
        planned(replace(plain_run, population=Population()))


def test_a_failure_leaves_nothing(plain_run: Run, tmp_path: Path) -> None:
    """The harness is not the candidate's, so that it reads otherwise than in the run."""
    plan = planned(plain_run, seed(plain_run, "vector_search").id)
    other = planned(plain_run, seed(plain_run, "bm25").id).harness
    with pytest.raises(EvolveError):
        write(Plan(plain_run, plan.candidate, other, plan.names), READY, tmp_path / "project")
    assert not list(tmp_path.iterdir())


def test_a_folder_with_something_else_is_left_alone_before_anything_is_checked(plain_run: Run, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    said: list[str] = []
    with pytest.raises(ConfigError, match="not empty"):
        export(plain_run, to=tmp_path, say=said.append)
    with pytest.raises(ConfigError, match="no folder"):
        export(plain_run, to=tmp_path / "mine.txt", say=said.append)
    assert not said
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


@pytest.fixture
def made(tmp_path: Path) -> Callable[..., Path]:
    """A draft with these files."""

    def draft(**files: str) -> Path:
        folder = tmp_path / f"draft-{len(list(tmp_path.iterdir()))}"
        for name, text in files.items():
            path = folder / name.replace("__", "/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return folder

    return draft


def contents(folder: Path) -> dict[str, str]:
    return {path: (folder / path).read_text() for path in digests(folder)}


def test_a_former_export_is_replaced_and_what_is_not_of_it_stays(made: Callable[..., Path], tmp_path: Path) -> None:
    to = tmp_path / "project"
    place(made(a="1", src__b="1", src__old="1"), to, "mine", force=False)
    (to / "notes").write_text("my own")
    place(made(a="2", src__b="1", src__new="2"), to, "mine", force=False)
    assert contents(to) == {"a": "2", "src/b": "1", "src/new": "2", "notes": "my own"}
    with pytest.raises(ConfigError, match="has the export 'mine'"):
        place(made(a="3"), to, "another", force=False)


def test_changes_of_the_owners_are_replaced_only_by_force(made: Callable[..., Path], tmp_path: Path) -> None:
    to = tmp_path / "project"
    place(made(readme="1", old="1", code="1"), to, "mine", force=False)
    (to / "readme").write_text("mine")
    (to / "old").write_text("mine")
    with pytest.raises(ConfigError, match=r"changes of yours \(old, readme\).*--force"):
        place(made(readme="2", code="2"), to, "mine", force=False)
    assert contents(to) == {"readme": "mine", "old": "mine", "code": "1"}
    place(made(readme="2", code="2"), to, "mine", force=True)
    assert contents(to) == {"readme": "2", "old": "mine", "code": "2"}


def test_an_export_that_was_broken_off_can_be_done_again(made: Callable[..., Path], tmp_path: Path) -> None:
    to = tmp_path / "project"
    place(made(a="1", b="1"), to, "mine", force=False)
    (to / "a").write_text("2")  # the first file of the second export had been moved
    place(made(a="2", b="2"), to, "mine", force=False)
    assert contents(to) == {"a": "2", "b": "2"}


def test_an_empty_folder_is_filled_and_stays_the_same_folder(made: Callable[..., Path], tmp_path: Path) -> None:
    to = tmp_path / "project"
    to.mkdir()
    before = to.stat().st_ino
    place(made(a="1", src__b="1"), to, "mine", force=False)
    assert contents(to) == {"a": "1", "src/b": "1"}
    assert to.stat().st_ino == before


@pytest.mark.parametrize("listed", ["{}", "[]", "not json", '{"name": "mine", "files": {"../outside": "0"}}'])
def test_a_list_of_files_that_is_none_is_not_believed(made: Callable[..., Path], tmp_path: Path, listed: str) -> None:
    to = tmp_path / "project"
    to.mkdir()
    (to / LISTED).write_text(listed)
    with pytest.raises(ConfigError, match="no export is in it"):
        place(made(a="1"), to, "mine", force=False)


def test_what_is_not_ready_is_said_on_the_card(plain_run: Run, tmp_path: Path) -> None:
    exported = write(planned(plain_run), UNREADY, tmp_path / "project")
    assert "a key is in line 3" in (exported.folder / "MODEL_CARD.md").read_text(encoding="utf-8")
