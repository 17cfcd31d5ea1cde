"""What steps print has no power over the terminal but colour."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from delegate_drone.local.printable import coloured_line, plain_line

COLOURS = re.compile("\x1b\\[[0-9;:]*m")


@pytest.mark.parametrize(
    ("text", "plain", "coloured"),
    [
        ("plain", "plain", "plain"),
        ("\x1b[31mred\x1b[0m end", "red end", "\x1b[31mred\x1b[0m end\x1b[0m"),
        ("\x1b[2J\x1b[1;1Hgone", "gone", "gone\x1b[0m"),
        ("a\x1b]0;title\x07b", "ab", "ab\x1b[0m"),
        ("a\x1b]8;;http://x\x1b\\link", "alink", "alink\x1b[0m"),
        ("a\x1b(Bb\x1bc", "ab", "ab\x1b[0m"),
        ("10%\r50%\r100%", "100%", "100%"),
        ("100%\r", "100%", "100%"),
        ("bell\x07", "bell\\x07", "bell\\x07"),
        ("a\tb", "a    b", "a    b"),
        ("\x9b31mx", "\\x9b31mx", "\\x9b31mx"),
        ("\u202egnp.exe", "\\u202egnp.exe", "\\u202egnp.exe"),
    ],
)
def test_colours_stay_and_everything_else_goes(text: str, plain: str, coloured: str) -> None:
    assert (plain_line(text), coloured_line(text)) == (plain, coloured)


@given(st.text(st.sampled_from("\x1b[]0;m;Hc?2J\x07\r\n\x9b\\ab\u202e")))
def test_nothing_unprintable_is_left_but_colours(text: str) -> None:
    assert plain_line(text).isprintable()
    assert COLOURS.sub("", coloured_line(text)).isprintable()
