"""Benchmark files: found, checked, or downloaded once, from a real server on the loopback."""

from __future__ import annotations

import functools
import hashlib
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from evolve.errors import PrerequisiteError
from evolve.tasks.data import Source, data_file, data_folder

CONTENT = b"some benchmark\n" * 100_000
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Server(http.server.ThreadingHTTPServer):
    """Serves a folder and counts what is asked of it."""

    asked: int = 0


class Handler(http.server.SimpleHTTPRequestHandler):
    def do_GET(self) -> None:
        assert isinstance(self.server, Server)
        self.server.asked += 1
        if self.path == "/short":
            self.send_response(200)
            self.send_header("Content-Length", str(len(CONTENT)))
            self.end_headers()
            self.wfile.write(CONTENT[:1000])
            return
        super().do_GET()

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    served = tmp_path / "served"
    served.mkdir()
    (served / "good").write_bytes(CONTENT)
    (served / "bad").write_bytes(b"<html>sorry</html>")
    with Server(("127.0.0.1", 0), functools.partial(Handler, directory=str(served))) as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("EVOLVE_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    return tmp_path / "data"


def fetch(server: Server, name: str) -> Path:
    url = f"http://127.0.0.1:{server.server_address[1]}/{name}"
    return data_file(Source("some/file.json", url, SHA256, "CC BY-NC 4.0"))


def test_a_missing_file_is_downloaded_once(server: Server, folder: Path) -> None:
    path = fetch(server, "good")
    assert path == folder / "some" / "file.json"
    assert path.read_bytes() == CONTENT
    assert fetch(server, "good") == path
    assert server.asked == 1
    assert [item.name for item in path.parent.iterdir()] == ["file.json"]


@pytest.mark.parametrize("name", ["bad", "short", "absent"])
def test_a_failed_download_says_what_to_do_and_leaves_nothing(server: Server, folder: Path, name: str) -> None:
    with pytest.raises(PrerequisiteError) as caught:
        fetch(server, name)
    message = str(caught.value)
    assert f"/{name}" in message
    assert str(folder / "some" / "file.json") in message
    assert "by hand" in message
    assert "CC BY-NC 4.0" in message
    assert "EVOLVE_DATA" in message
    assert "\n" not in message
    assert list((folder / "some").iterdir()) == []


def test_a_server_that_is_not_there_is_a_prerequisite(server: Server, folder: Path) -> None:
    url = "http://127.0.0.1:9/nothing"
    with pytest.raises(PrerequisiteError, match="refused"):
        data_file(Source("file.json", url, SHA256, "MIT"))


def test_a_data_folder_that_cannot_be_made_is_a_prerequisite(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("EVOLVE_DATA", str(tmp_path / "file"))
    with pytest.raises(PrerequisiteError, match="by hand"):
        fetch(server, "good")
    assert server.asked == 0


def test_another_file_of_that_name_is_neither_used_nor_replaced(server: Server, folder: Path) -> None:
    path = folder / "some" / "file.json"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"mine")
    with pytest.raises(PrerequisiteError) as caught:
        fetch(server, "good")
    assert SHA256[:12] in str(caught.value)
    assert hashlib.sha256(b"mine").hexdigest()[:12] in str(caught.value)
    assert path.read_bytes() == b"mine"
    assert server.asked == 0


def test_the_folder_is_chosen_by_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("EVOLVE_DATA", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert data_folder() == tmp_path / ".cache" / "evolve"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert data_folder() == tmp_path / "cache" / "evolve"
    monkeypatch.setenv("EVOLVE_DATA", "~/data")
    assert data_folder() == tmp_path / "data"


def test_another_form_of_a_file_stands_for_it(folder: Path) -> None:
    source = Source("some/file.json", "http://127.0.0.1:9/file.json", SHA256, "MIT", instead=("some/file.json.gz",))
    assert source.found() is None
    packed = folder / "some" / "file.json.gz"
    packed.parent.mkdir(parents=True)
    packed.write_bytes(b"packed")
    assert source.found() == packed
    packed.with_suffix("").write_bytes(b"plain")
    assert source.found() == packed.with_suffix("")
