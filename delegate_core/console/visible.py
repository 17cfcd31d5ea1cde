"""Text from elsewhere, made harmless for a terminal."""

from __future__ import annotations

import json
import re
import unicodedata
from typing import Any, Final

__all__ = [
    "abbreviated",
    "coloured",
    "last_state",
    "monochrome",
    "uncoloured",
    "visible",
    "visible_json",
    "visible_lines",
]

_LONGEST: Final = 2000
"""Characters of one text that are shown; an error may carry a whole log."""

_COLOURS: Final = re.compile(r"\x1b\[[0-9;:]*m")
_KEPT: Final = re.compile(r"(\x1b\[[0-9;:]*m|\r?\n)")
_PLAIN: Final = "\x1b[0m"


def visible(text: str, limit: int = _LONGEST) -> str:
    r"""The text in one line, with every character that is not plainly printable shown as an escape.

    So no id, error or log line can move the cursor, recolour the screen, forge a line of ours or reverse its
    direction: an escape character becomes ``\x1b``, a line end ``\n``. Tabs and exotic spaces become blanks.

    Args:
        text: anything, also lone surrogates.
        limit: characters to keep; an ellipsis stands for the rest.
    """
    if len(text) > limit:
        text = text[: limit - 1] + "…"
    return text if text.isprintable() else "".join(map(_shown, text))


def visible_lines(text: str) -> str:
    """The text as by `visible`, but in as many lines as it has."""
    return "\n".join(map(visible, text.split("\n")))


def visible_json(value: Any, *, indent: int | None = None) -> str:
    """A value as JSON: letters of any language as they are, and what would act on a terminal as an escape."""
    text = json.dumps(value, indent=indent, ensure_ascii=False)
    if text.replace("\n", "").isprintable():
        return text
    return "".join(one if one.isprintable() or one == "\n" else json.dumps(one)[1:-1] for one in text)


def _shown(character: str) -> str:
    if character.isprintable():
        return character
    if character == "\t":
        return "    "
    if unicodedata.category(character) == "Zs":
        return " "
    return character.encode("unicode_escape").decode("ascii")


def uncoloured(text: str) -> str:
    """The text without colour codes. Most build tools print them; they are the one escape worth dropping."""
    return _COLOURS.sub("", text) if "\x1b" in text else text


def last_state(text: str) -> str:
    """A line without colours, as a terminal would show it at last: of a progress bar drawn over and over, its end."""
    return uncoloured(text).rstrip("\r").rpartition("\r")[2].strip()


def coloured(text: str) -> str:
    """Lines of a log for a terminal: with their colours and line ends, but without any other power over it."""
    if text.isprintable():
        return text
    end = _PLAIN if _COLOURS.search(text) else ""
    shown = _KEPT.split(text)
    shown[::2] = map(_harmless, shown[::2])
    shown[1::2] = [_kept(part, end) for part in shown[1::2]]
    return "".join(shown)


def monochrome(text: str) -> str:
    """The same without their colours."""
    return coloured(uncoloured(text))


def _kept(part: str, end: str) -> str:
    """A colour as it is; a line end after the end of all colours."""
    return f"{end}{part}" if part.endswith("\n") else part


def _harmless(text: str) -> str:
    return text if text.isprintable() else "".join(map(_shown, text))


def abbreviated(text: str, width: int) -> str:
    """The text within a width, without its middle: both ends of an id tell it from its neighbours."""
    if len(text) <= width:
        return text
    tail = (width - 1) // 2
    return text[: width - 1 - tail] + "…" + text[len(text) - tail :]
