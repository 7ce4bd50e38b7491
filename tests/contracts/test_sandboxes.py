"""Both sandboxes pass the contract that ships with the package."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from evolve.sandbox.base import Sandbox
from evolve.sandbox.docker import DockerSandbox
from evolve.sandbox.process import ProcessSandbox, bubblewrap_works
from evolve.testing.programs import LIMITS
from evolve.testing.sandbox_contract import SandboxContract


@pytest.fixture(scope="module")
def process() -> Iterator[Sandbox]:
    sandbox = ProcessSandbox(LIMITS, warm=2)
    yield sandbox
    sandbox.close()


@pytest.fixture(scope="module")
def docker() -> Iterator[Sandbox]:
    sandbox = DockerSandbox(LIMITS, warm=2)
    yield sandbox
    sandbox.close()


class TestProcess(SandboxContract):
    @pytest.fixture
    def sandbox(self, process: Sandbox) -> Sandbox:
        return process

    @pytest.mark.xfail(not bubblewrap_works(), reason="without bubblewrap /tmp is everybody's", strict=True)
    def test_boxes_do_not_see_each_other(self, sandbox: Sandbox) -> None:
        super().test_boxes_do_not_see_each_other(sandbox)


@pytest.mark.docker
class TestDocker(SandboxContract):
    @pytest.fixture
    def sandbox(self, docker: Sandbox) -> Sandbox:
        return docker
