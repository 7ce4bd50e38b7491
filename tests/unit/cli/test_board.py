"""A comparison as a table, as Markdown and as a picture; what `evolve score zoo` stands for."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest

from evolve.cli.main import main
from evolve.paths import ZOO, seeds_dir, shipped_programs

SMALL = ("--set", "task_options.lives=2", "--set", "task_options.queries=10", "--set", "sandbox.kind=process")
SVG = "{http://www.w3.org/2000/svg}"


def test_the_zoo_is_every_seed_and_every_known_design() -> None:
    seeds, zoo = shipped_programs(""), shipped_programs(ZOO)
    assert seeds == sorted(path.stem for path in seeds_dir().glob("*.py"))
    assert zoo[: len(seeds)] == seeds
    assert set(zoo) - set(seeds) == {path.stem for path in (seeds_dir() / ZOO).glob("*.py")}
    assert len(zoo) == len(set(zoo)) >= 36


def test_best_comes_first_with_what_the_others_are_behind(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], bare_scores: Callable[[str], list[str]]
) -> None:
    folder = tmp_path / "made"
    assert main(["score", "all", "chronicle", *SMALL, "--to", str(folder)]) == 0
    out = capsys.readouterr().out
    board = json.loads((folder / "table.json").read_text())
    rows = board["programs"]
    means = [row["score"]["mean"] for row in rows]
    assert means == sorted(means, reverse=True)
    assert rows[0]["behind"] is None
    assert all(row["behind"]["difference"] == pytest.approx(means[0] - row["score"]["mean"]) for row in rows[1:])
    assert sum(board["categories"].values()) == board["queries"]
    [bm25] = [row for row in rows if row["program"] == "bm25"]
    assert bm25["write"]["count"] == board["episodes"]
    assert bm25["read"]["count"] == board["queries"]
    assert 0 < bm25["read"]["chars"] <= 3000
    assert 0 < bm25["read"]["p50_ms"] <= bm25["read"]["p95_ms"]
    assert bm25["read"]["calls"] == 0
    assert out.index(rows[0]["program"]) < out.index("no_memory")

    shown = "\n".join(line for line in out.splitlines() if line.split(" ")[0] in {row["program"] for row in rows})
    assert len(shown.splitlines()) == len(rows)
    for line, row in zip(shown.splitlines(), rows, strict=True):
        assert re.search(rf"{row['score']['mean']:.3f}  \d\.\d\d to \d\.\d\d +{row['score']['n']} ", line)
    assert all(len(re.findall(r"\(0\.\d\d to \d\.\d\d\)", line)) >= 1 for line in shown.splitlines())
    for row in rows:
        assert sum(held["n"] for held in row["categories"].values()) == row["score"]["n"]

    table = (folder / "table.md").read_text().splitlines()
    lines = [line for line in table if line.startswith("| `")]
    assert [line.split("`")[1] for line in lines] == [row["program"] for row in rows]
    assert f"recall (n={board['categories']['recall']})" in next(line for line in table if line.startswith("| program"))

    picture = ElementTree.parse(folder / "plot.svg").getroot()
    places = [float(dot.attrib["cx"]) for dot in picture.iter(f"{SVG}circle")]
    assert places == sorted(places, reverse=True)
    assert len(places) == len(rows)
    assert [name.text for name in picture.iter(f"{SVG}text") if name.get("class") == "name"] == [
        row["program"] for row in rows
    ]


def test_programs_are_compared_in_one_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mine = tmp_path / "mine.py"
    mine.write_text((seeds_dir() / "no_memory.py").read_text())
    assert main(["score", "bm25", str(mine), "oracle", "chronicle", *SMALL, "--workers", "1", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["programs"]
    assert [row["program"] for row in rows] == ["oracle", "bm25", str(mine)]


def test_the_oracle_is_the_ceiling(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["score", "oracle", "chronicle", *SMALL, "--json"]) == 0
    [row] = json.loads(capsys.readouterr().out)["programs"]
    assert (row["program"], row["score"]["mean"], row["score"]["low"]) == ("oracle", 1.0, 1.0)
    assert row["write"]["count"] == 0


def test_a_program_that_is_not_there_is_named_with_its_neighbours(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["score", "mem00", "chronicle"]) == 2
    assert "Did you mean 'mem0'" in capsys.readouterr().err


def test_a_folder_that_cannot_be_written_is_a_wrong_option(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    assert main(["score", "no_memory", "chronicle", *SMALL, "--to", str(tmp_path / "file")]) == 2
    assert "name a folder that can be written to" in capsys.readouterr().err
