"""Tests of the program, run as a runner runs it."""

from line_stats import line_stats


def test_it_measures(run_task):
    ended = run_task(line_stats, {"text": "one\nthree\n"})
    assert (ended.outcome, ended.data) == ("succeeded", {"lines": 2, "longest": 5})
    assert ended.log == "2 lines"


def test_data_without_a_text_fails_with_what_the_program_says(run_task):
    ended = run_task(line_stats, {})
    assert ended.outcome == "failed"
    assert "the data must be an object with a text" in ended.error
