"""Lines of text come out of bytes the same way however the bytes come in."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from delegate_core.logs import LineSplitter

PIECES = st.sampled_from(
    [b"\n", b"\r\n", b"\r", b"a", b"bcdefgh", "é€😀".encode(), b"\xff", b"\x80", "😀".encode()[:2]]
)
TEXTS = st.lists(PIECES, max_size=30).map(b"".join)


def split(chunks: list[bytes], limit: int) -> list[str]:
    splitter = LineSplitter(limit)
    return [line for chunk in chunks for line in splitter.feed(chunk)] + splitter.finish()


@given(TEXTS, st.lists(st.integers(0, 100), max_size=10), st.integers(4, 12))
def test_any_chunks_give_the_same_lines(text: bytes, cuts: list[int], limit: int) -> None:
    places = sorted(min(cut, len(text)) for cut in cuts)
    chunks = [text[start:end] for start, end in zip([0, *places], [*places, len(text)], strict=True)]

    assert split(chunks, limit) == split([text], limit) == split([bytes([byte]) for byte in text], limit)


@given(st.text(st.characters(exclude_characters="\n\r", exclude_categories=["Cs"])), st.integers(4, 12))
def test_a_long_line_comes_in_pieces_under_the_limit_without_a_broken_character(text: str, limit: int) -> None:
    pieces = split([text.encode(), b"\n"], limit)

    assert "".join(pieces) == text
    assert all(len(piece.encode()) <= limit for piece in pieces)
    assert all(len(piece.encode()) > limit - 4 for piece in pieces[:-1])


def test_both_line_ends_are_taken_off_and_a_lone_return_stays() -> None:
    assert split([b"one\r\ntwo\n\n 10%\r 20%\nlast"], 100) == ["one", "two", "", " 10%\r 20%", "last"]


def test_a_complete_line_comes_out_at_once() -> None:
    assert LineSplitter().feed(b"done\nunfinished") == ["done"]


def test_a_long_line_is_shown_before_it_ends_so_that_memory_is_bounded() -> None:
    assert LineSplitter(4).feed(b"abcdefghij") == ["abcd", "efgh"]


def test_a_line_as_long_as_the_limit_is_one_piece_whatever_its_end() -> None:
    assert split([b"abcd\r", b"\nefgh", b"\n"], 4) == ["abcd", "efgh"]


def test_bytes_that_are_no_text_are_shown_as_such() -> None:
    assert split([b"a\xffb\n"], 100) == ["a\ufffdb"]


def test_an_empty_stream_has_no_line() -> None:
    assert split([b""], 100) == []


def test_a_limit_without_room_for_a_character_is_refused() -> None:
    with pytest.raises(ValueError, match="line limit is 3 bytes"):
        LineSplitter(3)
