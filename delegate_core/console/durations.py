"""Durations and times of day, as short as a person wants them."""

from __future__ import annotations

import math
import time
from typing import Final

__all__ = ["duration", "time_of_day"]

_MINUTE: Final = 60
_HOUR: Final = 60 * _MINUTE
_DAY: Final = 24 * _HOUR


def duration(seconds: float) -> str:
    """Two units at most and never more than seven characters: ``0.4s``, ``42s``, ``4m 05s``, ``3d 04h``, ``120d``."""
    if not math.isfinite(seconds) or seconds >= 1000 * _DAY:
        return "long"
    if seconds < 9.95:
        return f"{max(0.0, seconds):.1f}s"
    whole = round(seconds)
    if whole >= 100 * _DAY:
        return f"{whole // _DAY}d"
    for unit, name, part, part_name in ((_DAY, "d", _HOUR, "h"), (_HOUR, "h", _MINUTE, "m"), (_MINUTE, "m", 1, "s")):
        if whole >= unit:
            return f"{whole // unit}{name} {whole % unit // part:02d}{part_name}"
    return f"{whole}s"


def time_of_day(at: float) -> str:
    """Local time as ``HH:MM:SS``, from seconds since 1970."""
    return time.strftime("%H:%M:%S", time.localtime(at))
