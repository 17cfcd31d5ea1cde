r"""Cards: what a step shows on the build page, hidden in its output as ``ESC ]1338;`` base64 ``ESC ]0m``.

The base64 text holds a JSON object: ``schema``, the address of the template, and ``data``, any JSON.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from delegate_core.model import JsonValue

__all__ = ["CardFilter", "StepCard", "masked_json"]

_BEGIN: Final = b"\x1b]1338;"
_END: Final = b"\x1b]0m"
_LARGEST: Final = 1024 * 1024
"""Bytes of base64 that a card may have."""

_DEEPEST: Final = 100
"""Levels of lists and objects in it."""


@dataclass(frozen=True, slots=True)
class StepCard:
    """One card."""

    schema: str
    data: JsonValue


class CardFilter:
    """Takes cards out of a step's output, however it is cut into pieces. The last whole card is the step's.

    What only looks like a card, or is too large for one, stays in the log.
    """

    def __init__(self) -> None:
        self.card: StepCard | None = None
        self._held = bytearray()
        self._searched = 0  # of what is held, without finding an end

    def feed(self, data: bytes) -> bytes:
        """Take the next piece; return what goes to the log. The time is in proportion to the piece."""
        if not self._held and b"\x1b" not in data:
            return data
        held, passed, place = self._held, bytearray(), 0
        held += data
        while (begin := held.find(_BEGIN, place)) >= 0:
            end = held.find(_END, max(begin + len(_BEGIN), self._searched))
            if end < 0 and len(held) - begin <= _LARGEST:
                break
            begin = held.rfind(_BEGIN, begin, end) if end >= 0 else begin  # base64 has no mark within it
            cut = begin + len(_BEGIN)
            whole = end >= 0 and self._is_card(bytes(held[cut:end]))
            passed += held[place : begin if whole else cut]
            place = end + len(_END) if whole else cut
        keep = begin if begin >= 0 else max(place, len(held) - _begun(held))
        passed += held[place:keep]
        del held[:keep]
        self._searched = max(0, len(held) - len(_END) + 1)
        return bytes(passed)

    def finish(self) -> bytes:
        """The output is over: return what was held back."""
        held, self._held = bytes(self._held), bytearray()
        return held

    def _is_card(self, text: bytes) -> bool:
        try:
            found = json.loads(base64.b64decode(text, validate=False)) if len(text) <= _LARGEST else None
        except (ValueError, binascii.Error, RecursionError):
            return False
        if not isinstance(found, dict) or not isinstance(found.get("schema"), str) or _is_deep(found, _DEEPEST):
            return False
        self.card = StepCard(found["schema"], found.get("data"))
        return True


def _is_deep(value: JsonValue, most: int) -> bool:
    """Whether lists and objects lie in one another more than so many levels: what goes over a value recurses."""
    if not isinstance(value, dict | list):
        return False
    items = value.values() if isinstance(value, dict) else value
    return most == 0 or any(_is_deep(item, most - 1) for item in items)


def _begun(data: bytes | bytearray) -> int:
    """How many of the last bytes may be the first of a card's mark."""
    most = min(len(data), len(_BEGIN) - 1)
    return next((length for length in range(most, 0, -1) if _BEGIN.startswith(bytes(data[-length:]))), 0)


def masked_json(value: JsonValue, mask: Callable[[str], str]) -> JsonValue:
    """The value with every text in it masked."""
    match value:
        case str():
            return mask(value)
        case list():
            return [masked_json(item, mask) for item in value]
        case dict():
            return {mask(key): masked_json(item, mask) for key, item in value.items()}
        case _:
            return value
