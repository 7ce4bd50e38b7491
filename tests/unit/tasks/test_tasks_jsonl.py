"""A task folder of the user's own: the example, every field, and every way to get one wrong."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evolve.errors import ConfigError, DataError
from evolve.tasks import open_family
from evolve.tasks.base import Options, make_task
from evolve.tasks.family import Family
from evolve.tasks.jsonl import copy_folder, init_folder, open_folder
from evolve.traits import Traits
from evolve.types import JSON, Episode, Query, Task

Rows = list[dict[str, JSON]]

TOML = 'name = "mine"\n'
EPISODES: Rows = [{"text": "Ann: I like tea."}, {"text": "Ann: I like coffee now."}]
QUERIES: Rows = [
    {"question": "What did Ann like?", "answer": "tea", "evidence": ["I like tea."]},
    {"question": "What does Ann like now?", "answer": "coffee", "evidence": ["coffee now"], "category": "update"},
    {"question": "Is it so?", "answer": "yes"},
]


def load_folder(folder: Path, options: dict[str, JSON]) -> Task:
    return open_folder(folder, options).load()


def lines(rows: Rows) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def write(
    folder: Path, *, episodes: bytes | Rows = EPISODES, queries: bytes | Rows = QUERIES, toml: str = TOML
) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "task.toml").write_bytes(toml.encode())
    for name, content in (("episodes", episodes), ("queries", queries)):
        (folder / f"{name}.jsonl").write_bytes(content if isinstance(content, bytes) else lines(content))
    return folder


def fails(folder: Path) -> str:
    """Return the message of the error, which is one line."""
    with pytest.raises(DataError) as caught:
        load_folder(folder, {})
    assert "\n" not in str(caught.value)
    return str(caught.value)


def refusal(folder: Path) -> str | None:
    """Return why the folder does not load, None where it does."""
    try:
        load_folder(folder, {})
    except DataError as error:
        return str(error)
    return None


def test_the_example_is_a_task_as_it_is(tmp_path: Path) -> None:
    files = init_folder(tmp_path / "new" / "folder")
    assert [file.name for file in files] == ["task.toml", "episodes.jsonl", "queries.jsonl"]
    task = load_folder(tmp_path / "new" / "folder", {})
    assert task.name == "workshop"
    assert len({episode.scope for episode in task.episodes}) == 3
    assert len(task.episodes) == 12
    assert len(task.queries) == 16
    assert len(task.held_out) == 8
    assert all(query.evidence for query in task.queries)


def test_the_example_explains_every_field_and_the_comments(tmp_path: Path) -> None:
    toml, episodes, queries = (file.read_text() for file in init_folder(tmp_path / "new"))
    assert all(word in toml for word in ("name", "test_share", "seed"))
    assert all(f"//   {word} " in episodes for word in ("text", "scope", "id", "time"))
    assert all(f"//   {w} " in queries for w in ("question", "answer", "scope", "evidence", "category", "split", "id"))
    assert "//   aliases   optional" in queries
    assert all("Lines that start with // or # are skipped" in text for text in (episodes, queries))


def test_the_example_is_not_written_over_anything(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(ConfigError, match="not empty"):
        init_folder(tmp_path)
    assert [item.name for item in tmp_path.iterdir()] == ["notes.txt"]
    with pytest.raises(ConfigError, match="name another one"):
        init_folder(tmp_path / "notes.txt")


def test_fields_have_defaults(tmp_path: Path) -> None:
    task = load_folder(write(tmp_path), {})
    assert [(episode.id, episode.scope) for episode in task.episodes] == [
        ("episode-1", "default"),
        ("episode-2", "default"),
    ]
    assert [query.id for query in task.queries] == ["query-1", "query-2", "query-3"]
    assert [query.category for query in task.queries] == ["", "update", ""]
    assert task.options == {"test_share": 0.5, "seed": 0}
    assert task.episodes[0].text == "Ann: I like tea."


def test_evidence_is_found_in_the_episode_that_has_it(tmp_path: Path) -> None:
    first, second, third = load_folder(write(tmp_path), {}).queries
    assert [(item.episode, item.text) for item in first.evidence] == [("episode-1", "I like tea.")]
    assert [(item.episode, item.text) for item in second.evidence] == [("episode-2", "coffee now")]
    assert third.evidence == ()


def test_evidence_may_name_its_episode(tmp_path: Path) -> None:
    named: Rows = [{**QUERIES[0], "evidence": [{"episode": "episode-2", "text": "I like"}]}, *QUERIES[1:]]
    query = load_folder(write(tmp_path, queries=named), {}).queries[0]
    assert [(item.episode, item.text) for item in query.evidence] == [("episode-2", "I like")]


def test_other_right_answers_are_kept_in_order(tmp_path: Path) -> None:
    several: Rows = [{**QUERIES[0], "aliases": ["green tea", "a cup of tea"]}, *QUERIES[1:]]
    task = load_folder(write(tmp_path, queries=several), {})
    assert [query.aliases for query in task.queries] == [("green tea", "a cup of tea"), (), ()]


@pytest.mark.parametrize("aliases", ["tea", [""], ["tea", 3], {"tea": 1}])
def test_other_right_answers_are_strings(tmp_path: Path, aliases: JSON) -> None:
    message = fails(write(tmp_path, queries=[{**QUERIES[0], "aliases": aliases}, *QUERIES[1:]]))
    assert message.startswith("queries.jsonl, line 1, field 'aliases': found ")
    assert message.endswith("expected a list of strings that are not empty.")


def test_a_copy_of_a_built_in_task_loads_to_equal_records(tmp_path: Path) -> None:
    family = open_family("chronicle", {"lives": 5, "queries": 5})
    paths = copy_folder(tmp_path / "mine", family)
    assert [path.name for path in paths] == ["task.toml", "episodes.jsonl", "queries.jsonl"]
    task, copied = family.load(), load_folder(tmp_path / "mine", {})
    assert (copied.episodes, copied.queries, copied.held_out) == (task.episodes, task.queries, task.held_out)
    assert copied.name == "mine"
    toml, episodes, queries = (path.read_text() for path in paths)
    assert '"lives": 5' in toml
    assert all(f"//   {word} " in episodes for word in ("text", "scope", "id", "time"))
    assert "//   aliases   optional" in queries
    assert "The example" not in episodes, "what is said of the example stays with it"


def test_a_copy_keeps_other_right_answers(tmp_path: Path) -> None:
    class Capitals(Family[Options]):
        """A task with aliases."""

        name = "capitals"
        options_model = Options

        def load(self) -> Task:
            queries = [
                Query("q1", "s", "Capital of Belgium?", "Brussels", aliases=("Bruxelles", "Brussel")),
                Query("q2", "s", "Capital of France?", "Paris"),
            ]
            lived = [Episode("e1", "s", 'Brussels is the capital.\u2028\nSo is "Paris".')]
            return make_task("capitals", options={}, episodes=lived, queries=queries, held_out=frozenset({"q2"}))

    copy_folder(tmp_path / "mine", Capitals(Options()))
    task, copied = Capitals(Options()).load(), load_folder(tmp_path / "mine", {})
    assert (copied.episodes, copied.queries, copied.held_out) == (task.episodes, task.queries, task.held_out)


def test_a_task_that_is_more_than_questions_with_answers_is_not_copied(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^Task 'chronicle', query '.*': more than an answer decides its score"):
        copy_folder(tmp_path / "mine", open_family("chronicle", {"subtasks": ["stale"]}))

    class Game(Family[Options]):
        """A task with an environment."""

        name = "game"
        options_model = Options
        traits = Traits(interactive=True)

        def load(self) -> Task:
            raise AssertionError("nothing is loaded to refuse it")

    with pytest.raises(ConfigError, match=r"^Task 'game' is played in an environment"):
        copy_folder(tmp_path / "mine", Game(Options()))
    assert not (tmp_path / "mine").exists()
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(ConfigError, match="not empty"):
        copy_folder(tmp_path, open_family("chronicle"))


def test_times_sort_a_scope_and_head_the_text(tmp_path: Path) -> None:
    rows: Rows = [
        {"id": "late", "scope": "a", "text": "x", "time": "2024-03-02T17:30"},
        {"id": "other", "scope": "b", "text": "y", "time": "2020-01-01"},
        {"id": "early", "scope": "a", "text": "z", "time": "2024-03-02T15:00:00Z"},
    ]
    queries: Rows = [{"scope": scope, "question": "Q?", "answer": "A"} for scope in "ab"]
    task = load_folder(write(tmp_path, episodes=rows, queries=queries), {})
    assert [episode.id for episode in task.episodes] == ["early", "late", "other"]
    assert task.episodes[1].text == "Date: 5:30 pm on 2 March, 2024\nx"


def test_without_all_times_the_order_of_the_file_stays(tmp_path: Path) -> None:
    rows: Rows = [{"text": "Ann: I like tea. coffee now"}, {"text": "y", "time": "2020-01-01"}, {"text": "z"}]
    task = load_folder(write(tmp_path, episodes=rows), {})
    assert [episode.id for episode in task.episodes] == ["episode-1", "episode-2", "episode-3"]
    assert task.episodes[1].text == "Date: 12:00 am on 1 January, 2020\ny"


def test_queries_that_say_test_are_the_test(tmp_path: Path) -> None:
    rows: Rows = [{**row, "split": "test"} if n == 1 else row for n, row in enumerate(QUERIES)]
    assert load_folder(write(tmp_path, queries=rows), {}).held_out == {"query-2"}


def test_four_scopes_are_held_out_whole(tmp_path: Path) -> None:
    episodes: Rows = [{"scope": scope, "text": "x"} for scope in "abcd"]
    queries: Rows = [{"scope": scope, "question": "Q?", "answer": "A"} for scope in "abcd" for _ in range(3)]
    task = load_folder(write(tmp_path, episodes=episodes, queries=queries), {})
    tested = {query.scope for query in task.queries if query.id in task.held_out}
    assert len(tested) == 2
    assert len(task.held_out) == 6


def test_options_of_the_run_win_over_the_file(tmp_path: Path) -> None:
    rows: Rows = [{"question": f"Question {n}?", "answer": "A"} for n in range(20)]
    folder = write(tmp_path, queries=rows, toml=TOML + "test_share = 0.25\nseed = 3\n")
    assert len(load_folder(folder, {}).held_out) == 5
    assert len(load_folder(folder, {"test_share": 0.5}).held_out) == 10
    assert load_folder(folder, {"seed": 4}).held_out != load_folder(folder, {}).held_out
    with pytest.raises(ConfigError, match="between 0 and 1"):
        load_folder(folder, {"test_share": 1})
    with pytest.raises(ConfigError, match="no option 'share'"):
        load_folder(folder, {"share": 0.5})


def test_comments_blank_lines_byte_order_mark_and_windows_line_ends_are_fine(tmp_path: Path) -> None:
    plain = load_folder(write(tmp_path / "plain"), {})
    dressed = b"\xef\xbb\xbf// a comment\r\n\r\n# another\r\n" + lines(EPISODES).replace(b"\n", b"\r\n  // third\r\n")
    folder = write(tmp_path / "dressed", episodes=dressed, toml="\ufeff" + TOML.replace("\n", "\r\n"))
    assert load_folder(folder, {}).digest == plain.digest


def test_separators_inside_a_text_do_not_end_its_line(tmp_path: Path) -> None:
    rows = json.dumps({"text": "I like tea.\u2028coffee now\x85end"}, ensure_ascii=False).encode()
    assert load_folder(write(tmp_path, episodes=rows), {}).episodes[0].text == "I like tea.\u2028coffee now\x85end"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b'{"text": 3}', "line 2, field 'text': found 3, expected a string."),
        (b'{"text": ""}', "line 2, field 'text': found '', expected a string that is not empty."),
        (b"{}", "line 2, field 'text': found nothing, expected a string."),
        (b'{"text": null}', "line 2, field 'text': found nothing"),
        (
            b'{"text": "x", "id": "a"}',
            "line 2, field 'id': found 'a', expected an id of its own; line 1 has it already.",
        ),
        (b'{"text": "x", "id": 2}', "line 2, field 'id': found 2, expected a string."),
        (b'{"text": "x", "scope": []}', "line 2, field 'scope': found [], expected a string."),
        (b'{"text": "x", "txt": "y"}', "line 2: unknown field 'txt'; good fields: id, scope, text, time."),
        (b'{"text": "x", "time": "soon"}', "line 2, field 'time': found 'soon', expected an ISO 8601 time"),
        (b'{"text": "x", "time": 20240101}', "line 2, field 'time': found 20240101, expected a string."),
        (b'{"text": "x"', "line 2, column 13: not JSON"),
        (b'["x"]', "line 2: found ['x'], expected an object"),
        (b"NaN", "line 2: not usable JSON: NaN is not a JSON value."),
        (b'{"text": Infinity}', "line 2: not usable JSON: Infinity is not a JSON value."),
        (b'{"text": ' + b"9" * 5000 + b"}", "line 2: not usable JSON"),
        (b'{"text": ' + b"9" * 400 + b"}", "line 2, field 'text': found 999"),
        (b'{"text": "x", "text": "y"}', "line 2: not usable JSON: the field 'text' is given twice."),
        (b'{"text": "\xff"}', "line 2: not UTF-8 (byte 11 of the line); save the file as UTF-8."),
        (b'{"text": "\\ud800"}', "line 2: holds half of a surrogate pair"),
        (b"[" * 100_000, "line 2: not usable JSON"),
    ],
)
def test_a_bad_episode_is_named(tmp_path: Path, line: bytes, message: str) -> None:
    folder = write(tmp_path, episodes=b'{"text": "I like tea. coffee now", "id": "a"}\n' + line + b"\n")
    assert fails(folder).startswith(f"episodes.jsonl, {message}")
    assert len(fails(folder)) < 250


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"answer": 3}, "field 'answer': found 3, expected a string."),
        ({"answer": "  "}, "field 'answer': found '  ', expected a string that is not empty."),
        ({"question": None}, "field 'question': found nothing"),
        ({"scope": "nobody"}, "field 'scope': found 'nobody', expected a scope of episodes.jsonl: 'default'."),
        ({"category": 1}, "field 'category': found 1, expected a string."),
        ({"split": "train"}, "field 'split': found 'train', expected 'test', or no such field."),
        ({"evidence": "I like tea."}, "field 'evidence': found 'I like tea.', expected a list"),
        ({"evidence": ["I like cocoa."]}, "field 'evidence': found 'I like cocoa.', expected words copied exactly"),
        ({"evidence": [""]}, "field 'evidence': found '', expected words copied exactly"),
        ({"evidence": [3]}, "field 'evidence': found 3, expected a string, or an object"),
        ({"evidence": [{"text": "I like tea."}]}, "field 'episode': found nothing"),
        ({"evidence": [{"episode": "e9", "text": "I like tea."}]}, "field 'evidence': found 'e9', expected an episode"),
        ({"evidence": [{"episode": "episode-2", "text": "I like tea."}]}, "expected words copied exactly"),
        ({"evidence": [{"episode": "episode-1", "txt": "x"}]}, ": unknown field 'txt'; good fields: episode, text."),
        ({"gold": "x"}, ": unknown field 'gold'; good fields: id, scope, question, answer, aliases, evid"),
        ({"id": "query-1"}, "field 'id': found 'query-1', expected an id of its own; line 1 has it already."),
    ],
)
def test_a_bad_query_is_named(tmp_path: Path, change: dict[str, JSON], message: str) -> None:
    rows: Rows = [QUERIES[0], {**QUERIES[1], **change}, QUERIES[2]]
    found = fails(write(tmp_path, queries=rows))
    assert found.startswith("queries.jsonl, line 2")
    assert message in found


def test_the_first_of_several_errors_is_shown_with_the_number_of_the_others(tmp_path: Path) -> None:
    rows: Rows = [{"text": "fine"}, {"text": 1}, {"text": 2}, {"text": 3}]
    found = fails(write(tmp_path, episodes=rows))
    assert found == "episodes.jsonl, line 2, field 'text': found 1, expected a string. (2 more lines are wrong.)"


@pytest.mark.parametrize("content", [b"", b"\n\n", b"// nothing yet\n", b"\xef\xbb\xbf"])
def test_files_without_records_are_named(tmp_path: Path, content: bytes) -> None:
    assert fails(write(tmp_path, episodes=content)).startswith("episodes.jsonl: found no records")
    assert fails(write(tmp_path, queries=content)).startswith("queries.jsonl: found no records")


@pytest.mark.parametrize("name", ["task.toml", "episodes.jsonl", "queries.jsonl"])
def test_a_missing_file_is_named_with_the_next_step(tmp_path: Path, name: str) -> None:
    (write(tmp_path) / name).unlink()
    found = fails(tmp_path)
    assert name in found
    assert "evolve init" in found


@pytest.mark.parametrize("queries", [QUERIES[:1], [{**row, "split": "test"} for row in QUERIES]])
def test_there_must_be_queries_on_both_sides(tmp_path: Path, queries: Rows) -> None:
    assert fails(write(tmp_path, queries=queries)).startswith("queries.jsonl: ")


@pytest.mark.parametrize(
    ("toml", "message"),
    [
        ("", "task.toml, field 'name': found nothing"),
        ("name = 3", "task.toml, field 'name': found 3"),
        ("name = ", "task.toml: not TOML"),
        ('name = "x"\nshare = 0.5', "has no option 'share'. Did you mean 'test_share'?"),
        ('name = "x"\ntest_share = 2', "option 'test_share': found 2"),
        ('name = "x"\nseed = "0"', "option 'seed': found '0'"),
    ],
)
def test_a_bad_task_file_is_named(tmp_path: Path, toml: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_folder(write(tmp_path, toml=toml), {})
    assert message in str(caught.value)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
FIELDS = st.sampled_from(["id", "scope", "text", "time", "question", "answer", "evidence", "category", "split", "x"])


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(records=st.lists(st.dictionaries(FIELDS, VALUES, max_size=5) | VALUES, max_size=4), noise=st.binary(max_size=20))
def test_any_content_loads_or_is_refused_with_one_line(tmp_path: Path, records: list[JSON], noise: bytes) -> None:
    content = "\n".join(json.dumps(record) for record in records).encode() + b"\n" + noise
    for folder in (write(tmp_path, episodes=content), write(tmp_path, queries=content)):
        message = refusal(folder)
        assert message is None or (".jsonl" in message and "\n" not in message)
