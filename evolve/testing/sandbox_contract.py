"""What every sandbox must do. Subclass it, give one fixture, and pytest runs it against yours:

class TestMySandbox(SandboxContract):
    @pytest.fixture
    def sandbox(self): ...   # an open Sandbox with the limits of `LIMITS`; best kept for the whole module
"""

from __future__ import annotations

import contextlib
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from evolve.errors import EvolveError, ProgramFault
from evolve.sandbox.base import Sandbox
from evolve.sandbox.box import Box
from evolve.testing.programs import LIMITS, program
from evolve.testing.toolkit_contract import ToolkitContract


class SandboxContract(ToolkitContract):
    """The contract. Known failures of an implementation are its own to mark, one by one, with a reason."""

    # Doing the work

    def test_writes_and_reads_in_order(self, box: Box) -> None:
        memory = self._open(box, program(read="return '|'.join(self.seen) + query.text"))
        memory.write({"text": "a"}, "first")
        memory.write({"text": "b"}, "second")
        assert memory.read({"text": "?"}) == "first|second?"

    def test_text_survives_unchanged(self, box: Box) -> None:
        memory = self._open(box, program(read="return self.seen[-1]"))
        for text in ("", "naïve 東京 🙂", "line\nbreak\ttab\x00nul\u2028", "\\u0041 \"quoted\" 'single'"):
            memory.write({}, text)
            assert memory.read({}) == text

    def test_scopes_do_not_see_each_other(self, box: Box) -> None:
        source = program(top="SHARED = []", write="SHARED.append(raw_text)", read="return repr(SHARED)")
        one, other = self._open(box, source), self._open(box, source)
        one.write({}, "mine")
        assert other.read({}) == "[]"
        assert one.read({}) == "['mine']"

    def test_scopes_work_side_by_side(self, box: Box) -> None:
        source = program(imports="import time", read="began = time.monotonic(); time.sleep(0.6); return repr(began)")
        scopes = [self._open(box, source) for _ in range(4)]
        with ThreadPoolExecutor(4) as pool:
            began = [float(start) for start in pool.map(lambda scope: scope.read({}), scopes)]
        assert max(began) < min(began) + 0.6  # the last one had begun before the first one ended

    def test_boxes_do_not_see_each_other(self, sandbox: Sandbox) -> None:
        source = program(
            imports="import pathlib",
            write="pathlib.Path('/tmp/trace').write_text(raw_text)",
            read="return str(pathlib.Path('/tmp/trace').exists())",
        )
        one, other = sandbox.start(), sandbox.start()
        try:
            first = self._open(one, source)
            first.write({}, "x")
            assert first.read({}) == "True"
            assert self._open(other, source).read({}) == "False"
        finally:
            one.close()
            other.close()

    # The program's faults

    def test_an_exception_is_a_fault_with_the_programs_own_lines(self, box: Box) -> None:
        memory = self._open(box, program(read="return 1 / 0"))
        with pytest.raises(ProgramFault) as caught:
            memory.read({})
        assert caught.value.kind == "raised"
        assert "ZeroDivisionError" in caught.value.message
        assert "return 1 / 0" in caught.value.message
        assert "program_host" not in caught.value.message

    @pytest.mark.parametrize("what", ["raise SystemExit(3)", "raise KeyboardInterrupt", "exit()"])
    def test_leaving_is_a_fault(self, box: Box, what: str) -> None:
        memory = self._open(box, program(read=what))
        with pytest.raises(ProgramFault):
            memory.read({})

    def test_a_fault_in_one_read_leaves_the_memory_usable(self, box: Box) -> None:
        memory = self._open(box, program(read="return {'ok': 'fine'}[query.text]"))
        with pytest.raises(ProgramFault, match="KeyError"):
            memory.read({"text": "bad"})
        assert memory.read({"text": "ok"}) == "fine"

    def test_a_program_that_does_not_load_is_a_fault(self, box: Box) -> None:
        with pytest.raises(ProgramFault, match="NameError"):
            self._open(box, program(top="missing_name"))

    @pytest.mark.parametrize("value", ["None", "3", "b'x'", "['a']"])
    def test_read_must_return_text(self, box: Box, value: str) -> None:
        with pytest.raises(ProgramFault, match="expected str"):
            self._open(box, program(read=f"return {value}")).read({})

    def test_a_long_read_is_a_fault_and_never_cut(self, box: Box) -> None:
        memory = self._open(box, program(read="return 'x' * int(query.text)"))
        assert len(memory.read({"text": "3000"})) == 3_000
        with pytest.raises(ProgramFault) as caught:
            memory.read({"text": "3001"})
        assert caught.value.kind == "read_chars"

    def test_unknown_fields_are_a_fault(self, box: Box) -> None:
        with pytest.raises(ProgramFault, match="unexpected keyword"):
            self._open(box, program()).read({"nonsense": 1})

    # Limits that kill

    @pytest.mark.parametrize("where", ["top", "init", "write", "read"])
    def test_an_endless_loop_is_killed(self, box: Box, where: str) -> None:
        began = time.monotonic()
        source = program(**{where: "while True: pass"})

        def use() -> None:
            memory = self._open(box, source)
            memory.write({}, "x")
            memory.read({})

        with pytest.raises(ProgramFault) as caught:
            use()
        assert caught.value.kind == "timeout"
        assert time.monotonic() - began < LIMITS.load_seconds + 5

    def test_an_endless_loop_that_catches_everything_is_killed(self, box: Box) -> None:
        source = program(
            imports="import signal",
            read="""
                signal.signal(signal.SIGTERM, signal.SIG_IGN)
                while True:
                    try:
                        while True: pass
                    except BaseException: pass
            """,
        )
        memory = self._open(box, source)
        with pytest.raises(ProgramFault, match="longer than 1 s"):
            memory.read({})
        with pytest.raises(ProgramFault, match="timeout"):
            memory.read({})

    def test_other_scopes_survive_a_kill(self, box: Box) -> None:
        source = program(
            read="""
                while query.text == 'hang': pass
                return 'alive'
            """
        )
        one, other = self._open(box, source), self._open(box, source)
        with pytest.raises(ProgramFault):
            one.read({"text": "hang"})
        assert other.read({"text": ""}) == "alive"

    def test_memory_is_limited(self, box: Box) -> None:
        memory = self._open(box, program(read="return str(len(bytearray(1 << 30)))"))
        with pytest.raises(ProgramFault) as caught:
            memory.read({})
        assert caught.value.kind in ("raised", "memory", "died")

    def test_files_are_limited(self, box: Box) -> None:
        source = program(
            imports="import pathlib", read="pathlib.Path('/tmp/big').write_bytes(bytes(20 << 20)); return 'written'"
        )
        with pytest.raises(ProgramFault):
            self._open(box, source).read({})

    def test_processes_it_starts_end_with_it(self, box: Box) -> None:
        source = program(
            imports="import os, time",
            read="""
                if os.fork() == 0:
                    os.setsid()
                    if os.fork() == 0:
                        time.sleep(600)
                    os._exit(0)
                return str(os.getpid())
            """,
        )
        memory = self._open(box, source)
        memory.read({})
        memory.close()
        others = program(
            imports="import os",
            read="""
                mine = {1, os.getpid(), os.getppid()}
                sleepers = []
                for pid in filter(str.isdigit, os.listdir('/proc')):
                    try:
                        parent = int(open(f'/proc/{pid}/stat').read().rsplit(')', 1)[1].split()[1])
                    except OSError:
                        continue
                    if parent == os.getppid() and int(pid) not in mine:
                        sleepers.append(pid)
                return repr(sleepers)
            """,
        )
        watcher = self._open(box, others)
        deadline = time.monotonic() + 5
        while (left := watcher.read({})) != "[]" and time.monotonic() < deadline:
            time.sleep(0.1)
        assert left == "[]"

    def test_an_abrupt_end_is_a_fault(self, box: Box) -> None:
        memory = self._open(box, program(imports="import os", read="os._exit(7)"))
        with pytest.raises(ProgramFault) as caught:
            memory.read({})
        assert caught.value.kind == "died"

    # Rules that must never break

    def test_there_is_no_environment_to_read(self, box: Box) -> None:
        memory = self._open(box, program(imports="import os", read="return '\\n'.join(os.environ)"))
        names = set(memory.read({}).split())
        assert not {
            name for name in names if "KEY" in name or name.startswith(("EVOLVE", "AWS", "OPENAI", "ANTHROPIC"))
        }

    def test_the_runner_cannot_be_forged(self, box: Box) -> None:
        source = program(
            imports="import os",
            read="""
                found = []
                for pid in (os.getppid(), 1):
                    for fd in range(12):
                        try:
                            os.write(os.open(f'/proc/{pid}/fd/{fd}', os.O_WRONLY), b'forged')
                            found.append((pid, fd))
                        except OSError:
                            pass
                for fd in (0, 1, 2):
                    os.write(fd, b'forged') if fd else None
                return repr(found)
            """,
        )
        assert self._open(box, source).read({}) == "[]"

    def test_a_forged_reply_is_only_a_bad_answer(self, box: Box) -> None:
        source = program(
            imports="import json, os, stat, struct",
            read="""
                links = [fd for fd in range(64) if os.path.exists(f'/proc/self/fd/{fd}')]
                link = next(fd for fd in links if stat.S_ISSOCK(os.fstat(fd).st_mode))
                for payload in (b'not json', b'[1]', json.dumps({"id": 99, "value": "forged"}).encode()):
                    os.write(link, struct.pack("!I", len(payload)) + payload)
                return 'after'
            """,
        )
        memory, other = self._open(box, source), self._open(box, program(read="return 'honest'"))
        with pytest.raises(ProgramFault) as caught:
            memory.read({})
        assert caught.value.kind == "protocol"
        assert other.read({}) == "honest"

    def test_an_oversized_frame_ends_only_its_scope(self, box: Box) -> None:
        memory = self._open(box, program(read="return 'x' * (1 << 20)"))
        other = self._open(box, program(read="return 'honest'"))
        with pytest.raises(ProgramFault) as caught:
            memory.read({})
        assert caught.value.kind == "protocol"
        assert other.read({}) == "honest"

    def test_a_flood_of_log_lines_harms_nobody(self, box: Box) -> None:
        source = program(
            write="""
                for number in range(20_000):
                    self.toolkit.logger.debug(str(number))
            """,
            read="return 'survived'",
        )
        memory, other = self._open(box, source), self._open(box, program(read="return 'honest'"))
        with contextlib.suppress(ProgramFault):  # either it gets through, or it is ended for flooding
            memory.write({}, "x")
        assert len(memory.log) <= 200
        assert other.read({}) == "honest"

    def test_a_closed_box_leaves_nothing(self, sandbox: Sandbox) -> None:
        box = sandbox.start()
        memory = self._open(box, program(imports="import time", read="time.sleep(600)"))
        ends: list[EvolveError] = []

        def read() -> None:
            try:
                memory.read({})
            except EvolveError as error:
                ends.append(error)

        thread = threading.Thread(target=read)
        thread.start()
        box.close()
        thread.join(timeout=10)
        assert not thread.is_alive()
        assert len(ends) == 1
        assert box.ended
