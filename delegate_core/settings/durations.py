"""Lengths of time as people write them: `10ms`, `3s`, `5m`, `1h30m`."""

import math
import re
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, WithJsonSchema

__all__ = ["Duration", "PositiveDuration", "format_duration", "parse_duration"]

_UNITS = {"h": 3_600_000, "m": 60_000, "s": 1000, "ms": 1}
_PATTERN = re.compile("".join(rf"(?:(\d+(?:\.\d+)?){unit})?" for unit in _UNITS))
_LONGEST_IN_UNITS = 1e12
_EXPECTED = "give a number of seconds, or a text like 10ms, 3s, 5m or 1h30m"


def parse_duration(value: Any) -> float:
    """Seconds from a text like `1h30m`, or from a number (of seconds, also as text).

    Raises:
        ValueError: neither, or a time that is negative or without end.
    """
    seconds = _read(value.strip().lower()) if isinstance(value, str) else _number(value)
    if not 0 <= seconds < math.inf:
        raise ValueError(_EXPECTED)
    return seconds


def format_duration(seconds: float) -> str:
    """The shortest text from which `parse_duration` makes the same number: `90` becomes `1m30s`."""
    left = round(seconds * 1000) if seconds < _LONGEST_IN_UNITS else -1
    if left / 1000 != seconds:
        return repr(seconds)
    parts = []
    for unit, size in _UNITS.items():
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"


def _read(text: str) -> float:
    match = _PATTERN.fullmatch(text)
    if match is None or not text:
        return _number(text)
    counts = zip(match.groups("0"), _UNITS.values(), strict=True)
    return float(sum(Decimal(count) * size for count, size in counts) / 1000)


def _number(value: Any) -> float:
    try:
        return math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        raise ValueError(_EXPECTED) from None


_SCHEMA = {
    "anyOf": [{"type": "number", "minimum": 0}, {"type": "string", "pattern": r"^\s*(\d+(\.\d+)?(h|ms?|s)?)+\s*$"}]
}

Duration = Annotated[float, BeforeValidator(parse_duration), WithJsonSchema(_SCHEMA)]
"""A length of time in seconds, 0 or more."""

PositiveDuration = Annotated[Duration, Field(gt=0)]
"""A length of time in seconds, more than 0."""
