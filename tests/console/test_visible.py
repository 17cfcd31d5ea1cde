"""Text from elsewhere cannot play tricks on a terminal."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from delegate_core.console.durations import duration
from delegate_core.console.visible import abbreviated, uncoloured, visible

_ANY = st.text(st.characters())


@given(_ANY)
def test_nothing_but_printable_characters_comes_out(text: str) -> None:
    assert not [one for one in visible(text) if unicodedata.category(one) in {"Cc", "Cf", "Cs", "Zl", "Zp"}]


@given(st.text(st.characters(categories=["L", "N", "P"]), max_size=50))
def test_ordinary_text_stays_as_it_is(text: str) -> None:
    assert visible(text) == text


@given(_ANY, st.integers(3, 40))
def test_an_abbreviated_id_fits_and_keeps_both_ends(text: str, width: int) -> None:
    short = abbreviated(text, width)
    assert len(short) <= width
    assert short[:1] == text[:1]
    assert short[-1:] == text[-1:]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b]0;owned\x07", r"\x1b]0;owned\x07"),
        ("one\ntwo\r", r"one\ntwo\r"),
        ("\x9b2J", r"\x9b2J"),
        ("abc\u202edcba", r"abc\u202edcba"),
        ("a\tb\u00a0c", "a    b c"),
        ("日本 ✓ é", "日本 ✓ é"),
    ],
)
def test_what_would_act_on_the_terminal_is_spelt_out(text: str, shown: str) -> None:
    assert visible(text) == shown


def test_a_text_without_end_is_cut() -> None:
    assert visible("x" * 5_000_000, 10) == "xxxxxxxxx…"


def test_colour_codes_go_and_other_escapes_stay() -> None:
    assert uncoloured("\x1b[1;32mok\x1b[0m \x1b[2J") == "ok \x1b[2J"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-1, "0.0s"), (0.44, "0.4s"), (9.96, "10s"), (59.6, "1m 00s"), (245, "4m 05s"), (3599.9, "1h 00m"),
        (8043, "2h 14m"), (86400 * 3 + 3600 * 4, "3d 04h"), (86400 * 120, "120d"), (float("inf"), "long"),
    ],
)  # fmt: skip
def test_a_duration_has_two_units_at_most(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@given(st.floats())
def test_a_duration_is_never_wider_than_its_column(seconds: float) -> None:
    assert len(duration(seconds)) <= 7
