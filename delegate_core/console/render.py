"""Drawing a view: which sections there are, and how many lines each has.

The heights depend on the terminal and on the runner's capacity, not on how many tasks there are at the moment, so that
nothing jumps while tasks come and go.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from rich.console import Group, RenderableType
from rich.text import Text

from delegate_core.console.cells import DIM, rule
from delegate_core.console.header import header
from delegate_core.console.rows import record_rows, result_rows, running_rows
from delegate_core.console.view import View

__all__ = ["render"]

_MOST_RESULTS: Final = 24

_CLASSIC: Final = 24
"""Lines of the classic terminal."""

_ALERTS: Final = 3
_SECTIONS_FROM: Final = 9
"""Lines below the header from which on there is room for more than the running tasks."""

_CTRL_C: Final = {
    "registering": "leave",
    "draining": "cancel running tasks",
    "stopping": "leave now",
    "stopped": "",
}


def render(view: View, width: int, height: int) -> RenderableType:
    """Draw a view, at most so many cells wide and lines high."""
    head = header(view, width, _ALERTS if height >= _CLASSIC else 1)
    rows = _divide(height - len(head) - 1, view.snapshot.capacity)
    lines = [*head, *_running(view, width, rows.running)]
    if rows.results:
        lines += _section(
            "Finished", "", result_rows(view.recent, width, rows.results), "none yet", rows.results, width
        )
    if rows.records:
        records = record_rows(view.records, width, rows.records)
        lines += _section("Warnings", "", records, "none", rows.records, width)
    return Group(*lines[: max(0, height - 1)], _footer(view.snapshot.state, width))


@dataclass(frozen=True, slots=True)
class _Rows:
    """Lines of each section, without its title."""

    running: int
    results: int = 0
    records: int = 0


def _divide(room: int, capacity: int) -> _Rows:
    """Share out the lines between header and footer."""
    if room < _SECTIONS_FROM:
        return _Rows(max(1, min(capacity, room - 1)))
    room -= 3
    records = max(2, min(8, room // 6))
    running = max(1, min(capacity, (room - records) * 3 // 5))
    return _Rows(running, min(_MOST_RESULTS, room - records - running), records)


def _running(view: View, width: int, rows: int) -> list[Text]:
    running = view.snapshot.running
    waiting = sum(task.elapsed is None for task in running)
    note = f"{len(running):,}" + (f", {waiting:,} of them waiting" if waiting else "") if running else ""
    return _section("Running", note, running_rows(running, width, rows), "nothing", rows, width)


def _section(title: str, note: str, lines: list[Text], nothing: str, rows: int, width: int) -> list[Text]:
    """A title and exactly so many lines."""
    if not lines:
        lines = [Text(f" {nothing}", DIM, no_wrap=True)]
    blank = [Text(" ")] * (rows - len(lines))
    return [rule(title, note, width), *lines, *blank]


def _footer(state: str, width: int) -> Text:
    effect = _CTRL_C.get(state, "finish running tasks, then leave")
    again = " again" if state in {"draining", "stopping"} else ""
    line = Text.assemble((f"Ctrl-C{again}", "bold"), (f": {effect}", DIM), no_wrap=True) if effect else Text()
    line.truncate(width, overflow="ellipsis")
    return line
