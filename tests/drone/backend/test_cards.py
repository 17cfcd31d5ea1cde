"""Cards in a step's output."""

from __future__ import annotations

import base64
import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from delegate_core.model import JsonValue
from delegate_drone.cards import CardFilter, StepCard, masked_json
from tests.fuzz.effort import bounded


def card(value: object) -> bytes:
    return b"\x1b]1338;" + base64.b64encode(json.dumps(value).encode()) + b"\x1b]0m"


WHOLE = card({"schema": "https://cards.example/c.json", "data": {"passed": 3}})


@given(before=st.binary(max_size=30), after=st.binary(max_size=30), cuts=st.lists(st.integers(0, 200), max_size=8))
def test_a_card_is_found_and_the_rest_reaches_the_log_however_it_is_cut(
    before: bytes, after: bytes, cuts: list[int]
) -> None:
    text = before + WHOLE + after
    places = sorted({0, len(text), *(cut % (len(text) + 1) for cut in cuts)})
    subject = CardFilter()
    passed = b"".join(subject.feed(text[a:b]) for a, b in pairwise(places)) + subject.finish()
    assert passed == before + after
    assert subject.card == StepCard("https://cards.example/c.json", {"passed": 3})


@pytest.mark.parametrize(
    "text",
    [b"\x1b]1338;not base64!\x1b]0m", b"\x1b]1338;", card([1]), card({"data": 1}), b"\x1b[32mgreen\x1b]0m", b"\x1b"],
)
def test_what_is_no_card_stays_in_the_log(text: bytes) -> None:
    subject = CardFilter()
    assert subject.feed(b"a" + text + b"b") + subject.finish() == b"a" + text + b"b"
    assert subject.card is None


def test_a_card_that_never_ends_does_not_fill_the_memory_and_loses_no_line() -> None:
    subject, passed = CardFilter(), 0
    passed += len(subject.feed(b"\x1b]1338;"))
    for _ in range(40):
        passed += len(subject.feed(b"A" * 100_000))
    assert passed > 2_500_000
    assert passed + len(subject.finish()) == 4_000_007


@pytest.mark.parametrize("levels", [101, 400, 900, 20_000])
def test_a_card_that_is_nested_without_measure_is_none(levels: int) -> None:
    deep = b'{"schema": "s", "data": ' + b"[" * levels + b"]" * levels + b"}"
    text = b"\x1b]1338;" + base64.b64encode(deep) + b"\x1b]0m"
    subject = CardFilter()
    assert subject.feed(text) == text
    assert subject.card is None


def test_marks_without_number_cost_no_more_than_their_length() -> None:
    """What is held back is not searched, copied or decoded anew for each of them."""
    subject, passed = CardFilter(), 0
    with bounded(2_000_000):
        for _ in range(300):
            passed += len(subject.feed(b"\x1b]1338;" * 1000))
        passed += len(subject.feed(b"\x1b]0m"))
    assert passed + len(subject.finish()) == 300 * 7000 + 4
    assert subject.card is None


def test_a_card_behind_a_mark_that_never_ends_is_found() -> None:
    subject = CardFilter()
    assert subject.feed(b"\x1b]1338;half " + WHOLE) == b"\x1b]1338;half "
    assert subject.card is not None


def test_the_last_of_several_cards_counts() -> None:
    subject = CardFilter()
    assert subject.feed(WHOLE + b"x\n" + card({"schema": "s", "data": None})) == b"x\n"
    assert subject.card == StepCard("s", None)


def test_every_text_of_a_card_is_masked() -> None:
    value: JsonValue = {"a": ["hunter2", 1, {"hunter2": None}]}
    assert masked_json(value, lambda text: text.replace("hunter2", "******")) == {"a": ["******", 1, {"******": None}]}
