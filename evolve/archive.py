"""The lineage as git history: one commit and one ref per candidate, parents are parents."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING

from evolve.errors import PrerequisiteError, RunFolderError
from evolve.types import Case, Evaluation

if TYPE_CHECKING:
    import git

PREFIX = "refs/candidates/"
AUTHOR = {"GIT_AUTHOR_NAME": "evolve", "GIT_AUTHOR_EMAIL": "evolve@localhost"}
COMMITTER = {"GIT_COMMITTER_NAME": "evolve", "GIT_COMMITTER_EMAIL": "evolve@localhost"}
PROGRAM, EVALUATION, CRITIQUE = "program.py", "evaluation.json", "critique.md"


class Archive:
    """A bare repository. Only the driver writes to it; an object is there before the event that names it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._repo: git.Repo | None = None

    def commit(
        self,
        candidate: str,
        *,
        source: str | None,
        message: str,
        parents: Sequence[str],
        evaluations: Mapping[str, Evaluation],
        at: str,
        critique: str = "",
    ) -> str:
        """Commit a candidate and point its ref there; `parents` are candidate ids. Returns the commit's hash.

        `source` is None where no program came of the attempt; `critique` is how a model came to it; `evaluations` by
        split ("static", "fresh", "test"); `at` is an ISO time. Raises RunFolderError.
        """
        files = {EVALUATION: _evaluations_json(evaluations)}
        if source is not None:
            files[PROGRAM] = source.encode("utf-8", "replace")
        if critique:
            files[CRITIQUE] = critique.encode("utf-8", "replace")
        heads = [self._head(parent) for parent in parents]
        return self._write(candidate, files, message, heads, at)

    def amend(self, candidate: str, split: str, evaluation: Evaluation, *, message: str, at: str) -> str:
        """Add a later evaluation of the candidate as one more commit on its ref. Returns the commit's hash."""
        head = self._head(candidate)
        files = {name: self._show(head, name) for name in self._names(head)}
        files[EVALUATION] = _json({**json.loads(files[EVALUATION]), split: asdict(evaluation)})
        return self._write(candidate, files, message, [head], at)

    def tag_best(self, candidate: str) -> None:
        """Move the tag `best` to the candidate."""
        self._git("update-ref", "refs/tags/best", self._head(candidate))

    def cases(self, commit: str, split: str = "static") -> tuple[Case, ...]:
        """Return the full case records of a candidate's evaluation, () where it has none on that split."""
        held = json.loads(self._show(commit, EVALUATION)).get(split)
        return () if held is None else tuple(Case(**case) for case in held["cases"])

    def critique(self, commit: str) -> str:
        """Return how a model came to a candidate, in Markdown; "" where no model did."""
        return self._show(commit, CRITIQUE).decode("utf-8", "replace") if CRITIQUE in self._names(commit) else ""

    def unlock(self) -> None:
        """Remove the locks that a git killed in the middle left. Only for the driver, which is the only writer."""
        for lock in self.path.rglob("*.lock"):
            lock.unlink(missing_ok=True)

    def close(self) -> None:
        """End the git processes that GitPython keeps open."""
        if self._repo is not None:
            self._repo.close()
            self._repo = None

    def _write(self, candidate: str, files: Mapping[str, bytes], message: str, heads: Sequence[str], at: str) -> str:
        self._open(make=True)
        entries = []
        for name, content in sorted(files.items()):
            blob = self._git("hash-object", "-w", "--stdin", stdin=content)
            entries.append(f"100644 blob {blob}\t{name}")
        tree = self._git("mktree", stdin="\n".join(entries).encode() + b"\n")
        parents = [part for head in heads for part in ("-p", head)]
        dates = {"GIT_AUTHOR_DATE": at, "GIT_COMMITTER_DATE": at}
        text = message.replace("\0", "\ufffd").encode("utf-8", "replace")  # git refuses NUL; programs raise anything
        commit = self._git("commit-tree", tree, *parents, stdin=text, env=dates)
        self._git("update-ref", PREFIX + candidate, commit)
        return commit

    def _head(self, candidate: str) -> str:
        return self._git("rev-parse", "--verify", PREFIX + candidate)

    def _names(self, commit: str) -> list[str]:
        return self._git("ls-tree", "--name-only", commit).splitlines()

    def _show(self, commit: str, name: str) -> bytes:
        import git

        try:
            content: bytes = self._open().commit(commit).tree[name].data_stream.read()
        except (git.GitError, git.ODBError, ValueError, KeyError, OSError) as error:
            raise RunFolderError(f"{self.path} has no {name} at {commit[:12]} ({error}).") from None
        return content

    def _git(self, *arguments: str, stdin: bytes | None = None, env: Mapping[str, str] | None = None) -> str:
        import git

        repo = self._open()
        environment = {**AUTHOR, **COMMITTER, **(env or {})}
        try:
            with TemporaryFile() as content:
                content.write(stdin or b"")
                content.seek(0)
                # A session of its own: Ctrl-C in the terminal must not stop git half way.
                return str(
                    repo.git.execute(["git", *arguments], istream=content, env=environment, start_new_session=True)
                )
        except git.GitCommandError as error:
            words = str(error.stderr or error).strip().splitlines()
            raise RunFolderError(
                f"{self.path}: git {arguments[0]} failed: {words[-1] if words else error.status}."
            ) from None
        except OSError as error:
            raise RunFolderError(f"{self.path}: git {arguments[0]} has no room to work ({error.strerror}).") from None

    def _open(self, *, make: bool = False) -> git.Repo:
        if self._repo is None:
            try:
                import git
            except ImportError as error:  # GitPython looks for the git program when it is imported
                raise PrerequisiteError(f"git is not there ({str(error).splitlines()[0]}); install git.") from None
            if self.path.exists() and not self.path.is_dir():
                # GitPython would make the repository in the working folder instead.
                raise RunFolderError(f"{self.path} is not a usable git repository (it is a file).")
            try:
                # Making it again mends what a driver that was killed while making it left.
                self._repo = git.Repo.init(self.path, bare=True) if make else git.Repo(self.path)
            except (git.GitError, OSError) as error:
                raise RunFolderError(f"{self.path} is not a usable git repository ({error}).") from None
        return self._repo


def _evaluations_json(evaluations: Mapping[str, Evaluation]) -> bytes:
    return _json({split: asdict(evaluation) for split, evaluation in evaluations.items()})


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, indent=1, sort_keys=True).encode("utf-8", "replace") + b"\n"
