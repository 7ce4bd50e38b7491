"""Files of a published shape: which one is meant, compressed or not, and its records one at a time."""

from __future__ import annotations

import gzip
import hashlib
import json
from pathlib import Path

import pytest

from evolve.errors import DataError, PrerequisiteError
from evolve.tasks.data import Source
from evolve.tasks.published import CHUNK_CHARS, find_file, read_object, read_records

CONTENT = json.dumps([{"a": 1}, {"b": "é"}]).encode()


def source(tmp_path: Path, content: bytes = CONTENT) -> Source:
    nowhere = (tmp_path / "nowhere.json").as_uri()
    return Source("set/whole.json", nowhere, hashlib.sha256(content).hexdigest(), "MIT")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("EVOLVE_DATA", str(tmp_path / "data"))
    (tmp_path / "data" / "set").mkdir(parents=True)
    return tmp_path / "data"


def test_a_published_file_is_found_by_its_name_compressed_or_not(tmp_path: Path, folder: Path) -> None:
    packed = folder / "set" / "whole.json.gz"
    packed.write_bytes(gzip.compress(CONTENT))
    assert find_file("whole", {"whole": source(tmp_path)}, task="t") == packed
    (folder / "set" / "whole.json").write_bytes(CONTENT)
    assert find_file("whole", {"whole": source(tmp_path)}, task="t") == folder / "set" / "whole.json"


def test_a_compressed_file_with_other_content_is_not_taken(tmp_path: Path, folder: Path) -> None:
    (folder / "set" / "whole.json.gz").write_bytes(gzip.compress(b"[]"))
    with pytest.raises(PrerequisiteError) as caught:
        find_file("whole", {"whole": source(tmp_path)}, task="t")
    said = str(caught.value)
    assert "whole.json is missing" in said
    assert "task_options.file = PATH" in said
    assert "\n" not in said


def test_a_path_is_looked_up_in_the_data_folder_and_by_itself(tmp_path: Path, folder: Path) -> None:
    (folder / "set" / "part.json").write_bytes(CONTENT)
    elsewhere = tmp_path / "own.json"
    elsewhere.write_bytes(CONTENT)
    assert find_file("set/part.json", {}, task="t") == folder / "set" / "part.json"
    assert find_file(str(elsewhere), {}, task="t") == elsewhere
    with pytest.raises(
        PrerequisiteError, match=r"Task 't', option 'gold': there is no file 'x.json'.* good values: whole, "
    ):
        find_file("x.json", {"whole": source(tmp_path)}, task="t", option="gold")


@pytest.mark.parametrize("name", ["set.json", "set.json.gz"])
@pytest.mark.parametrize("size", [1, CHUNK_CHARS // 3, CHUNK_CHARS])
def test_records_come_one_at_a_time(tmp_path: Path, name: str, size: int) -> None:
    records = [{"text": 'a "]}, [{ b' + "x" * size, "n": [1, {"x": None}]}, {}, {"é": "\u2028" * size}, {"end": size}]
    text = "\ufeff \n" + json.dumps(records, ensure_ascii=False, indent=1) + "\n"
    path = tmp_path / name
    path.write_bytes(gzip.compress(text.encode(), 1) if name.endswith("gz") else text.encode())
    assert list(read_records(path)) == records


@pytest.mark.parametrize(
    "content", [b"", b"[", b'[{"a": 1}', b'[{"a": 1', b"{}", b"[]", b"[3]", b"\xff\xfe[]", b"[" * 100_000, b'[{"a" 1}]']
)
@pytest.mark.parametrize("packed", [False, True])
def test_a_file_of_another_shape_is_named(tmp_path: Path, content: bytes, packed: bool) -> None:
    path = tmp_path / ("small.json.gz" if packed else "small.json")
    path.write_bytes(gzip.compress(content) if packed else content)
    with pytest.raises(DataError, match=r"^small\.json"):
        list(read_records(path))


def test_a_file_that_is_not_compressed_is_named(tmp_path: Path) -> None:
    path = tmp_path / "small.json.gz"
    for content in (CONTENT, gzip.compress(CONTENT)[:-12]):
        path.write_bytes(content)
        with pytest.raises(DataError, match=r"^small\.json\.gz: not "):
            list(read_records(path))
        with pytest.raises(DataError, match=r"^small\.json\.gz: not "):
            read_object(path)


def test_an_object_is_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "small.json"
    path.write_text('{"a": [1]}')
    assert read_object(path) == {"a": [1]}
    path.write_text("[1]")
    with pytest.raises(DataError, match=r"^small\.json: found \[1\], expected an object"):
        read_object(path)
