"""The sandbox image: built once from what ships in `sandboxes/`, and named by its content."""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from evolve.errors import PrerequisiteError
from evolve.paths import sandboxes_dir
from evolve.sandbox.base import Say

if TYPE_CHECKING:
    import docker

REPOSITORY = "evolve-sandbox"
BUILD_FAILED = "the sandbox image could not be built"


@dataclass(frozen=True, slots=True)
class Image:
    """An image that is there."""

    tag: str
    """evolve-sandbox:<first 12 digits of the content's sha256>."""
    id: str
    size_mb: float
    build_seconds: float | None
    """None where it was there already."""


def image_tag() -> str:
    """Return the tag that belongs to the files of `sandboxes/` as they are now."""
    digest = hashlib.sha256()
    for path in sorted(sandboxes_dir().iterdir()):
        if path.is_file():
            digest.update(f"{path.name}\0".encode() + path.read_bytes() + b"\0")
    return f"{REPOSITORY}:{digest.hexdigest()[:12]}"


def ensure_image(client: docker.DockerClient, *, say: Say | None = None) -> Image:
    """Return the image, building it where it is missing. Raises PrerequisiteError with the last words of the build."""
    import docker

    tag, seconds = image_tag(), None
    try:
        image = client.images.get(tag)
    except docker.errors.ImageNotFound:
        if say is not None:
            say(f"building the sandbox image {tag}; this happens once and takes about a minute")
        began = time.monotonic()
        try:
            image, _ = client.images.build(path=str(sandboxes_dir()), tag=tag, rm=True, forcerm=True)
        except docker.errors.BuildError as error:
            words = [str(line.get("stream", line.get("error", ""))).strip() for line in error.build_log]
            last = next((line for line in reversed(words) if line), str(error))
            raise PrerequisiteError(f"{BUILD_FAILED}: {last[:300]}") from None
        except docker.errors.APIError as error:
            raise PrerequisiteError(f"{BUILD_FAILED}: {error.explanation}") from None
        seconds = time.monotonic() - began
    return Image(tag, str(image.id), image.attrs["Size"] / 1e6, seconds)


def pack(client: docker.DockerClient) -> bytes:
    """Return the image of this engine as an archive, name and all. Raises PrerequisiteError where it is not there."""
    import docker

    try:
        return b"".join(client.api.get_image(image_tag()))
    except docker.errors.DockerException as error:
        raise PrerequisiteError(f"the sandbox image {image_tag()} cannot be shipped from here: {error}") from None


def unpack(client: docker.DockerClient, packed: bytes) -> None:
    """Give the engine an image that another one packed. Raises PrerequisiteError where it does not take it."""
    import docker

    try:
        client.images.load(packed)
        client.images.get(image_tag())
    except docker.errors.DockerException as error:
        raise PrerequisiteError(f"the sandbox image {image_tag()} could not be unpacked: {error}") from None
