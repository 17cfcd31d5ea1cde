"""Colours that can be read on every background, and pictures without Unicode."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.color import Color, ColorType
from rich.color_triplet import ColorTriplet

from delegate_core.console.palette import INDEXED, NAMED, ability, ascii_only

_NAMES = ("good", "bad", "warn", "odd", "busy", "faint")

_LEAST = 3.8
"""WCAG asks for 4.5, and for 3 where letters are bold or large."""


def _luminance(triplet: ColorTriplet) -> float:
    parts = [part / 255 for part in triplet]
    red, green, blue = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("name", [*_NAMES, *(f"{name}.bold" for name in _NAMES)])
def test_each_colour_is_told_from_black_and_from_white(name: str) -> None:
    colour = INDEXED.styles[name].color
    assert colour is not None
    assert colour.number is not None
    assert colour.number >= 16, "the first sixteen are whatever the terminal makes of them"
    light = _luminance(colour.get_truecolor())
    assert 1.05 / (light + 0.05) >= _LEAST, "on white"
    assert (light + 0.05) / 0.05 >= _LEAST, "on black"


@pytest.mark.parametrize("name", _NAMES)
def test_older_terminals_get_their_own_and_never_one_that_vanishes(name: str) -> None:
    colour = NAMED.styles[name].color
    assert colour is None or (colour.type is ColorType.STANDARD and colour not in _VANISHING)


_VANISHING = [Color.parse(name) for name in ("black", "white", "bright_black", "bright_white", "bright_yellow")]


@pytest.mark.parametrize(
    ("environ", "encoding", "indexed", "unicode"),
    [
        ({"TERM": "xterm-256color"}, "utf-8", True, True),
        ({"TERM": "tmux-256color"}, "utf-8", True, True),
        ({"TERM": "xterm-kitty"}, "utf-8", True, True),
        ({"TERM": "xterm", "COLORTERM": "truecolor"}, "utf-8", True, True),
        ({"TERM": "xterm"}, "utf-8", False, True),
        ({"TERM": "linux"}, "utf-8", False, False),
        ({"TERM": "vt220"}, "utf-8", False, False),
        ({"TERM": "xterm-256color"}, "iso-8859-1", True, False),
        ({}, "ascii", False, False),
    ],
)
def test_a_terminal_is_known_by_what_it_says(
    environ: dict[str, str],
    encoding: str,
    indexed: bool,  # noqa: FBT001 - what the table says
    unicode: bool,  # noqa: FBT001 - the same
) -> None:
    can = ability(io.TextIOWrapper(io.BytesIO(), encoding=encoding), environ)
    assert (can.indexed, can.unicode, can.colour) == (indexed, unicode, True)


def test_no_color_is_heeded() -> None:
    assert not ability(io.StringIO(), {"NO_COLOR": "1"}).colour


@given(st.text())
def test_without_unicode_everything_is_as_wide_as_before(text: str) -> None:
    plain = ascii_only(text)
    assert plain.isascii()
    assert cell_len(plain) == cell_len(text)
