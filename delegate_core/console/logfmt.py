"""Events as logfmt: ``key=value`` pairs with the keys of the JSON lines, and only those that have a value."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from delegate_core.concern import Concern
from delegate_core.console.events import Event
from delegate_core.console.json_lines import fields_of

__all__ = ["logfmt_line"]

_BARE: Final = re.compile(r"[!#-<>-\[\]-~]+")
"""What needs no quotes: printable ASCII without blanks, quotes, backslashes and equals signs."""


def logfmt_line(event: Event, whose: Concern) -> str:
    """One event of this runner, with its line end. Texts are quoted and escaped as in JSON where they need it."""
    return " ".join(f"{key}={_value(value)}" for key, value in _flat(fields_of(event, whose))) + "\n"


def _flat(fields: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in fields.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{above}{key}.")
        elif value is not None and value != "":
            yield f"{above}{key}", value


def _value(value: Any) -> str:
    text = str(value)
    return text if _BARE.fullmatch(text) else json.dumps(text)
