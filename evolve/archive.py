"""The lineage as git history: one commit and one ref per candidate, parents are parents.

Objects and refs are written here, in git's own format: GitPython starts a git process for each, which would cost more
than all else that a run does to keep a candidate. Reading is GitPython's, packing git's.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from hashlib import sha1
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zlib import compress

from evolve.errors import PrerequisiteError, RunFolderError
from evolve.types import Case, Evaluation, Operation

if TYPE_CHECKING:
    import git

PREFIX = "refs/candidates/"
AUTHOR = "evolve <evolve@localhost>"
PROGRAM, EVALUATION, CRITIQUE = "program.py", "evaluation.json", "critique.md"
PACK_EVERY = 512
"""Commits after which loose objects are packed: many small files are slow to copy, and take twice the room."""


HASH = 40
"""Letters of a commit's name; no candidate's id is as long."""


class Archive:
    """A bare repository. Only the driver writes to it; an object is there before the event that names it.

    What is written outlives the process at once; as with git, only refs wait for the disk.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._repo: git.Repo | None = None
        self._made = False
        self._heads: dict[str, str] = {}
        self._loose = 0
        self._packing: subprocess.Popen[bytes] | None = None

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
        """Commit a candidate and point its ref there; `parents` are commits, or ids. Returns the commit's hash.

        `source` is None where no program came of the attempt; `critique` is how a model came to it; `evaluations` by
        split ("static", "fresh", "test"); `at` is an ISO time. Raises RunFolderError.
        """
        self._open(make=True)
        heads = [parent if len(parent) == HASH else self._head(parent) for parent in parents]
        files = {EVALUATION: self._store("blob", _json(evaluations))}
        if source is not None:
            files[PROGRAM] = self._store("blob", source.encode("utf-8", "replace"))
        if critique:
            files[CRITIQUE] = self._store("blob", critique.encode("utf-8", "replace"))
        return self._commit(candidate, files, message, heads, at)

    def amend(self, candidate: str, split: str, evaluation: Evaluation, *, message: str, at: str) -> str:
        """Add a later evaluation of the candidate as one more commit on its ref. Returns the commit's hash."""
        self._open(make=True)
        head = self._head(candidate)
        held = {**json.loads(self._show(head, EVALUATION)), split: evaluation}
        files = {**self._files(head), EVALUATION: self._store("blob", _json(held))}
        return self._commit(candidate, files, message, [head], at)

    def tag_best(self, candidate: str) -> None:
        """Move the tag `best` to the candidate."""
        self._point("refs/tags/best", self._head(candidate))

    def cases(self, commit: str, split: str = "static") -> tuple[Case, ...]:
        """Return the full case records of a candidate's evaluation, () where it has none on that split."""
        held = json.loads(self._show(commit, EVALUATION)).get(split)
        return () if held is None else tuple(Case(**case) for case in held["cases"])

    def operations(self, commit: str, split: str = "static") -> dict[str, Operation]:
        """Return what the writes and reads of a candidate's evaluation came to, {} where it has none on that split."""
        held = json.loads(self._show(commit, EVALUATION)).get(split) or {}
        return {name: Operation(**each) for name, each in held.get("operations", {}).items()}

    def critique(self, commit: str) -> str:
        """Return how a model came to a candidate, in Markdown; "" where no model did."""
        return self._show(commit, CRITIQUE).decode("utf-8", "replace") if CRITIQUE in self._files(commit) else ""

    def unlock(self) -> None:
        """Remove the locks that a git killed in the middle left. Only for the driver, which is the only writer."""
        for folder, pattern in ((self.path, "*.lock"), (self.path / "refs", "**/*.lock")):
            for lock in folder.glob(pattern):
                lock.unlink(missing_ok=True)

    def close(self) -> None:
        """End the packing that is at work, if any; what it has not packed stays as it is."""
        if self._repo is not None:
            self._repo.close()
            self._repo = None
        if self._packing is not None:
            self._packing.terminate()
            self._packing.wait()
            self._packing = None

    def _commit(self, candidate: str, files: Mapping[str, str], message: str, heads: Sequence[str], at: str) -> str:
        tree = b"".join(b"100644 %s\0%s" % (name.encode(), bytes.fromhex(files[name])) for name in sorted(files))
        when = datetime.fromisoformat(at)
        who = f"{AUTHOR} {int(when.timestamp())} {when:%z}"
        lines = [f"tree {self._store('tree', tree)}", *(f"parent {head}" for head in heads)]
        text = message.replace("\0", "\ufffd")  # git refuses NUL in messages, and a program may raise anything
        lines += [f"author {who}", f"committer {who}", "", text]
        commit = self._store("commit", "\n".join(lines).encode("utf-8", "replace"))
        self._point(PREFIX + candidate, commit)
        self._heads[candidate] = commit
        self._loose += 1
        if self._loose >= PACK_EVERY:
            self._pack()
        return commit

    def _store(self, kind: str, content: bytes) -> str:
        """Write a loose object; returns its hash. It has its name only when all of it is there."""
        data = b"%s %d\0%s" % (kind.encode(), len(content), content)
        name = sha1(data, usedforsecurity=False).hexdigest()
        draft, place = self.path / "objects" / "tmp_obj_evolve", self.path / "objects" / name[:2] / name[2:]
        try:
            draft.write_bytes(compress(data, level=1))
            place.parent.mkdir(exist_ok=True)
            draft.replace(place)
        except OSError as error:
            raise self._no_room(error) from None
        return name

    def _point(self, ref: str, commit: str) -> None:
        """Move a ref as git does: the new value is written into the ref's lock, which then takes the ref's name."""
        place = self.path / ref
        lock = place.with_name(f"{place.name}.lock")
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            with lock.open("x", encoding="ascii") as file:
                file.write(f"{commit}\n")
                file.flush()
                os.fsync(file.fileno())
            lock.replace(place)
        except FileExistsError:
            raise RunFolderError(f"{self.path}: {ref} is locked by another git; wait for it to end.") from None
        except OSError as error:
            lock.unlink(missing_ok=True)
            raise self._no_room(error) from None

    def _pack(self) -> None:
        """Pack what is loose while the run goes on: readers find an object in its pack before it is loose no more."""
        if self._packing is None or self._packing.poll() is not None:
            command = ["git", f"--git-dir={self.path}", "-c", "pack.threads=1", "repack", "-d", "-q"]
            none = subprocess.DEVNULL
            self._packing = subprocess.Popen(command, stdin=none, stdout=none, stderr=none, start_new_session=True)
            self._loose = 0

    def _head(self, candidate: str) -> str:
        if candidate not in self._heads:
            listed = self._open().git.for_each_ref("--format=%(refname) %(objectname)", PREFIX)
            self._heads = dict(line.removeprefix(PREFIX).split() for line in listed.splitlines())
        if candidate not in self._heads:
            raise RunFolderError(f"{self.path} has no candidate {candidate}, which the journal names; it was changed.")
        return self._heads[candidate]

    def _files(self, commit: str) -> dict[str, str]:
        """Return the hash of each file by its name."""
        return {blob.name: blob.hexsha for blob in self._open().commit(commit).tree.blobs}

    def _show(self, commit: str, name: str) -> bytes:
        import git

        try:
            content: bytes = self._open().commit(commit).tree[name].data_stream.read()
        except (git.GitError, git.ODBError, ValueError, KeyError, OSError) as error:
            raise RunFolderError(f"{self.path} has no {name} at {commit[:12]} ({error}).") from None
        return content

    def _open(self, *, make: bool = False) -> git.Repo:
        """Open the repository; to make it again mends what a driver that was killed while making it left."""
        if self._repo is None or make > self._made:
            try:
                import git
            except ImportError as error:  # GitPython looks for the git program when it is imported
                raise PrerequisiteError(f"git is not there ({str(error).splitlines()[0]}); install git.") from None
            if self.path.exists() and not self.path.is_dir():
                # GitPython would make the repository in the working folder instead.
                raise RunFolderError(f"{self.path} is not a usable git repository (it is a file).")
            try:
                self._repo = git.Repo.init(self.path, bare=True, object_format="sha1") if make else git.Repo(self.path)
            except (git.GitError, OSError) as error:
                raise RunFolderError(f"{self.path} is not a usable git repository ({error}).") from None
            self._made = make
        return self._repo

    def _no_room(self, error: OSError) -> RunFolderError:
        return RunFolderError(
            f"{self.path} cannot be written ({error.strerror}); "
            "make room or permit it, then run the same command again."
        )


def _json(evaluations: Mapping[str, Any]) -> bytes:
    """Return evaluations by split as JSON, a case a line: who reads it in git sees which case changed."""
    parts = []
    for split, held in sorted(evaluations.items()):
        fields: dict[str, Any] = dict(held) if isinstance(held, Mapping) else _fields(held)
        cases = ",\n".join(_line(case) for case in fields.pop("cases"))
        parts.append(f'{_line(split)}: {{"cases": [\n{cases}\n],\n{_line(fields)[1:]}')
    return ("{\n" + ",\n".join(parts) + "\n}\n").encode("utf-8", "replace")


def _line(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, default=_fields)


def _fields(value: Any) -> dict[str, object]:
    """A value's fields as they are; `asdict` would copy every text list and mapping in them first."""
    return {field.name: getattr(value, field.name) for field in fields(value)}
