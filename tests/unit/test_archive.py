"""The lineage as git sees it: real repositories, looked at with the real git."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from evolve.archive import PACK_EVERY, Archive
from evolve.errors import RunFolderError
from evolve.types import Case, Evaluation

AT = "2026-01-02T03:04:05.678+00:00"
SOURCE = "WORD = 'naïve 東京 🙂'\n"


def case(query: str, *, read: str = "", score: float | None = 1.0) -> Case:
    fields = {"text": read, "tags": ["a", "ü"], "more": {"k": "v"}, "none": None, "n": 1}
    outcome = "infrastructure" if score is None else "scored"
    return Case(query, "scope", "category", outcome, score, "Why?", fields, read, read, "")


def evaluation(*cases: Case) -> Evaluation:
    return Evaluation("digest", cases, "behaviour", 0.5)


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    archive = Archive(tmp_path / "lineage.git")
    yield archive
    archive.close()


def commit(archive: Archive, name: str, *parents: str, message: str = "", source: str = SOURCE) -> str:
    held = {"static": evaluation(case(f"q-{name}"))}
    text = message or f"{name} 0.500 tune: what changed"
    return archive.commit(name, source=source, message=text, parents=parents, evaluations=held, at=AT)


def git(archive: Archive, *words: str) -> str:
    done = subprocess.run(["git", "-C", str(archive.path), *words], capture_output=True, text=True, check=True)
    assert "error" not in done.stderr
    return done.stdout.strip()


def test_parents_are_parents(archive: Archive) -> None:
    seeds = commit(archive, "c000"), commit(archive, "c001")
    child = commit(archive, "c002", "c000")
    merged = commit(archive, "c003", "c002", "c001")
    for number, (own, *parents) in enumerate([[seeds[0]], [seeds[1]], [child, seeds[0]], [merged, child, seeds[1]]]):
        assert git(archive, "rev-list", "--parents", "-1", f"refs/candidates/c{number:03d}").split() == [own, *parents]
    graph = git(archive, "log", "--graph", "--all", "--format=%s")
    assert all(f"c{number:03d} 0.500 tune: what changed" in graph for number in range(4))
    assert "|\\" in graph


def test_a_commit_holds_the_program_and_its_evaluation(archive: Archive) -> None:
    done = commit(archive, "c000", message="c000 0.500 seed: bets\n\nOperator: seed\n")
    assert git(archive, "ls-tree", "--name-only", done).split() == ["evaluation.json", "program.py"]
    assert git(archive, "show", f"{done}:program.py") == SOURCE.strip()
    assert git(archive, "log", "-1", "--format=%s|%b|%an|%aI", done) == (
        "c000 0.500 seed: bets|Operator: seed\n|evolve|2026-01-02T03:04:05+00:00"
    )


def test_equal_candidates_at_equal_times_have_equal_commits(tmp_path: Path) -> None:
    one, other = Archive(tmp_path / "one.git"), Archive(tmp_path / "other.git")
    assert commit(one, "c000") == commit(other, "c000")
    one.close()
    other.close()


def test_cases_come_back_as_they_were(archive: Archive) -> None:
    texts = ["", "naïve 東京 🙂", "line\nbreak\ttab\x00nul\r\u2028", "\\ud800 'quoted'"]
    cases = [case(f"q{place}", read=text) for place, text in enumerate(texts)]
    held = evaluation(*cases, case("lost", score=None))
    done = archive.commit("c000", source=SOURCE, message="m", parents=(), evaluations={"static": held}, at=AT)
    assert archive.cases(done) == held.cases
    assert archive.cases("refs/candidates/c000") == held.cases
    assert archive.cases(done, "test") == ()


def test_half_a_character_is_replaced_and_stops_nothing(archive: Archive) -> None:
    held = evaluation(case("q", read="a\ud800b"))
    done = archive.commit("c000", source=SOURCE, message="m\udfff", parents=(), evaluations={"static": held}, at=AT)
    assert archive.cases(done)[0].read == "a?b"
    assert git(archive, "log", "-1", "--format=%s", done) == "m?"


def test_what_a_program_raised_cannot_break_the_message(archive: Archive) -> None:
    """git refuses NUL in messages, and a program may raise anything."""
    done = commit(archive, "c000", message="c000 rejected seed: x\n\nReason: raised: ValueError: a\x00b\r\n# c\n")
    assert "Reason: raised: ValueError: a\ufffdb" in git(archive, "log", "-1", "--format=%B", done)


def test_a_later_evaluation_is_one_more_commit(archive: Archive) -> None:
    first = commit(archive, "c000")
    later = archive.amend("c000", "test", evaluation(case("t", score=0.25)), message="c000 test 0.250", at=AT)
    assert git(archive, "rev-list", "refs/candidates/c000").split() == [later, first]
    assert [c.query for c in archive.cases(later, "test")] == ["t"]
    assert [c.query for c in archive.cases(later, "static")] == ["q-c000"]
    assert archive.cases(first, "test") == ()
    assert git(archive, "show", f"{later}:program.py") == SOURCE.strip()


def test_the_tag_moves(archive: Archive) -> None:
    first, second = commit(archive, "c000"), commit(archive, "c001")
    archive.tag_best("c000")
    assert git(archive, "rev-parse", "best") == first
    archive.tag_best("c001")
    assert git(archive, "rev-parse", "best") == second


def test_it_is_all_there_when_opened_again(archive: Archive) -> None:
    first = commit(archive, "c000")
    archive.close()
    again = Archive(archive.path)
    second = commit(again, "c001", "c000")
    assert git(again, "rev-list", "refs/candidates/c001").split() == [second, first]
    assert [c.query for c in again.cases("refs/candidates/c000")] == ["q-c000"]
    again.close()


def test_an_attempt_that_is_done_again_moves_its_ref(archive: Archive) -> None:
    commit(archive, "c000", message="before the driver was killed")
    again = commit(archive, "c000", message="after")
    assert git(archive, "rev-list", "refs/candidates/c000").split() == [again]


def test_git_finds_nothing_wrong(archive: Archive) -> None:
    commit(archive, "c000")
    commit(archive, "c001", "c000")
    archive.amend("c001", "test", evaluation(), message="c001 test", at=AT)
    archive.tag_best("c001")
    git(archive, "fsck", "--full", "--strict")  # fails where it finds anything
    assert git(archive, "fsck", "--unreachable", "--no-progress").count("unreachable") == 0
    assert git(archive, "rev-parse", "--is-bare-repository") == "true"


def test_the_lineage_is_packed_while_it_grows(archive: Archive) -> None:
    """What is packed is read, continued and amended like what is not."""
    for number in range(PACK_EVERY + 1):
        commit(archive, f"c{number:03d}", *([f"c{number - 1:03d}"] if number else []))
    deadline = time.monotonic() + 60
    while not list(archive.path.glob("objects/pack/*.pack")) or list(archive.path.glob("objects/pack/tmp*")):
        assert time.monotonic() < deadline, "nothing was packed"
        time.sleep(0.05)
    assert [c.query for c in archive.cases("refs/candidates/c000")] == ["q-c000"]
    again = archive.amend("c000", "test", evaluation(case("t")), message="c000 test", at=AT)
    assert [c.query for c in archive.cases(again)] == ["q-c000"]
    last = commit(archive, "c900", "c511")
    archive.close()
    assert len(git(archive, "rev-list", last).split()) == PACK_EVERY + 1
    git(archive, "fsck", "--full", "--strict")


def test_a_user_may_collect_garbage_between_two_sessions(archive: Archive) -> None:
    first = commit(archive, "c000")
    archive.tag_best("c000")
    git(archive, "gc", "--quiet", "--prune=now")
    assert not (archive.path / "refs" / "candidates" / "c000").exists(), "its ref is packed"
    again = Archive(archive.path)
    second = commit(again, "c001", "c000")
    again.tag_best("c001")
    assert git(again, "rev-list", "best").split() == [second, first]
    later = again.amend("c000", "test", evaluation(), message="c000 test", at=AT)
    assert git(again, "rev-parse", "refs/candidates/c000") == later
    git(again, "fsck", "--full", "--strict")


def test_ending_it_ends_the_packing(archive: Archive) -> None:
    for number in range(PACK_EVERY):
        commit(archive, f"c{number:03d}")
    packing = archive._packing
    assert packing is not None
    archive.close()
    assert packing.poll() is not None
    git(archive, "fsck", "--full", "--strict")


def test_no_room_is_said_and_leaves_no_lock(archive: Archive) -> None:
    first = commit(archive, "c000")
    objects = archive.path / "objects"
    objects.rename(archive.path / "away")
    objects.write_bytes(b"")  # nothing can be written below a file, not even by root
    with pytest.raises(RunFolderError, match=r"lineage\.git cannot be written .*run the same command again"):
        commit(archive, "c001", "c000")
    objects.unlink()
    (archive.path / "away").rename(objects)
    assert not list(archive.path.rglob("*.lock"))
    assert git(archive, "rev-parse", "refs/candidates/c000") == first
    commit(archive, "c001", "c000")


@pytest.mark.parametrize("missing", ["refs/candidates/c999", "0" * 40, "best"])
def test_what_is_not_there_is_said(archive: Archive, missing: str) -> None:
    commit(archive, "c000")
    with pytest.raises(RunFolderError, match=r"lineage\.git has no evaluation\.json"):
        archive.cases(missing)


def test_a_parent_that_is_not_there_is_said(archive: Archive) -> None:
    commit(archive, "c000")
    with pytest.raises(RunFolderError, match=r"lineage\.git has no candidate c001"):
        commit(archive, "c002", "c001")
    with pytest.raises(RunFolderError, match=r"lineage\.git has no candidate c001"):
        archive.tag_best("c001")


def test_reading_makes_no_repository(archive: Archive) -> None:
    with pytest.raises(RunFolderError, match="not a usable git repository"):
        archive.cases("refs/candidates/c000")
    assert not archive.path.exists()


def test_a_repository_half_made_by_a_killed_driver_is_made(archive: Archive) -> None:
    (archive.path / "refs").mkdir(parents=True)
    (archive.path / "HEAD").write_text("ref: refs/heads/ma")
    done = commit(archive, "c000")
    assert git(archive, "rev-parse", "refs/candidates/c000") == done


def test_the_locks_of_a_killed_git_are_removed(archive: Archive) -> None:
    commit(archive, "c000")
    lock = archive.path / "refs" / "candidates" / "c000.lock"
    lock.touch()
    with pytest.raises(RunFolderError, match="refs/candidates/c000 is locked"):
        commit(archive, "c000")
    archive.unlock()
    commit(archive, "c000")
    assert not lock.exists()


def test_a_file_in_its_place_is_said(archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive.path.write_text("not a folder")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    with pytest.raises(RunFolderError, match=r"lineage\.git"):
        commit(archive, "c000")
    assert not list(Path.cwd().iterdir()), "no repository is made in the working folder instead"


def test_nobody_signs_but_evolve(archive: Archive) -> None:
    """A lineage can be passed on: it has no user's name in it."""
    done = commit(archive, "c000")
    assert git(archive, "log", "-1", "--format=%an <%ae> %cn <%ce>", done) == (
        "evolve <evolve@localhost> evolve <evolve@localhost>"
    )


def test_a_critique_is_kept_with_the_program_and_through_later_evaluations(archive: Archive) -> None:
    held = {"static": evaluation(case("q"))}
    archive.commit(
        "c000",
        source=SOURCE,
        message="c000",
        parents=(),
        evaluations=held,
        at=AT,
        critique="## Diagnosis\nToo little.\n",
    )
    archive.amend("c000", "test", evaluation(case("t")), message="c000 test", at=AT)
    assert archive.critique("refs/candidates/c000") == "## Diagnosis\nToo little.\n"
    assert git(archive, "show", "refs/candidates/c000:program.py") == SOURCE.strip()
    assert archive.critique(commit(archive, "c001")) == ""


def test_an_attempt_without_a_program_keeps_its_critique(archive: Archive) -> None:
    commit(archive, "c000")
    archive.commit(
        "c001", source=None, message="c001", parents=("c000",), evaluations={}, at=AT, critique="three broken patches\n"
    )
    assert git(archive, "ls-tree", "--name-only", "refs/candidates/c001").split() == ["critique.md", "evaluation.json"]
    assert archive.critique("refs/candidates/c001") == "three broken patches\n"


def test_a_parent_is_the_commit_that_is_named_or_the_candidates_last_one(archive: Archive) -> None:
    first = commit(archive, "c000")
    later = archive.amend("c000", "test", evaluation(case("q-test")), message="c000 test", at=AT)
    named, known = commit(archive, "c001", first), commit(archive, "c002", "c000")
    repository = archive._open()
    assert [parent.hexsha for parent in repository.commit(named).parents] == [first]
    assert [parent.hexsha for parent in repository.commit(known).parents] == [later]
