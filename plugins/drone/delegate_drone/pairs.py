"""Texts of ``name:value`` pairs, as Drone's variables hold them, and of ``name=value`` pairs, as flags do."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema

__all__ = ["Pairs", "PathPairs", "SensitivePairs", "parse_pairs"]

_NAME_END = re.compile("[:=]")
_PATH_END = re.compile(":")


_SCHEMA = WithJsonSchema(
    {
        "anyOf": [
            {"type": "object", "additionalProperties": {"type": ["string", "number", "boolean"]}},
            {"type": "array", "items": {"type": ["string", "array"]}},
            {"type": "string"},
        ]
    }
)
"""A table, a list of pairs, or one text."""


def parse_pairs(text: str) -> dict[str, str]:
    """Pairs with a comma between them, or one a line where the text has lines; then a value may hold commas.

    Name and value are divided at the first ``:`` or ``=``, so a value may hold either.

    Raises:
        ValueError: a text that is no pair. The message gives its position, and shows nothing: it may be a secret.
    """
    parts = text.split("\n") if "\n" in text.strip() else text.split(",")
    return dict(_pairs([part.strip() for part in parts], _NAME_END, show=False))


def _pairs(parts: Iterable[str], end: re.Pattern[str], *, show: bool) -> tuple[tuple[str, str], ...]:
    """Of two pairs with the same name the later one counts."""
    found: dict[str, str] = {}
    for number, part in enumerate((part for part in parts if part), start=1):
        name, *value = (each.strip() for each in end.split(part, maxsplit=1))
        if not name or not value:
            shown = f" {part!r}" if show else ""
            raise ValueError(f"pair {number}{shown} has no name or no value: write name:value, a comma between two")
        found[name] = value[0]
    return tuple(found.items())


def _parts(value: Any) -> list[str]:
    parts = value.split(",") if isinstance(value, str) else value
    if not isinstance(parts, list | tuple):
        raise ValueError("give name:value pairs, a comma between two")  # noqa: TRY004 - pydantic wants a ValueError
    return [":".join(map(str, part)) if isinstance(part, list | tuple) else str(part).strip() for part in parts]


def _table(value: Mapping[Any, Any]) -> tuple[tuple[str, str], ...]:
    """A table of the settings file; its switches and numbers become texts."""
    texts = {str(name): str(each).lower() if isinstance(each, bool) else str(each) for name, each in value.items()}
    return tuple(texts.items())


def _of_names(value: Any) -> tuple[tuple[str, str], ...]:
    return _table(value) if isinstance(value, Mapping) else _pairs(_parts(value), _NAME_END, show=True)


def _of_paths(value: Any) -> tuple[tuple[str, str], ...]:
    return _table(value) if isinstance(value, Mapping) else _pairs(_parts(value), _PATH_END, show=True)


def _sensitive(value: Any) -> tuple[tuple[str, str], ...]:
    """A part that is no pair becomes one without a name, for the model to refuse: pydantic would show the input."""
    if isinstance(value, Mapping):
        return _table(value)
    parts = [part if _NAME_END.search(part) else "=" for part in _parts(value) if part]
    divided = (_NAME_END.split(part, maxsplit=1) for part in parts)
    return tuple((name.strip(), text.strip()) for name, text in divided)


Pairs = Annotated[tuple[tuple[str, str], ...], BeforeValidator(_of_names), _SCHEMA]
"""Pairs of a name and a value; ``dict`` makes a mapping of them. A name holds no ``:`` and no ``=``, a value may."""

PathPairs = Annotated[tuple[tuple[str, str], ...], BeforeValidator(_of_paths), _SCHEMA]
"""Pairs of a path and what belongs to it, with a ``:`` between them: ``/cache:/var/cache:ro``."""

SensitivePairs = Annotated[tuple[tuple[str, str], ...], BeforeValidator(_sensitive), _SCHEMA]
"""As `Pairs`, for values that no message may show: what is no pair comes out with an empty name."""
