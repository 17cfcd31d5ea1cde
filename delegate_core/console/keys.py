r"""From the bytes that a terminal sends to the names of keys.

A printable character names itself. Of the rest these have names: ``up``, ``down``, ``left``, ``right``, ``home``,
``end``, ``page up``, ``page down``, ``enter``, ``escape``, ``backspace``, ``redraw`` (Ctrl-L). Everything else, also
what a terminal reports of itself, is passed over.
"""

from __future__ import annotations

import re
from typing import Final

__all__ = ["KeyReader"]

_ESCAPE: Final = 0x1B

_SEQUENCE: Final = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*[@-~]|O[@-~]|[PX\]^_][^\x07\x1b]*(?:\x07|\x1b\\))")
"""What begins with an escape character and is whole (ECMA-48): CSI, SS3, and strings with their terminators."""

_BEGUN: Final = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*|O|[PX\]^_][^\x07\x1b]*\x1b?)?")
"""The beginning of one."""

_LONGEST: Final = 1024
"""Bytes of a sequence; what is longer is none."""

_FINAL: Final = {"A": "up", "B": "down", "C": "right", "D": "left", "H": "home", "F": "end", "M": "enter"}
"""By the last byte, of CSI and SS3; ``SS3 M`` is the keypad's Enter."""

_NUMBERED: Final = {"1": "home", "7": "home", "4": "end", "8": "end", "5": "page up", "6": "page down"}
"""By the number in ``CSI number ~``, as xterm and rxvt send them."""

_CONTROL: Final = {"\r": "enter", "\n": "enter", "\x7f": "backspace", "\x08": "backspace", "\x0c": "redraw"}


class KeyReader:
    """Takes bytes as they come, in any pieces, and gives the keys that are whole."""

    def __init__(self) -> None:
        self._rest = b""

    @property
    def waiting(self) -> bool:
        """What came last may be the beginning of a sequence, or the key Escape: only time tells."""
        return self._rest.startswith(b"\x1b")

    def feed(self, data: bytes) -> list[str]:
        """Take the next bytes."""
        data, self._rest = self._rest + data, b""
        keys: list[str] = []
        while data:
            key, data = self._next(data)
            if key:
                keys.append(key)
        return keys

    def flush(self) -> list[str]:
        """Nothing more has come for a while: an escape character was the key. Of a torn one the rest is dropped."""
        if not self.waiting:
            return []
        self._rest = b""
        return ["escape"]

    def _next(self, data: bytes) -> tuple[str, bytes]:
        """The first key, empty if it has no name or is not whole, and what is left."""
        if data[0] != _ESCAPE:
            return self._character(data)
        if whole := _SEQUENCE.match(data):
            return _named(whole[0]), data[whole.end() :]
        begun = _BEGUN.match(data)
        if begun is not None and begun.end() == len(data) <= _LONGEST:
            self._rest = data
            return "", b""
        return "escape", data[1:]

    def _character(self, data: bytes) -> tuple[str, bytes]:
        size = _size(data[0])
        if len(data) < size and all(byte & 0xC0 == 0x80 for byte in data[1:]):
            self._rest = data
            return "", b""
        try:
            text = data[:size].decode()
        except UnicodeDecodeError:
            return "", data[1:]
        return (text if text.isprintable() else _CONTROL.get(text, "")), data[size:]


def _size(first: int) -> int:
    """Bytes of a character in UTF-8, by its first."""
    return 4 if first >= 0xF0 else 3 if first >= 0xE0 else 2 if first >= 0xC0 else 1


def _named(sequence: bytes) -> str:
    kind, parameters, final = sequence[1:2], sequence[2:-1].decode("ascii", "replace"), chr(sequence[-1])
    if kind == b"[":
        return _NUMBERED.get(parameters.partition(";")[0], "") if final == "~" else _csi(final)
    return _FINAL.get(final, "") if kind == b"O" else ""


def _csi(final: str) -> str:
    """``CSI M`` is no key but the beginning of a mouse report."""
    return "" if final == "M" else _FINAL.get(final, "")
