"""Containers that a killed run left are found and removed, and nobody else's."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from evolve.config import Limits
from evolve.sandbox.docker import LABEL, DockerSandbox, connect

pytestmark = pytest.mark.alone


@pytest.fixture
def client() -> Iterator[Any]:
    client = connect()
    yield client
    client.close()


@pytest.mark.docker
def test_check_removes_the_containers_of_a_dead_process_only(client: Any) -> None:
    sandbox = DockerSandbox(Limits(), warm=0)
    box = sandbox.start()
    owned = client.api.containers(all=True, filters={"label": LABEL})
    owner = owned[0]["Labels"][LABEL]
    host = owner.rsplit(":", 2)[0]
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    left = client.containers.create(
        sandbox.image.tag, command=["{}"], labels={LABEL: f"{host}:{dead.pid}:1"}, network_mode="none"
    )
    strange = client.containers.create(sandbox.image.tag, command=["{}"], network_mode="none")
    try:
        done = subprocess.run(
            [sys.executable, "-m", "evolve", "check"], capture_output=True, text=True, env=os.environ, timeout=250
        )
        assert "leftovers: 1 removed" in done.stdout, done.stdout
        there = {container["Id"] for container in client.api.containers(all=True)}
        assert left.id not in there
        assert strange.id in there
        assert owned[0]["Id"] in there
        assert not box.ended
    finally:
        strange.remove(force=True)
        sandbox.close()
