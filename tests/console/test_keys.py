"""Bytes of a terminal become names of keys, in whatever pieces they come."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from delegate_core.console.keys import KeyReader

_NAMED = frozenset(
    {"up", "down", "left", "right", "home", "end", "page up", "page down", "enter", "escape", "backspace", "redraw"}
)


def _keys(*pieces: bytes) -> list[str]:
    reader = KeyReader()
    return [key for piece in pieces for key in reader.feed(piece)]


@pytest.mark.parametrize(
    ("sent", "keys"),
    [
        (b"j", ["j"]),
        (b"\r", ["enter"]),
        (b"\x7f\x08", ["backspace", "backspace"]),
        (b"\x0c", ["redraw"]),
        (b"\x1b[A\x1b[B\x1b[C\x1b[D", ["up", "down", "right", "left"]),
        (b"\x1bOA\x1bOB\x1bOH\x1bOF\x1bOM", ["up", "down", "home", "end", "enter"]),
        (b"\x1b[1;5A", ["up"]),
        (b"\x1b[5~\x1b[6~\x1b[1~\x1b[4~\x1b[7;2~", ["page up", "page down", "home", "end", "home"]),
        (b"\x1b\x1b[A", ["escape", "up"]),
        (b"\x1bq", ["escape", "q"]),
        ("é日🚀".encode(), ["é", "日", "🚀"]),
        (b"\x00\x01\x02\xff\xc3(\x85", ["("]),
        (b"\x1b]11;rgb:0000/0000/0000\x07x", ["x"]),
        (b"\x1b[?64;1;2c", []),
        (b"\x1b[200~pasted\x1b[201~", [*"pasted"]),
        (b"\x1b[M", []),
    ],
)
def test_what_a_terminal_sends_has_names(sent: bytes, keys: list[str]) -> None:
    assert _keys(sent) == keys


def test_an_escape_character_alone_is_a_key_once_nothing_follows() -> None:
    reader = KeyReader()
    assert (reader.feed(b"\x1b"), reader.waiting) == ([], True)
    assert (reader.flush(), reader.waiting) == (["escape"], False)
    assert reader.feed(b"[A") == ["[", "A"]


def test_a_torn_sequence_is_read_whole() -> None:
    assert _keys(b"\x1b", b"[", b"5", b"~", b"\xe2\x82", b"\xac") == ["page up", "€"]


def test_a_sequence_without_end_is_given_up() -> None:
    assert "q" in _keys(b"\x1b[" + b"0" * 5000 + b"\x1b", b"\x1b[A", b"q")


@given(st.lists(st.binary(max_size=6), max_size=8))
def test_pieces_do_not_matter_and_nothing_else_comes_out(pieces: list[bytes]) -> None:
    keys = _keys(*pieces)
    assert keys == _keys(b"".join(pieces))
    assert all(key in _NAMED or (len(key) == 1 and key.isprintable()) for key in keys)
