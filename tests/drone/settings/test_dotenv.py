"""Files of variables, and texts of pairs."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from delegate_drone.dotenv import DotenvError, parse_dotenv, read_dotenv
from delegate_drone.pairs import parse_pairs

NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,8}", fullmatch=True)
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), max_size=30)


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("A=1", "1"),
        ("  export A = 1  ", "1"),
        ("A: 1", "1"),
        ("A=", ""),
        ("A= # nothing", ""),
        ("A=a#b # comment", "a#b"),
        ("A=http://a:1/?b=c", "http://a:1/?b=c"),
        ("A='$B \\n # \"' # comment", '$B \\n # "'),
        ('A="a\\tb\\n\\"c\\" \\$B # d" # comment', 'a\tb\n"c" $B # d'),
        ("A=C:\\new", "C:\\new"),
        ("A=it's", "it's"),
        ("A=pa$$word$UNKNOWN", "pa$$word$UNKNOWN"),
        ("A=\\$B", "$B"),
        ("A=$B-${B}", "b-b"),
        ('A="$B"', "b"),
    ],
)
def test_a_line_is_read_as_a_shell_would(line: str, value: str) -> None:
    assert parse_dotenv(f"# first\n\nB=b\n{line}\r\n") == {"B": "b", "A": value}


@pytest.mark.parametrize("line", ["hidden", "=hidden", "1A=hidden", 'A="hidden', "A='hid'den", "A B=hidden"])
def test_a_line_that_cannot_be_read_is_named_by_its_number_alone(line: str) -> None:
    with pytest.raises(DotenvError, match=r"^line 2: ") as caught:
        parse_dotenv(f"A=1\n{line}\n")
    assert "hid" not in str(caught.value)


@given(st.dictionaries(NAMES, TEXTS))
def test_quoted_values_come_back_as_they_were(values: dict[str, str]) -> None:
    escaped = {
        name: value.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$") for name, value in values.items()
    }
    assert parse_dotenv("\n".join(f'{name}="{value}"' for name, value in escaped.items())) == values


@given(st.dictionaries(NAMES, TEXTS.map(lambda text: text.replace("'", ""))))
def test_values_in_single_quotes_are_taken_as_they_are(values: dict[str, str]) -> None:
    assert parse_dotenv("\n".join(f"{name}='{value}'" for name, value in values.items())) == values


@given(st.text(max_size=100))
def test_any_text_is_read_or_refused(text: str) -> None:
    with suppress(DotenvError):
        assert all(parse_dotenv(text))


def test_a_file_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    file = tmp_path / "env"
    file.write_bytes(b"\xef\xbb\xbfA=1\n")
    assert read_dotenv(file) == {"A": "1"}
    file.write_bytes(b"A=\xff\n")
    with pytest.raises(DotenvError, match="not UTF-8"):
        read_dotenv(file)


PAIRS = st.dictionaries(NAMES, TEXTS.map(lambda text: text.replace(",", "").strip()))


@given(PAIRS, st.sampled_from(":="), st.sampled_from([",", " , ", ",,"]))
def test_pairs_come_back_whatever_their_values_hold_but_commas(
    values: dict[str, str], divider: str, between: str
) -> None:
    assert parse_pairs(between.join(f"{name}{divider}{value}" for name, value in values.items())) == values


@given(st.dictionaries(NAMES, TEXTS.map(str.strip), min_size=2))
def test_pairs_on_lines_may_hold_commas(values: dict[str, str]) -> None:
    assert parse_pairs("\n".join(f"{name}={value}" for name, value in values.items()) + "\n") == values


def test_values_that_double_with_each_line_are_refused() -> None:
    with pytest.raises(DotenvError, match=r"^line \d+: the variables in it make more than 1048576 characters$"):
        parse_dotenv("A=xxxxxxxx\n" + "A=$A$A\n" * 60)
