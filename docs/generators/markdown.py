"""Markdown from values."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

__all__ = ["code", "joined", "prose", "table"]


def table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table. A bar within a cell is escaped, a line break is a blank."""
    lines = [_row(titles), "|" + "---|" * len(titles), *(_row(row) for row in rows)]
    return "\n".join(lines)


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(" ".join(cell.split()).replace("|", "\\|") for cell in cells) + " |"


def code(text: str) -> str:
    """A word in the type of code; nothing for nothing."""
    return f"`{text}`" if text else ""


def prose(text: str) -> str:
    """A docstring's marks as those of Markdown, placeholders kept from being taken for HTML."""
    return re.sub(r"``([^`]+)``", r"`\1`", text)


def joined(parts: Iterable[str]) -> str:
    """A page of these parts, those that are empty left out."""
    return "\n\n".join(part.strip("\n") for part in parts if part.strip()) + "\n"
