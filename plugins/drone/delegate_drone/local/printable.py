"""Lines that steps print, as a terminal may show them: colours stay, everything else that moves or rings goes."""

from __future__ import annotations

import re
from typing import Final

from delegate_core.console.visible import uncoloured, visible

__all__ = ["coloured_line", "plain_line", "without_sequences"]

_SEQUENCE: Final = re.compile(
    "\x1b(?:\\[[0-?]*[ -/]*[@-~]"  # CSI: cursor, erasing, modes, colours
    "|[\\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\\\)?"  # OSC and other strings: titles, links, clipboard
    "|[ -/]*[0-~])?"  # the short ones, and a lone escape
)
_COLOUR: Final = re.compile("\x1b\\[[0-9;:]*m")
_RESET: Final = "\x1b[0m"
_WHOLE: Final = 1 << 20
"""Characters of one line that are shown; a log cuts its lines far below."""


def coloured_line(text: str) -> str:
    """The line with its colours, which end with it."""
    text = _last_state(text)
    if "\x1b" not in text:
        return visible(text, _WHOLE)
    parts: list[str] = []
    end = 0
    for found in _SEQUENCE.finditer(text):
        parts.append(visible(text[end : found.start()], _WHOLE))
        if _COLOUR.fullmatch(found.group()):
            parts.append(found.group())
        end = found.end()
    return "".join([*parts, visible(text[end:], _WHOLE), _RESET])


def plain_line(text: str) -> str:
    """The line without colours."""
    return visible(without_sequences(_last_state(text)), _WHOLE)


def without_sequences(text: str) -> str:
    """The text without anything that is addressed to the terminal."""
    return _SEQUENCE.sub("", uncoloured(text)) if "\x1b" in text else text


def _last_state(text: str) -> str:
    """Of a progress bar drawn over and over, what would be on the screen at last."""
    return text.rstrip("\r").rpartition("\r")[2] if "\r" in text else text
