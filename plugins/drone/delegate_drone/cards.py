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
        self._held = b""

    def feed(self, data: bytes) -> bytes:
        """Take the next piece; return what goes to the log."""
        if not self._held and b"\x1b" not in data:
            return data
        rest, passed = self._held + data, []
        while (found := rest.find(_BEGIN)) >= 0:
            end = rest.find(_END, found + len(_BEGIN))
            if end < 0 and len(rest) - found <= _LARGEST:
                break
            passed.append(rest[:found])
            if end < 0 or not self._is_card(rest[found + len(_BEGIN) : end]):
                cut = found + len(_BEGIN)
                passed.append(rest[found:cut])
            else:
                cut = end + len(_END)
            rest = rest[cut:]
        keep = found if found >= 0 else len(rest) - _begun(rest)
        passed.append(rest[:keep])
        self._held = rest[keep:]
        return b"".join(passed)

    def finish(self) -> bytes:
        """The output is over: return what was held back."""
        held, self._held = self._held, b""
        return held

    def _is_card(self, text: bytes) -> bool:
        try:
            found = json.loads(base64.b64decode(text, validate=False))
        except (ValueError, binascii.Error, RecursionError):
            return False
        if not isinstance(found, dict) or not isinstance(found.get("schema"), str):
            return False
        self.card = StepCard(found["schema"], found.get("data"))
        return True


def _begun(data: bytes) -> int:
    """How many of the last bytes may be the first of a card's mark."""
    most = min(len(data), len(_BEGIN) - 1)
    return next((length for length in range(most, 0, -1) if _BEGIN.startswith(data[-length:])), 0)


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
