"""Where an export goes: into an empty folder, or over the former export of the same name, and never over anything else.

What was written is listed in a file of the project's, with digests: only that is replaced or removed later.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from evolve.errors import ConfigError, EvolveError

LISTED = ".evolve-export.json"
"""Name and files of an export, in its folder."""
_SHOWN = 3


def former(folder: Path, project: str) -> dict[str, str]:
    """Return the files of the former export in a folder, with their digests; {} where the folder is empty or not there.

    Raises ConfigError where the folder holds something else.
    """
    wish = "give an empty folder, or a new one, with --to"
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise ConfigError(f"{folder} is no folder; {wish}.")
    if not folder.exists() or not any(folder.iterdir()):
        return {}
    try:
        held = json.loads((folder / LISTED).read_text(encoding="utf-8"))
        name, files = str(held["name"]), {str(path): str(digest) for path, digest in held["files"].items()}
        if any(Path(path).is_absolute() or ".." in Path(path).parts for path in files):
            raise ValueError(files)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise ConfigError(f"{folder} is not empty, and no export is in it; {wish}.") from None
    if name != project:
        raise ConfigError(f"{folder} has the export {name!r}, not {project!r}; {wish}.")
    return files


@contextmanager
def draft(folder: Path) -> Iterator[Path]:
    """Lend a new folder beside the one that is meant, and remove it, or what is left of it, in the end."""
    made = folder.absolute().with_name(f".{folder.name or 'export'}-{uuid.uuid4().hex[:12]}")
    try:
        made.mkdir(parents=True)
        yield made
    except OSError as error:
        where = error.filename or folder
        raise EvolveError(f"{where} cannot be written ({error.strerror}); make room, or give another --to.") from None
    finally:
        shutil.rmtree(made, ignore_errors=True)


def place(made: Path, folder: Path, project: str, *, force: bool) -> None:
    """Move the files of a draft to where they belong, and list them there.

    A former export's files that are no part of this one are removed. Files that its owner changed since stay as they
    are, and everything else with them, but with `force`. Raises ConfigError.
    """
    before, now = former(folder, project), digests(made)
    changed = [path for path in sorted({*before, *now}) if _is_owners(folder / path, before.get(path), now.get(path))]
    if changed and not force:
        named = ", ".join([*changed[:_SHOWN], *(["..."] if len(changed) > _SHOWN else [])])
        raise ConfigError(f"{folder} has changes of yours ({named}); move them away, or replace them with --force.")
    (made / LISTED).write_text(json.dumps({"name": project, "files": now}, indent=1) + "\n", encoding="utf-8")
    if not folder.exists():
        made.replace(folder)
        return
    for path in [*now, LISTED]:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (made / path).replace(folder / path)
    for path in before.keys() - now.keys() - set(changed):
        (folder / path).unlink(missing_ok=True)


def digests(folder: Path) -> Mapping[str, str]:
    """Return the sha256 of every file below a folder, by its path."""
    return {
        path.relative_to(folder).as_posix(): _digest(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != LISTED
    }


def _is_owners(path: Path, was: str | None, will_be: str | None) -> bool:
    """Return whether a file is there that an export neither wrote nor would write."""
    return path.is_file() and _digest(path) not in (was, will_be)


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
