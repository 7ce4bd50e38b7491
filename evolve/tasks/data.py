"""Where benchmark files live, and how a missing one is fetched once."""

from __future__ import annotations

import hashlib
import http.client
import os
import tempfile
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from evolve.errors import PrerequisiteError

CHUNK_BYTES = 1 << 20
TIMEOUT_SECONDS = 30
"""For each network wait, not for the whole download."""


def data_folder() -> Path:
    """Return $EVOLVE_DATA, else `evolve` in the user's cache folder ($XDG_CACHE_HOME, or ~/.cache)."""
    if chosen := os.environ.get("EVOLVE_DATA"):
        return Path(chosen).expanduser()
    cache = os.environ.get("XDG_CACHE_HOME")
    return (Path(cache) if cache else Path.home() / ".cache") / "evolve"


@dataclass(frozen=True, slots=True)
class Source:
    """One file of a benchmark, and where it is published."""

    path: str
    """Below the data folder."""
    url: str
    sha256: str
    """Hexadecimal; "" where none is known, for a file whose address names a version that does not change."""
    licence: str
    instead: tuple[str, ...] = ()
    """Files below the data folder that have the same content in another form, any of which will do."""

    def found(self) -> Path | None:
        """Return the file, or what stands for it, where it is there."""
        paths = (data_folder() / name for name in (self.path, *self.instead))
        return next((path for path in paths if path.is_file()), None)


def data_file(source: Source) -> Path:
    """Return the path of a benchmark file, downloading it when it is not in the data folder.

    The content has the source's checksum, where one is known. Raises `PrerequisiteError` where it has not, or cannot
    be had.
    """
    path = data_folder() / source.path
    by_hand = f"Put the file from {source.url} at {path} by hand (licence {source.licence})"
    if path.is_file():
        if source.sha256 and (found := _sha256(path)) != source.sha256:
            raise PrerequisiteError(
                f"{path} is not the expected file: found sha256 {found[:12]}..., expected {source.sha256[:12]}.... "
                f"Delete it to have it downloaded again. {by_hand}."
            )
        return path
    try:
        _download(source.url, path, source.sha256)
    except (OSError, http.client.HTTPException) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise PrerequisiteError(
            f"{path} is missing, and downloading it from {source.url} failed: {reason}. {by_hand}, or set EVOLVE_DATA "
            "to the folder that has it."
        ) from None
    return path


def _download(url: str, path: Path, sha256: str) -> None:
    """Fetch to a temporary file beside `path`; only a file with the right checksum gets the name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    partial = Path(name)
    try:
        with os.fdopen(handle, "wb") as target, urllib.request.urlopen(url, timeout=TIMEOUT_SECONDS) as source:
            while chunk := source.read(CHUNK_BYTES):
                target.write(chunk)
        if sha256 and (found := _sha256(partial)) != sha256:
            raise OSError(f"the download has sha256 {found[:12]}..., expected {sha256[:12]}...")
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
