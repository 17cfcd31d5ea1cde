"""Tables for people."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence

from delegate_core.console.visible import visible

__all__ = ["STYLES", "print_table", "short_ids"]

STYLES = {
    "succeeded": "green",
    "ok": "green",
    "stored": "green",
    "failed": "red",
    "timed_out": "red",
    "timed out": "red",
    "rejected": "red",
    "cancelled": "yellow",
    "aborted": "yellow",
    "queued": "cyan",
    "started": "cyan",
    "broken": "red",
    "undeliverable": "red",
}
"""Colours of the words that say how something is."""


def print_table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print rows under their titles, whatever their cells hold; a word of `STYLES` has its colour."""
    from rich.table import Table  # noqa: PLC0415 - only where people read
    from rich.text import Text  # noqa: PLC0415 - the same

    from delegate_core.console.printing import print_lines  # noqa: PLC0415 - the same

    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in titles:
        table.add_column(title, overflow="fold")
    for row in rows:
        table.add_row(*(Text(visible(cell), style=STYLES.get(cell, "")) for cell in row))
    print_lines(sys.stdout, os.environ, table)


def short_ids(ids: Sequence[str]) -> dict[str, str]:
    """The beginnings of the ids, as long as it takes to tell them apart; commands take these too."""
    different = set(ids)
    length = next((n for n in range(8, 64) if len({one[:n] for one in different}) == len(different)), 64)
    return {one: one[:length] for one in different}
