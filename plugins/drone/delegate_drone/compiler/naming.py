"""Names for what the pipeline leaves unnamed."""

from __future__ import annotations

from itertools import count

__all__ = ["free_name"]


def free_name(stem: str, taken: set[str]) -> str:
    """``stem-1``, or the first number that is free; it is taken then."""
    name = next(name for number in count(1) if (name := f"{stem}-{number}") not in taken)
    taken.add(name)
    return name
