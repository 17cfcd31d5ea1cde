"""Tests of the app, called as a runner calls it."""

from text_art import text_art


def test_it_frames(run_task):
    ended = run_task(text_art, {"text": "hi\nyou"})
    assert ended.data == {"art": "+-----+\n| hi  |\n| you |\n+-----+"}
    assert ended.log == "framing 6 characters"


def test_without_a_text_it_fails_with_what_the_app_says(run_task):
    ended = run_task(text_art, {"text": ""})
    assert ended.outcome == "failed"
    assert "the data must be an object with a text" in ended.error
