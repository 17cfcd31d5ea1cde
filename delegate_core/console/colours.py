"""Who gets colours, and who a picture that is drawn over and over: the rules of every command, in one place.

`docs/reference/terminal.md` tells them to users. Nothing here imports rich.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, TextIO

from delegate_core.console.visible import coloured, monochrome

__all__ = ["asked_for", "colourful", "log_text", "redrawn"]

_NO: Final = frozenset({"0", "false", "no", "off"})


def asked_for(environ: Mapping[str, str]) -> bool | None:
    """What a person has said of colours, None for nothing. An empty variable is as good as none."""
    if environ.get("NO_COLOR"):
        return False
    return _is_set(environ, "FORCE_COLOR") if environ.get("FORCE_COLOR") else None


def colourful(stream: TextIO, environ: Mapping[str, str]) -> bool:
    """Whether what is written there is coloured.

    ``NO_COLOR`` says no, ``FORCE_COLOR`` yes, in this order; else a terminal is, unless its ``TERM`` is ``dumb`` or
    missing, and a pipe or file is not.
    """
    said = asked_for(environ)
    return _is_terminal(stream, environ) if said is None else said


def redrawn(stream: TextIO, environ: Mapping[str, str]) -> bool:
    """Whether a picture there may be drawn over and over: in a terminal that no CI system reads."""
    return _is_terminal(stream, environ) and not _is_set(environ, "CI")


def log_text(stream: TextIO, environ: Mapping[str, str]) -> Callable[[str], str]:
    """How the log of a task is written there.

    With its colours and no other power over a terminal, or without them by the rules of `colourful`; into a pipe or a
    file as it is, every byte of it, unless ``NO_COLOR`` or ``FORCE_COLOR`` say otherwise.
    """
    if asked_for(environ) is None and not stream.isatty():
        return str
    return coloured if colourful(stream, environ) else monochrome


def _is_set(environ: Mapping[str, str], name: str) -> bool:
    return environ.get(name, "").strip().lower() not in {"", *_NO}


def _is_terminal(stream: TextIO, environ: Mapping[str, str]) -> bool:
    return environ.get("TERM", "") not in {"", "dumb"} and stream.isatty()
