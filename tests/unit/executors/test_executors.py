"""Both executors keep one small contract; Ray also replaces workers that die."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from evolve.errors import ConfigError, PrerequisiteError, ProgramError
from evolve.executors.base import Executor, Key
from evolve.executors.ray import Cluster, RayExecutor
from evolve.executors.serial import SerialExecutor

Job = tuple[str, str]
STAGES: list[tuple[Key, str]] = []


@dataclass(frozen=True, slots=True)
class Helper:
    """A worker that does what its job says, and leaves a mark when it is closed."""

    closed: Path

    def run(self, job: Job, stage: Callable[[str], None], /) -> str:
        what, word = job
        stage(f"at {word}")
        match what:
            case "sleep":
                time.sleep(2.0)
            case "fail":
                raise PrerequisiteError(word)
            case "break the contract":
                raise ProgramError(line=3, found=word, expected="better")
            case "die once" if not Path(word).exists():
                Path(word).touch()
                os._exit(3)
        return f"{what} {word}"

    def close(self) -> None:
        """Leave a mark."""
        (self.closed / f"{os.getpid()}-{threading.get_ident()}").touch()


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("closed")


def hear(key: Key, text: str) -> None:
    STAGES.append((key, text))


def ended(executor: Executor[Job, str]) -> tuple[Key, str]:
    """The next job that is done, whatever else changes meanwhile."""
    while (done := executor.next()) is None:
        pass
    return done


@pytest.fixture(scope="module")
def ray(closed: Path) -> Iterator[RayExecutor[Job, str]]:
    cluster = Cluster(2, "")
    executor: RayExecutor[Job, str] = RayExecutor(cluster, partial(Helper, closed), hear)
    yield executor
    executor.close()
    cluster.close()


@pytest.fixture(params=["serial", "ray"])
def executor(request: pytest.FixtureRequest, tmp_path: Path) -> Executor[Job, str]:
    if request.param == "serial":
        return SerialExecutor(partial(Helper, tmp_path), hear)
    found: RayExecutor[Job, str] = request.getfixturevalue("ray")
    return found


def test_every_job_comes_back_under_its_key(executor: Executor[Job, str]) -> None:
    waiting = [(number, ("echo", str(number))) for number in range(5)]
    at_work, done = 0, {}
    while waiting or at_work:
        while waiting and at_work < executor.slots:
            executor.submit(*waiting.pop(0))
            at_work += 1
        key, result = ended(executor)
        done[key] = result
        at_work -= 1
    assert done == {number: f"echo {number}" for number in range(5)}


def test_keys_may_be_words(executor: Executor[Job, str]) -> None:
    executor.submit("c007", ("echo", "x"))
    assert ended(executor) == ("c007", "echo x")


def test_stages_are_heard(executor: Executor[Job, str]) -> None:
    executor.submit(11, ("sleep", "noon"))
    ended(executor)
    assert (11, "at noon") in STAGES


def test_a_change_of_stage_is_told_before_the_job_is_done(ray: RayExecutor[Job, str]) -> None:
    ray.submit(12, ("sleep", "dusk"))
    while (12, "at dusk") not in STAGES:
        assert ray.next() is None
    assert ended(ray) == (12, "sleep dusk")


def test_an_error_comes_out_as_itself_and_the_executor_goes_on(executor: Executor[Job, str]) -> None:
    executor.submit(1, ("fail", "no engine"))
    with pytest.raises(PrerequisiteError, match=r"^no engine$") as caught:
        ended(executor)
    assert caught.value.exit_code == 3
    executor.submit(2, ("break the contract", "this"))
    with pytest.raises(ConfigError) as broken:
        ended(executor)
    assert str(broken.value) == "program, line 3: found this; expected better."
    executor.submit(3, ("echo", "again"))
    assert ended(executor) == (3, "echo again")


def test_serial_does_jobs_in_the_order_of_their_submission(tmp_path: Path) -> None:
    executor: SerialExecutor[Job, str] = SerialExecutor(partial(Helper, tmp_path), hear)
    executor.submit(1, ("echo", "a"))
    executor.submit(2, ("echo", "b"))
    assert [ended(executor)[0], ended(executor)[0]] == [1, 2]
    executor.close()
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.timeout(120)
def test_a_worker_that_dies_is_replaced_and_its_job_done_again(ray: RayExecutor[Job, str], tmp_path: Path) -> None:
    marker = str(tmp_path / "died")
    ray.submit(1, ("die once", marker))
    ray.submit(2, ("sleep", "meanwhile"))
    done = dict([ended(ray), ended(ray)])
    assert done == {1: f"die once {marker}", 2: "sleep meanwhile"}
