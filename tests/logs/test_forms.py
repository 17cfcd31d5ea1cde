"""A secret is hidden in every shape that it takes on its way into a log."""

import base64
import json
import os
import re
import shlex
import subprocess
from shutil import which
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from delegate_core.logs import Mask
from delegate_core.logs.forms import patterns

SECRET = 'p<4&s>"w\\/rd é?~ü+1'
GO_JSON = 'p\\u003c4\\u0026s\\u003e\\"w\\\\/rd é?~ü+1'
KEY = "-----BEGIN KEY-----\r\n" + "Zm9vYmFy+/" * 20 + "\r\n  }\r\n-----END KEY-----\r\n"


@pytest.mark.parametrize(
    "encoded",
    [
        pytest.param(SECRET, id="as it is"),
        pytest.param(quote(SECRET, safe=""), id="URL, strict"),
        pytest.param(quote(SECRET), id="URL, path"),
        pytest.param(quote(SECRET, safe="!~*'()"), id="URL, JavaScript"),
        pytest.param(quote_plus(SECRET), id="form data"),
        pytest.param(re.sub("%..", lambda hexed: hexed[0].lower(), quote(SECRET, safe="")), id="URL, lower-case"),
        pytest.param(re.sub("%..", lambda hexed: hexed[0].lower(), quote_plus(SECRET)), id="form, lower-case"),
        pytest.param(json.dumps(SECRET)[1:-1], id="JSON, ASCII"),
        pytest.param(json.dumps(SECRET, ensure_ascii=False)[1:-1], id="JSON, UTF-8"),
        pytest.param(GO_JSON, id="JSON, Go"),
        pytest.param(SECRET.encode().hex(), id="hex"),
        pytest.param(SECRET.encode().hex().upper(), id="hex, upper-case"),
    ],
)
def test_an_encoded_secret_is_hidden_as_a_whole(encoded: str) -> None:
    assert Mask([SECRET]).text(f"[{encoded}]") == "[******]"


# No part of such a secret looks like another, so that no run of base64 matches at an unexpected place.
DISTINCT = st.permutations("abcXYZ?>~019-").flatmap(lambda marks: st.integers(8, 13).map(lambda n: "".join(marks[:n])))
AROUND = st.binary(max_size=7).map(lambda data: bytes(byte | 0x80 for byte in data))


@given(AROUND, DISTINCT, AROUND, st.sampled_from(["std", "url"]))
def test_base64_is_hidden_but_for_characters_that_hold_bits_of_the_neighbours(
    before: bytes, secret: str, after: bytes, alphabet: str
) -> None:
    encode = base64.urlsafe_b64encode if alphabet == "url" else base64.b64encode
    encoded = encode(before + secret.encode() + after).decode()
    inside = range(len(before) * 8, (len(before) + len(secret)) * 8)
    certain = [place for place in range(len(encoded)) if place * 6 in inside and place * 6 + 5 in inside]

    assert Mask([secret]).text(encoded) == encoded[: certain[0]] + "******" + encoded[certain[-1] + 1 :]


def test_base64_of_a_value_with_a_line_end_is_hidden_for_the_value_without() -> None:
    encoded = base64.b64encode(b"hunter2hunter\n").decode()

    assert Mask(["hunter2hunter"]).text(encoded) == "******" + encoded[-3:]


@pytest.mark.parametrize("columns", [64, 76])
def test_base64_that_the_encoder_wrapped_is_hidden_line_by_line(columns: int) -> None:
    encoded = base64.b64encode(KEY.encode()).decode()
    wrapped = [encoded[start : start + columns] for start in range(0, len(encoded), columns)]

    masked = Mask([KEY]).text("\n".join(wrapped)).splitlines()

    assert masked[:-1] == ["******"] * (len(wrapped) - 1)
    assert masked[-1].startswith("******")


def test_base64_of_a_tiny_secret_is_left_alone_since_it_would_hit_anything() -> None:
    assert Mask(["abc"]).text("YWJj abc") == "YWJj ******"


def test_each_line_of_a_key_is_hidden_wherever_it_stands() -> None:
    log = "key: -----BEGIN KEY-----\n  " + "Zm9vYmFy+/" * 20 + "\n}\n-----END KEY-----"

    assert Mask([KEY]).text(log) == "key: ******\n  ******\n}\n******"


def test_a_whole_key_is_hidden_once() -> None:
    assert Mask([KEY]).text(f"<{KEY}>") == "<******>"


def test_a_value_is_hidden_without_the_whitespace_around_it_too() -> None:
    assert Mask(["  hunter2\n"]).text("<hunter2>") == "<******>"


@given(st.text())
def test_no_pattern_is_shorter_than_three_characters(secret: str) -> None:
    assert all(len(pattern) >= 3 for pattern in patterns(secret))


@given(st.text(st.characters()))
def test_no_value_breaks_the_forms_even_with_lone_surrogates(secret: str) -> None:
    assert bool(patterns(secret + "\ud800abc")) is True


SHELLS = [shell for shell in ("bash", "dash", "ksh", "zsh") if which(shell)]
_SHOWS = r"""
set -x
: "$1"
set +x
export SHOWN="$1"
export -p | grep -A20 SHOWN=
set | grep -A20 ^SHOWN=
printf '%q\n' "$1" 2>/dev/null
[ -z "$BASH_VERSION" ] || eval 'echo "${1@Q}"; echo "${1@A}"; declare -p SHOWN; alias a="$1"; alias'
"""


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("locale", ["C", "C.UTF-8"])
@pytest.mark.parametrize(
    "secret",
    [
        "q7W'x k2\"Zp9$m`v\\n!",
        "~q7W x{k2},Zp9;m",
        "#q7W*x?k2[Zp9]m|(v)<w>&u^t",
        "q7Wx\tk2\033Zp9'm",
        "q7Wxé'k2Zp9",
        "q7W'xk2Zp9\nZ'p9m k2W",
        "q7Wxk2=Zp9+m/v%w:u@t-s.r_",
    ],
)
def test_whatever_a_shell_shows_of_a_variable_its_value_is_hidden(shell: str, locale: str, secret: str) -> None:
    shown = subprocess.run(
        [shell, "-c", _SHOWS, shell, secret],
        capture_output=True,
        check=False,
        env={"LC_ALL": locale, "PATH": os.environ["PATH"]},
    )
    text = (shown.stdout + shown.stderr).decode(errors="surrogateescape")
    assert "q7W" in text
    masked = Mask([secret]).text(text)
    assert [mark for mark in ("q7W", "k2", "Zp9") if mark in masked] == [], masked


@given(st.text(min_size=3).filter(lambda text: len(text.strip()) >= 3 and "\0" not in text))
def test_what_a_shell_would_take_as_the_value_is_hidden(secret: str) -> None:
    quoted = shlex.quote(secret)
    assert Mask([secret]).text(quoted[1:-1] if quoted != secret else quoted) == "******"
