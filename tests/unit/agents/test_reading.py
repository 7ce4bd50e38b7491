"""What the surface analysis finds in dialogue, in prose and in nothing."""

from __future__ import annotations

from evolve.agents.reading import Reading, content_words

DIALOGUE = """Date: 1:56 pm on 8 May, 2023
Caroline: Hey Mel! Good to see you!
Melanie: I painted the old lighthouse last week, it took 14 hours.
Caroline: Lovely! The lighthouse in Porto? My lighthouse painting is at Anna's.
Melanie: Yes. Anna paints too.
"""
PROSE = "The pump failed on 2024-03-05. Engineers replaced the seal with part 77. Later the seal failed in Ghent."


def test_date_line_is_the_date_of_the_text():
    assert Reading(DIALOGUE).date == "1:56 pm on 8 May, 2023"
    assert Reading("We met on 3 June 2021 and in 2022.").date == "3 June 2021"
    assert Reading("Nothing here.").date == ""


def test_dates_of_every_spelling_are_found_as_written():
    found = Reading("On 2024-03-05, on March 3, 2021, in May 2020, in July, on 5/6/21 and in 1999.").dates
    assert found == ["2024-03-05", "March 3, 2021", "May 2020", "July", "5/6/21", "1999"]


def test_modal_verb_may_is_no_date():
    assert Reading("It may rain; you may go.").dates == []


def test_turns_keep_speakers_and_leave_out_the_date_line():
    reading = Reading(DIALOGUE)
    assert reading.speakers == ["Caroline", "Melanie"]
    assert reading.turns[0] == ("Caroline", "Hey Mel! Good to see you!")
    assert len(reading.turns) == 4


def test_speakers_come_first_among_names_and_sentence_starts_are_no_names():
    names = Reading(DIALOGUE).names
    assert names[:2] == ["Caroline", "Melanie"]
    assert {"Porto", "Anna"} <= set(names)
    assert "Lovely" not in names
    assert Reading(PROSE).names == ["Ghent"]


def test_name_that_opens_a_question_counts():
    assert Reading("Melanie's dog is called what?").names == ["Melanie"]


def test_numbers_leave_out_the_date_line():
    assert Reading(DIALOGUE).numbers == [14.0]
    assert Reading("It cost 1,250.50 or -3, not A4.").numbers == [1250.5, -3.0]
    assert Reading("9" * 400).numbers == []


def test_keywords_are_content_words_by_frequency():
    assert Reading(DIALOGUE).keywords[0] == "lighthouse"
    assert "caroline" not in Reading(DIALOGUE).keywords


def test_facts_prefer_numbers_and_names_and_say_who():
    facts = Reading(DIALOGUE).facts
    assert "Melanie: I painted the old lighthouse last week, it took 14 hours." in facts
    assert len(Reading("\n".join(f"Line {n} is here." for n in range(50))).facts) == 10


def test_summary_leads_with_what_recurs_and_stays_short():
    assert "lighthouse" in Reading(DIALOGUE).summary
    assert (
        "Hey Mel"
        not in Reading("Hey Mel!\n" + "The lighthouse needs paint, and paint needs a dry lighthouse.\n" * 12).summary
    )
    assert len(Reading("Rivers carry the same heavy stones. " * 200).summary) <= 510


def test_by_name_uses_speakers_or_else_names():
    assert Reading(DIALOGUE).by_name["Melanie"].startswith("I painted")
    assert Reading(PROSE).by_name == {"Ghent": "Later the seal failed in Ghent."}


def test_content_words_drop_stop_words_possessives_and_short_words():
    assert content_words("What is Caroline's NEW job at an IT firm? I don\u2019t know") == [
        "caroline",
        "new",
        "job",
        "firm",
    ]


def test_empty_text_has_no_findings():
    reading = Reading("")
    assert (reading.date, reading.names, reading.facts, reading.summary, reading.by_name) == ("", [], [], "", {})
