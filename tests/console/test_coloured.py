"""Lines of a log on a terminal: with colours, and without any other power."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from delegate_core.console.visible import coloured


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain\n", "plain\n"),
        ("\x1b[32mgreen\x1b[0m\n", "\x1b[32mgreen\x1b[0m\x1b[0m\n"),
        ("\x1b[31mred\nnext", "\x1b[31mred\x1b[0m\nnext"),
        ("a\x1b[2Jb", r"a\x1b[2Jb"),
        ("\x1b]0;title\x07", r"\x1b]0;title\x07"),
        ("50%\r100%\r\n", "50%\\r100%\r\n"),
        ("\x1b\r\n", "\\x1b\r\n"),
        ("tab\there", "tab    here"),
    ],
)
def test_a_log_keeps_its_colours_and_has_no_other_power(text: str, shown: str) -> None:
    assert coloured(text) == shown


@given(st.text(alphabet=st.sampled_from("a\x1b[]0;1mJ\n\r\x07\x9b\u202e ")))
def test_nothing_but_colours_and_line_ends_is_left_to_act(text: str) -> None:
    rest = re.sub(r"\x1b\[[0-9;:]*m|\r?\n", "", coloured(text))
    assert rest.isprintable()
