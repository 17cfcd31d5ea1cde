"""The shapes in which a secret may turn up in a log: as it is, line by line, and encoded.

Each form is a function from the secret's value to texts that must not be shown. To cover another encoding,
write one more function and add it to `FORMS`.
"""

import base64
import json
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import Final
from urllib.parse import quote, quote_plus

__all__ = ["FORMS", "MIN_LENGTH", "Form", "patterns"]

Form = Callable[[str], Iterable[str]]

MIN_LENGTH: Final = 3
"""Characters (surrounding whitespace apart) below which a text is never masked: it would match everywhere."""

_MIN_BASE64: Final = 8
"""Characters of base64 that must be certain: a shorter run would hit words and paths that hide nothing."""

_MIN_HEX: Final = 12
"""Hex digits below which a run is not searched for."""

_BASE64_COLUMNS: Final = (64, 76)
"""Where `openssl base64` and PEM (64), `base64` and MIME (76) break their lines."""

_URL_SAFE: Final = ("", "/", "!~*'()")
"""What encoders leave alone beside letters, digits and `_.-~`: strict ones nothing, path encoders the slash,
and JavaScript's `encodeURIComponent` these marks."""

_HTML: Final = str.maketrans({mark: f"\\u{ord(mark):04x}" for mark in "<>&\u2028\u2029"})
"""What Go's JSON encoder escapes so that its output may stand inside HTML."""

_IN_DOUBLE_QUOTES: Final = re.compile(r'["$`\\]')
_UNQUOTED: Final = re.compile(r"""^[~#]|[ \t"'`$&*(),;<>?!\[\]{}|^\\]""")

_UNQUOTED_IN_ZSH: Final = re.compile(r"""^[~=]|[ "#$&'()*;<>?\[\\\]^`{|}]""")
"""The same of zsh, which takes others for special."""

_NAMED_IN_ZSH: Final = dict(zip("\a\b\t\n\v\f\r", "abtnvfr", strict=True))
_ALONE_IN_ZSH: Final = str.maketrans(
    {chr(code): f"$'\\{_NAMED_IN_ZSH.get(chr(code)) or f'{code:03o}'}'" for code in (*range(32), 127)}
)
"""Control characters between quotes of their own, as `printf %q` of zsh writes them."""

_CARETS_IN_ZSH: Final = str.maketrans(
    {chr(code): f"\\C-{chr(code ^ 64)}" for code in (*range(32), 127)}
    | {mark: f"\\{_NAMED_IN_ZSH[mark]}" for mark in "\t\n"}
)
"""Control characters as its `set -x` and `export -p` write them."""

_QUOTED_IN_ZSH: Final = _CARETS_IN_ZSH | str.maketrans({mark: f"\\{mark}" for mark in "\\'"})
"""The same for all that is between `$'` and `'`."""

_NOT_ASCII: Final = re.compile(r"[^\x00-\x7f]")
_BASE64_FOR_URLS: Final = str.maketrans("+/", "-_")

_ANSI_C: Final = str.maketrans(
    {chr(code): f"\\{code:03o}" for code in (*range(32), 127)}
    | dict(zip("\a\b\t\n\v\f\r\x1b\\'", (f"\\{mark}" for mark in "abtnvfrE\\'"), strict=True))
)
"""What stands for characters between `$'` and `'` (bash, ksh, zsh)."""


def plain(value: str) -> Iterator[str]:
    """The value itself, and without the whitespace around it."""
    yield value
    yield value.strip()


def lines(value: str) -> Iterator[str]:
    """Each line of the value, without its indentation and line end: logs are read and cut line by line."""
    for line in value.split("\n"):
        yield line.strip()


def base64_runs(value: str) -> Iterator[str]:
    """What base64 makes of the value wherever it stands inside the encoded data, in both alphabets.

    A character holds 6 bits, so the value may begin at one of three places within a group of 4 characters.
    Characters that also hold bits of what stands before or after the value are left out, and with them the
    padding. Runs of fewer than 8 certain characters are left out too, so a value needs 6 bytes (8 to be found
    at every offset).
    """
    for text in _seeds(value):
        for offset in range(3):
            yield from _both_alphabets(_certain_base64(_encode(text), offset))


def base64_lines(value: str) -> Iterator[str]:
    """The lines of the value's base64 where the encoder wraps them: a key is longer than one line."""
    for text in _seeds(value):
        run = _certain_base64(_encode(text), offset=0)
        for columns in _BASE64_COLUMNS:
            for start in range(0, len(run) if len(run) > columns else 0, columns):
                yield from _both_alphabets(run[start : start + columns])


def url_quoted(value: str) -> Iterator[str]:
    """The value as part of a URL or of form data, with upper-case and lower-case hex digits."""
    for text in _seeds(value):
        data = _encode(text)
        for quoted in {quote_plus(data), *(quote(data, safe=safe) for safe in _URL_SAFE)}:
            yield quoted
            yield re.sub("%[0-9A-F]{2}", lambda match: match[0].lower(), quoted)


def hex_digits(value: str) -> Iterator[str]:
    """What `xxd -p` and the like make of the value. Short ones are left out: they would hit parts of hashes."""
    for text in _seeds(value):
        digits = _encode(text).hex()
        if len(digits) >= _MIN_HEX:
            yield digits
            yield digits.upper()


def json_escaped(value: str) -> Iterator[str]:
    """The value inside a JSON string: non-ASCII characters escaped or not, and HTML's marks as Go does."""
    for text in _seeds(value):
        for ensure_ascii in (True, False):
            escaped = json.dumps(text, ensure_ascii=ensure_ascii)[1:-1]
            yield escaped
            yield escaped.translate(_HTML)


def shell_quoted(value: str) -> Iterator[str]:
    """The value between a shell's quotes, or with backslashes: what `set -x`, `printf %q` and `export -p` show.

    A single quote within single quotes leaves them (`'\\''` in bash, `'"'"'` in dash and Python), within `$' '` all
    control characters are escaped (and, without a UTF-8 locale, what is not ASCII). Each line of a value goes through
    the first two by itself too, as it is printed.
    """
    for text in {seed for each in _seeds(value) for seed in (each, *each.split("\n"))}:
        yield text.replace("'", "'\\''")
        yield text.replace("'", "'\"'\"'")
        yield _IN_DOUBLE_QUOTES.sub(r"\\\g<0>", text)
        yield _UNQUOTED.sub(r"\\\g<0>", text)
        for shown, of_a_byte in (
            (text.translate(_ANSI_C), _octal),
            (_UNQUOTED_IN_ZSH.sub(r"\\\g<0>", text).translate(_ALONE_IN_ZSH), _alone_in_zsh),
            (text.translate(_QUOTED_IN_ZSH), _meta_in_zsh),
        ):
            yield shown
            yield _bytewise(shown, of_a_byte)


FORMS: Final[tuple[Form, ...]] = (
    plain,
    lines,
    base64_runs,
    base64_lines,
    hex_digits,
    url_quoted,
    json_escaped,
    shell_quoted,
)


def patterns(value: str, forms: Iterable[Form] = FORMS) -> frozenset[bytes]:
    """All byte strings to hide for one secret; empty if the value is too short to be masked at all."""
    texts = {text for form in forms for text in form(value) if len(text.strip()) >= MIN_LENGTH}
    return frozenset(encoded for text in texts for encoded in _encodings(text))


def _bytewise(text: str, shown: Callable[[int], str]) -> str:
    """A text as a shell writes it where the locale has no UTF-8: what is not ASCII byte by byte."""
    return _NOT_ASCII.sub(lambda found: "".join(map(shown, _encode(found[0]))), text)


def _octal(byte: int) -> str:
    return f"\\{byte:03o}"


def _alone_in_zsh(byte: int) -> str:
    return f"$'\\{byte:03o}'"


def _meta_in_zsh(byte: int) -> str:
    return f"\\M-{chr(byte - 128).translate(_CARETS_IN_ZSH)}"


def _seeds(value: str) -> set[str]:
    """What is worth encoding: the value, and the value as a shell's `$(...)` or an editor would trim it."""
    return {text for text in plain(value) if len(text.strip()) >= MIN_LENGTH}


def _certain_base64(data: bytes, offset: int) -> str:
    """The base64 characters that hold bits of `data` only, if `offset` unknown bytes stand before it."""
    encoded = base64.b64encode(bytes(offset) + data).decode()
    first = -(-offset * 8 // 6)
    end = (offset + len(data)) * 8 // 6
    return encoded[first:end]


def _both_alphabets(run: str) -> Iterator[str]:
    if len(run) >= _MIN_BASE64:
        yield run
        yield run.translate(_BASE64_FOR_URLS)


def _encode(text: str) -> bytes:
    """UTF-8 that never fails, since the error would carry the secret: lone surrogates count as characters."""
    return text.encode("utf-8", "surrogatepass")


def _encodings(text: str) -> Iterator[bytes]:
    """UTF-8, and the raw bytes that Python smuggles into a str as surrogates when it reads an environment."""
    yield _encode(text)
    with suppress(UnicodeEncodeError):
        yield text.encode("utf-8", "surrogateescape")
