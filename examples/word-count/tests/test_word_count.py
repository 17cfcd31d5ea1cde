"""Tests of the handler, with delegate-core's fixtures."""

from word_count import word_count


def test_it_counts(run_task):
    ended = run_task(word_count, {"text": "to be or\nnot to be", "most": 2})
    assert ended.data == {"total": 6, "words": {"to": 2, "be": 2}}
    assert ended.log.splitlines()[-1] == "line 2: 4 words so far"


def test_most_must_be_positive(run_task):
    ended = run_task(word_count, {"text": "", "most": 0})
    assert ended.outcome == "rejected"
    assert "most" in ended.error
