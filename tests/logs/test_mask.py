"""The mask hides the same things however the stream is cut."""

from concurrent.futures import ThreadPoolExecutor
from functools import reduce

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from delegate_core.logs import Mask
from delegate_core.logs.forms import patterns
from delegate_core.logs.mask import LONG

STARS = b"******"

SECRETS = st.text("ab\n", min_size=3, max_size=20).filter(lambda value: len(value.strip()) >= 3)
LONG_SECRETS = st.tuples(SECRETS, st.integers(1, 2), SECRETS).map(
    lambda parts: parts[0] * (parts[1] * LONG // len(parts[0])) + parts[2]
)
"""Found by their beginning alone, at many places, since each is one text over and over, or nearly."""


def scan(hidden: frozenset[bytes], data: bytes, *, final: bool) -> tuple[bytes, bytes]:
    """The naive mask: what can be shown of `data`, and what must be kept back."""
    shown, place = b"", 0
    while rest := data[place:]:
        if not final and any(len(each) > len(rest) and each.startswith(rest) for each in hidden):
            break
        longest = max((len(each) for each in hidden if rest.startswith(each)), default=0)
        shown += STARS if longest else rest[:1]
        place += longest or 1
    return shown, data[place:]


def hidden_by(secrets: list[str]) -> frozenset[bytes]:
    return reduce(frozenset.union, map(patterns, secrets), frozenset[bytes]())


@st.composite
def printed(draw: st.DrawFn, secrets: list[str], longest: int = 30) -> bytes:
    """Text made of pieces of patterns, so that matches overlap, nearly happen and grow."""
    choices = sorted(hidden_by(secrets)) or [b"ab"]
    lengths = st.integers(0, longest)
    pieces = draw(st.lists(st.tuples(st.sampled_from(choices), lengths, lengths)))
    return b"".join(pattern[start : start + length] for pattern, start, length in pieces)


@st.composite
def chunked(draw: st.DrawFn, data: bytes) -> list[bytes]:
    cuts = sorted(draw(st.lists(st.integers(0, len(data)), max_size=12)))
    return [data[start:end] for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True)]


@given(st.data(), st.lists(SECRETS, max_size=4))
def test_a_stream_is_masked_like_the_whole_text_whatever_the_chunks(data: st.DataObject, secrets: list[str]) -> None:
    text = data.draw(printed(secrets))
    stream = Mask(secrets).stream()

    shown = b"".join(map(stream.feed, data.draw(chunked(text)))) + stream.finish()

    assert shown == scan(hidden_by(secrets), text, final=True)[0]


@given(st.data(), st.lists(st.lists(SECRETS, max_size=2), min_size=1, max_size=4))
def test_each_byte_comes_out_as_soon_as_it_is_certain_under_the_secrets_so_far(
    data: st.DataObject, additions: list[list[str]]
) -> None:
    mask, known, held = Mask(), list[str](), b""
    stream = mask.stream()
    for added in additions:
        mask.add(*added)
        known += added
        for chunk in data.draw(chunked(data.draw(printed(known)))):
            expected, held = scan(hidden_by(known), held + chunk, final=False)
            assert stream.feed(chunk) == expected

    assert stream.finish() == scan(hidden_by(known), held, final=True)[0]


@settings(max_examples=min(30, settings().max_examples))
@given(st.data(), SECRETS, LONG_SECRETS, LONG_SECRETS)
def test_long_secrets_are_found_like_short_ones(data: st.DataObject, short: str, one: str, other: str) -> None:
    secrets = [short, one, other]
    hidden, held = hidden_by(secrets), b""
    stream = Mask(secrets).stream()
    for chunk in data.draw(chunked(data.draw(printed(secrets, longest=3 * LONG)))):
        expected, held = scan(hidden, held + chunk, final=False)
        assert stream.feed(chunk) == expected

    assert stream.finish() == scan(hidden, held, final=True)[0]


@given(st.data(), st.lists(SECRETS, max_size=3))
def test_a_whole_text_is_masked_like_a_stream(data: st.DataObject, secrets: list[str]) -> None:
    text = data.draw(printed(secrets))

    assert Mask(secrets).text(text.decode()).encode() == scan(hidden_by(secrets), text, final=True)[0]


@pytest.mark.parametrize("length", range(3, 14))
def test_every_pattern_is_hidden_wherever_it_is_cut_in_two(length: int) -> None:
    secret = "q7Wx?k2/Zp9&m"[:length]
    mask = Mask([secret])
    for pattern in patterns(secret):
        for cut in range(len(pattern)):
            stream = mask.stream()
            assert stream.feed(b"= " + pattern[:cut]) == b"= "
            assert stream.feed(pattern[cut:]) + stream.finish() == STARS


def test_a_secret_of_many_lines_is_hidden_as_one_however_it_is_printed() -> None:
    secret = "".join(f"    key-{number}: {number * number:020}\n" for number in range(1000))
    stream = Mask([secret]).stream()

    *first, last = secret.encode().splitlines(keepends=True)
    assert {stream.feed(line) for line in first} == {b""}
    assert stream.feed(last + b"tail\n") == STARS + b"tail\n"


def test_of_two_long_secrets_that_begin_alike_each_is_hidden_to_its_end() -> None:
    common = "".join(f"{number}-" for number in range(100))
    mask = Mask([common + "x", common + "x-and-more", "end" + common])

    shown = mask.text(f"{common}x {common}x-and-more {common}z end{common}x")

    assert shown == f"****** ****** {common}z ******x"


def test_what_begins_first_is_hidden_first_be_it_short_or_long() -> None:
    long = "".join(f"{number}-" for number in range(100))
    mask = Mask([long, "zz0-1-2-", "99-yy-yy"])

    shown = mask.text(f"zz{long} {long}yy-yy 99-yy-yy")

    assert shown == f"******{long.removeprefix('0-1-2-')} ******yy-yy ******"


def test_an_ordinary_line_comes_out_at_once_beside_a_long_key() -> None:
    key = "-----BEGIN PRIVATE KEY-----\n" + "x7" * 2000 + "\n-----END PRIVATE KEY-----\n"

    assert Mask([key]).stream().feed(b"compiling main.c\n") == b"compiling main.c\n"


def test_without_secrets_the_very_bytes_pass_through() -> None:
    data = b"anything at all"

    assert Mask().stream().feed(data) is data


def test_a_secret_added_later_is_hidden_in_what_another_secret_held_back() -> None:
    mask = Mask(["tokenA-long-tail"])
    stream = mask.stream()
    assert stream.feed(b"x tokenA-long") == b"x "

    mask.add("tokenA")

    assert stream.feed(b"!") + stream.finish() == STARS + b"-long!"


def test_adjacent_matches_give_adjacent_replacements() -> None:
    assert Mask(["abc"], replacement="[hidden]").text("abcabc abc") == "[hidden][hidden] [hidden]"


def test_a_value_too_short_is_shown_and_warned_of_without_being_named() -> None:
    mask = Mask()

    assert mask.add("q", "  zx\n", "", "long enough") == (
        "a secret of 1 character is too short to mask",
        "a secret of 2 characters is too short to mask",
    )
    assert mask.text("q zx long enough") == "q zx ******"


def test_strings_and_keys_of_a_json_value_are_masked_and_the_rest_stays() -> None:
    value = {"key hunter2": ["hunter2", 5, None, True, {"deep": "x hunter2"}], "n": 1.5}

    assert Mask(["hunter2"]).json(value) == {
        "key ******": ["******", 5, None, True, {"deep": "x ******"}],
        "n": 1.5,
    }


def test_text_that_is_not_valid_unicode_is_masked_and_otherwise_kept() -> None:
    assert Mask(["pass\ud83dword"]).text("\udc80 pass\ud83dword \ude00") == "\udc80 ****** \ude00"


def test_bytes_of_an_undecodable_environment_variable_are_masked() -> None:
    raw = b"pa\xffssword"

    assert Mask([raw.decode("utf-8", "surrogateescape")]).stream().feed(b"is " + raw + b"\n") == b"is ******\n"


def test_secrets_may_be_added_by_threads_while_others_print() -> None:
    mask = Mask(["first-secret"])

    def work(number: int) -> bytes:
        secret = f"secret-number-{number}-end"
        mask.add(secret)
        stream = mask.stream()
        return stream.feed(f"{secret} first-secret\n".encode()) + stream.finish()

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(work, range(50))) == {b"****** ******\n"}
