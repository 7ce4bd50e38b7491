"""A memory's folder on disk: whose it is, and where each scope is."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from evolve.harness.errors import FolderError
from evolve.harness.program import Harness

FORMAT = 1
"""Version of the folder's layout; a folder of a newer one is refused."""
_GONE, _NAME = ".gone-", "name.json"


class Folder:
    """One memory's folder.

    memory/
    ├── harness.json            which harness writes here, and the format; made with the first write
    ├── lock                    held while a scope's folder is made, or taken away
    └── scopes/<hash>/          one scope: its name, its log, its snapshot, its lock
    """

    def __init__(self, root: Path, harness: Harness) -> None:
        """Take the folder as it is, there or not. Raises FolderError where it is not this harness's."""
        self.root = root
        self._harness = harness
        self._scopes = root / "scopes"
        self._marker = root / "harness.json"
        with _disk(root):
            if root.exists() and not root.is_dir():
                raise FolderError(f"{root} is a file; give the path of a folder.")
            self._check()
            self._sweep()

    def scope(self, scope: str) -> Path:
        """Return where a scope is, or will be."""
        return self._scopes / hashlib.sha256(scope.encode()).hexdigest()[:32]

    def names(self) -> list[str]:
        """Return the names of all scopes, in alphabetical order."""
        with _disk(self.root):
            found = []
            for file in self._scopes.glob(f"[!.]*/{_NAME}"):
                with contextlib.suppress(FileNotFoundError):  # taken away meanwhile
                    found.append(str(json.loads(file.read_text(encoding="utf-8"))))
            return sorted(found)

    def has(self, scope: str) -> bool:
        """Return whether there is a scope of this name."""
        return (self.scope(scope) / _NAME).exists()

    def make(self, scope: str) -> None:
        """Make a scope's folder where there is none. Raises FolderError."""
        with _disk(self.root):
            self._scopes.mkdir(parents=True, exist_ok=True)
            with self.locked():
                if not self._check():
                    _write(self._marker, json.dumps(self._mark(), indent=2) + "\n")
                folder = self.scope(scope)
                folder.mkdir(exist_ok=True)
                if not self.has(scope):
                    _write(folder / _NAME, json.dumps(scope))

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Be the only one, of all threads and processes, to make a scope's folder or to take it away."""
        with (self.root / "lock").open("ab") as file:  # opened anew each time: threads take turns, too
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def remove(self, path: Path) -> None:
        """Take a scope's folder away; whoever has it open sees that it has moved."""
        gone = self._scopes / f"{_GONE}{uuid.uuid4().hex}"
        with _disk(self.root), self.locked():
            path.rename(gone)
            _sync(self._scopes)
        shutil.rmtree(gone, ignore_errors=True)

    def _sweep(self) -> None:
        """Remove what was taken away when a process was killed before it was removed."""
        if self._scopes.is_dir():
            for path in self._scopes.glob(f"{_GONE}*"):
                shutil.rmtree(path, ignore_errors=True)

    def _mark(self) -> dict[str, object]:
        harness = self._harness
        return {
            "name": harness.name,
            "digest": harness.digest,
            "embedding": harness.embedding,
            "format": FORMAT,
        }

    def _check(self) -> bool:
        """Return whether the folder has a mark. Raises FolderError where it is another harness's."""
        try:
            mark = json.loads(self._marker.read_text(encoding="utf-8"))
            name, digest, embedding = str(mark["name"]), str(mark["digest"]), str(mark["embedding"])
            newer = int(mark["format"]) > FORMAT
        except FileNotFoundError:
            return False
        except (ValueError, KeyError, TypeError):
            raise FolderError(f"{self._marker} is damaged: restore it from a backup.") from None
        own = self._harness
        if newer:
            raise FolderError(
                f"{self.root} has the newer format {mark['format']}, written by {name}; this {own.name} reads up to "
                f"format {FORMAT}: install a newer version."
            )
        if digest != own.digest:
            raise FolderError(
                f"{self.root} is a memory of the harness {name} ({digest[:12]}), not of {own.name} "
                f"({own.digest[:12]}): give a folder of its own."
            )
        if embedding != own.embedding:
            raise FolderError(
                f"{self.root} was written with {_named(embedding)}, not with {_named(own.embedding)}: their vectors "
                "cannot be compared; open it as it was written."
            )
        return True


def _named(embedding: str) -> str:
    return f"the embedding {embedding!r}" if embedding else "the packaged embedding"


@contextmanager
def _disk(root: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise FolderError(f"the memory's folder {root} cannot be used ({reason}): check its disk and rights.") from None


def _write(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    made = path.with_name(f".{path.name}-{uuid.uuid4().hex}")
    with made.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    made.replace(path)
    _sync(path.parent)


def _sync(folder: Path) -> None:
    """Have the names in a folder on the disk."""
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
