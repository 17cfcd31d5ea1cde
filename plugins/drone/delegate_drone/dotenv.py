"""Files of variables: a ``NAME=value`` a line, as shells and Drone read them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

__all__ = ["DotenvError", "parse_dotenv", "read_dotenv"]

_LINE = re.compile(r"\s*(?:export\s+)?(?P<name>[A-Za-z_][\w.-]*)\s*[=:]\s*(?P<value>.*)", re.DOTALL)
_QUOTED = re.compile(r'"(?P<text>(?:\\.|[^"\\])*)"\s*(?:#.*)?$')
_LITERAL = re.compile(r"'(?P<text>[^']*)'\s*(?:#.*)?$")
_COMMENT = re.compile(r"(?:^|\s+)#.*$")
_SPECIAL = re.compile(r"\\(?P<escaped>.)|\$(?:\{(?P<braced>\w+)\}|(?P<bare>\w+))", re.DOTALL)
_LONGEST = 1024 * 1024
"""Characters that the variables within one value may make together. A chain of such values doubles with each line."""

_ESCAPES = {"n": "\n", "r": "\r", "t": "\t"}


class DotenvError(Exception):
    """A line that cannot be read. The text names the line and shows nothing of it: it may hold a secret."""


def read_dotenv(path: Path) -> dict[str, str]:
    """The variables of a file.

    Raises:
        DotenvError: the file cannot be read, or one of its lines.
    """
    try:
        return parse_dotenv(path.read_text("utf-8-sig"))
    except OSError as error:
        raise DotenvError(f"{path}: {error.strerror}: name a readable file") from None
    except UnicodeDecodeError:
        raise DotenvError(f"{path}: not UTF-8: save it as UTF-8") from None
    except DotenvError as error:
        raise DotenvError(f"{path} {error}") from None


def parse_dotenv(text: str) -> dict[str, str]:
    r"""The variables of a text; of two with the same name the later one counts.

    ``export`` before a name and comments are passed over. A value in single quotes is taken as it is; in double quotes
    ``\n``, ``\t``, ``\"``, ``\$`` and ``\\`` mean what they do in a shell. Elsewhere than in single quotes, ``$NAME``
    and ``${NAME}`` are replaced where the text has set NAME before, and stay as they are otherwise. A value ends with
    its line.

    Raises:
        DotenvError: a line that is none of this, or whose variables make a text without measure.
    """
    found: dict[str, str] = {}
    for number, line in enumerate(text.split("\n"), start=1):
        content = line.strip()
        if content and not content.startswith("#"):
            name, value = _variable(content, number, found)
            found[name] = value
    return found


def _variable(line: str, number: int, known: Mapping[str, str]) -> tuple[str, str]:
    match = _LINE.fullmatch(line)
    if match is None:
        raise DotenvError(f"line {number}: no variable: write NAME=value")
    value = match["value"]
    try:
        return match["name"], _value(value, number, known)
    except OverflowError:
        raise DotenvError(f"line {number}: the variables in it make more than {_LONGEST} characters") from None


def _value(value: str, number: int, known: Mapping[str, str]) -> str:
    if not value.startswith(("'", '"')):
        return _expanded(_COMMENT.sub("", value).rstrip(), known, escapes=False)
    if literal := _LITERAL.match(value):
        return literal["text"]
    if quoted := _QUOTED.match(value):
        return _expanded(quoted["text"], known, escapes=True)
    raise DotenvError(f"line {number}: a quote that does not end, or text after it: close it on its line")


def _expanded(text: str, known: Mapping[str, str], *, escapes: bool) -> str:
    made = 0

    def replacement(match: re.Match[str]) -> str:
        nonlocal made
        escaped = match["escaped"]
        if escaped is None:
            value = known.get(match["braced"] or match["bare"], match.group())
            made += len(value)
            if made > _LONGEST:
                raise OverflowError
            return value
        if escapes:
            return _ESCAPES.get(escaped, escaped)
        return "$" if escaped == "$" else match.group()

    return _SPECIAL.sub(replacement, text)
