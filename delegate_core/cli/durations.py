"""Durations that flags are given."""

from __future__ import annotations

from delegate_core.errors import SettingsError
from delegate_core.settings.durations import parse_duration

__all__ = ["seconds_of"]


def seconds_of(flag: str, text: str) -> float:
    """The seconds that a flag names, more than none.

    Raises:
        SettingsError: it is no duration, or nothing.
    """
    try:
        seconds = parse_duration(text)
    except ValueError as error:
        raise SettingsError(f"{flag} {text!r}: {error}") from None
    if not seconds:
        raise SettingsError(f"{flag} {text!r}: give more than 0, or leave it out")
    return seconds
