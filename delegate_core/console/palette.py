"""Colours that can be read on a light terminal and on a dark one, and signs for terminals without Unicode.

Texts name what they mean (``bad``, ``faint``), never a colour; which colour that is depends on the terminal alone.
Nothing is told by its colour only: a sign or a word says the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, TextIO

from rich.cells import cell_len
from rich.theme import Theme

from delegate_core.console.colours import asked_for

__all__ = ["BAD", "BUSY", "FAINT", "GOOD", "INDEXED", "NAMED", "ODD", "WARN", "Ability", "ability", "ascii_only"]

GOOD: Final = "good"
BAD: Final = "bad"
WARN: Final = "warn"
ODD: Final = "odd"
BUSY: Final = "busy"
FAINT: Final = "faint"

_MIDDLE: Final = {
    GOOD: "color(28)",
    BAD: "color(160)",
    WARN: "color(130)",
    ODD: "color(133)",
    BUSY: "color(30)",
    FAINT: "color(243)",
}
"""Of the 256: fixed, and half-way between black and white, so with the same contrast on both."""

_SIXTEEN: Final = {
    GOOD: "green",
    BAD: "red",
    WARN: "yellow",
    ODD: "magenta",
    BUSY: "cyan",
    FAINT: "dim",
}
"""Of the sixteen, which each terminal defines to suit its own background: the best that older ones have."""


def _theme(colours: Mapping[str, str]) -> Theme:
    return Theme({**colours, **{f"{name}.bold": f"bold {colour}" for name, colour in colours.items()}})


INDEXED: Final = _theme(_MIDDLE)
NAMED: Final = _theme(_SIXTEEN)


@dataclass(frozen=True, slots=True)
class Ability:
    """What a terminal can show."""

    colour: bool = True
    indexed: bool = False
    unicode: bool = True

    @property
    def theme(self) -> Theme:
        """The colours to use there."""
        return INDEXED if self.indexed else NAMED


_PLAIN_FONTS: Final = ("linux", "vt", "ansi", "cons25", "dumb", "sun")
"""Beginnings of the ``TERM`` of terminals whose fonts lack most of our signs."""

_MANY_COLOURS: Final = ("256color", "direct", "kitty", "alacritty", "ghostty", "foot", "wezterm")
"""Parts of the ``TERM`` of those with 256 colours or more."""


def ability(stream: TextIO, environ: Mapping[str, str]) -> Ability:
    """What a stream's terminal can show, by its encoding, and by ``TERM``, ``COLORTERM`` and who wants no colours."""
    term = environ.get("TERM", "")
    encoding = (getattr(stream, "encoding", None) or "utf-8").lower().replace("-", "")
    return Ability(
        colour=asked_for(environ) is not False,
        indexed=bool(environ.get("COLORTERM")) or any(part in term for part in _MANY_COLOURS),
        unicode=encoding.startswith("utf") and not term.startswith(_PLAIN_FONTS),
    )


_ASCII: Final = str.maketrans("━─●✓✗◷⊘⊝…▸→▲↑↓←·│▁▂▃▄▅▆▇█", "=-*+xt/o~>>!^v<.|_.:-=+*#")


def ascii_only(text: str) -> str:
    """The text in ASCII, as wide as before: a stand-in for each sign of ours, and ``?`` for what is left."""
    if text.isascii():
        return text
    text = text.translate(_ASCII)
    return text if text.isascii() else "".join(one if one.isascii() else "?" * cell_len(one) for one in text)
