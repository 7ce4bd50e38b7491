"""What all tests share: no keys, a Docker engine or a clear reason, and the benchmark data where it is."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    import docker

# Machines that share their cores are slow at times: that is no failure. The same cases on every run.
settings.register_profile("evolve", deadline=None, derandomize=True)
settings.load_profile("evolve")


def pytest_configure() -> None:
    """Take every provider's key away, so that no test can spend money or depend on one.

    And have numpy add up here as it does in the sandboxes, whose environment is empty: where a processor is named to
    OpenBLAS, the last digits of its sums are that processor's.
    """
    for name in [name for name in os.environ if name.endswith("_API_KEY") or name.startswith("OPENBLAS_")]:
        del os.environ[name]
    os.environ["OPENBLAS_NUM_THREADS"] = "1"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let what tries the sandboxes themselves run beside nothing else."""
    for item in items:
        if not {"contracts", "hostile"}.isdisjoint(item.path.parts):
            item.add_marker("alone")


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Let tests marked `docker` run only where an engine answers."""
    if item.get_closest_marker("docker") is not None:
        require_engine()


def require_engine() -> None:
    """Skip the test where no Docker engine answers; fail it where EVOLVE_REQUIRE_DOCKER=1 says that one must."""
    problem = _engine_problem()
    if problem is None:
        return
    if os.environ.get("EVOLVE_REQUIRE_DOCKER") == "1":
        pytest.fail(f"EVOLVE_REQUIRE_DOCKER=1 and {problem}", pytrace=False)
    pytest.skip(problem)


@cache
def _engine_problem() -> str | None:
    import docker

    try:
        client = docker.from_env(timeout=20)
        client.ping()
    except docker.errors.DockerException as error:
        return f"no Docker engine answers: {error}"
    client.close()
    return None


@pytest.fixture(scope="session")
def docker_engine() -> Iterator[docker.DockerClient]:
    """A client of the engine that answers; skips or fails as `require_engine` does."""
    import docker

    require_engine()
    client = docker.from_env()
    yield client
    client.close()


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of benchmark data, $EVOLVE_DATA; skips where it is absent."""
    value = os.environ.get("EVOLVE_DATA", "")
    if not value:
        pytest.skip("EVOLVE_DATA is not set; it names the folder of benchmark data")
    folder = Path(value)
    if not folder.is_dir():
        pytest.skip(f"EVOLVE_DATA={value} is not a folder")
    return folder
