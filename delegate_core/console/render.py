"""Drawing a view: which sections there are, and how many lines each has.

The heights depend on the terminal and on the runner's capacity, not on how many tasks there are at the moment, so that
nothing jumps while tasks come and go.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from rich.console import Group, RenderableType
from rich.text import Text

from delegate_core.console.cells import rule, spread
from delegate_core.console.header import header
from delegate_core.console.look import Look, Page, finished_of, running_of
from delegate_core.console.notices import idle_reason
from delegate_core.console.pages import help_page, log_page, warnings_page
from delegate_core.console.palette import FAINT, WARN
from delegate_core.console.rows import record_rows, result_rows, running_rows
from delegate_core.console.view import View
from delegate_core.console.visible import visible

__all__ = ["lines_of", "page_rows", "render"]

_MOST_RESULTS: Final = 24

_CLASSIC: Final = 24
"""Lines of the classic terminal."""

_ALERTS: Final = 3
_TALL: Final = 40
"""Lines from which on there is room for more things to know."""

_ALERTS_OF_TALL: Final = 6

_SECTIONS_FROM: Final = 9
"""Lines below the header from which on there is room for more than the running tasks."""

_CTRL_C: Final = {
    "registering": "leave",
    "draining": "cancel running tasks",
    "stopping": "leave now",
    "stopped": "",
}

_SCROLLING: Final = (("↑↓ PgUp PgDn", ": scroll"), ("Esc", ": back"), ("?", ": help"))
_HINTS: Final[Mapping[Page, Sequence[tuple[str, str]]]] = {
    "tasks": (("↑↓", ""), ("Enter", ": log"), ("/", ": filter"), ("?", ": help")),
    "log": _SCROLLING,
    "warnings": _SCROLLING,
    "help": (("Esc", ": back"),),
}

_NOWHERE: Final = Look()


def render(view: View, width: int, height: int, look: Look = _NOWHERE, *, footer: bool = True) -> RenderableType:
    """Draw a view, at most so many cells wide and lines high; its last line is of use to who can press keys."""
    return Group(*lines_of(view, width, height, look, footer=footer))


def lines_of(view: View, width: int, height: int, look: Look = _NOWHERE, *, footer: bool = True) -> list[Text]:
    """The same as lines, each no wider."""
    room = max(0, height - 1)
    lines = _page(view, look, width, room)[:room]
    for line in lines:
        if line.cell_len > width:
            line.truncate(width, overflow="ellipsis")
    return [*lines, _footer(view, look, width)] if footer else lines


def page_rows(height: int) -> int:
    """About how many lines of a log a terminal of this height shows: what a key for a page moves by."""
    return max(1, height - 6)


def _page(view: View, look: Look, width: int, height: int) -> list[Text]:
    match look.page:
        case "log":
            return log_page(view, look, width, height)
        case "warnings":
            return warnings_page(view, look, width, height)
        case "help":
            return help_page(view, width, height)
        case "tasks":
            return _tasks(view, look, width, height)


def _tasks(view: View, look: Look, width: int, height: int) -> list[Text]:
    classic = height + 1 >= _CLASSIC
    alerts = _ALERTS_OF_TALL if height >= _TALL else _ALERTS if classic else 1
    head = header(view, width, alerts, rates=classic)
    rows = _divide(height - len(head), view.snapshot.capacity)
    lines = [*head, *_running(view, look, width, rows.running)]
    if rows.results:
        results = result_rows(finished_of(view, look), width, rows.results, look.selected)
        lines += _section(
            "Finished", "", results, " none of this name" if look.words else " none yet", rows.results, width
        )
    if rows.records:
        records = record_rows(view.records, width, rows.records)
        lines += _section("Warnings", "", records, " none", rows.records, width)
    return lines


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


def _running(view: View, look: Look, width: int, rows: int) -> list[Text]:
    listed = running_of(view, look)
    waiting = sum(task.elapsed is None for task in listed)
    note = f"{len(listed):,}" + (f", {waiting:,} of them waiting" if waiting else "") if listed else ""
    if look.words:
        note = f"{len(listed):,} of {len(view.snapshot.running):,} with {visible(look.words)!r}"
    nothing = " none of this name" if look.words and view.snapshot.running else f" {idle_reason(view)}"
    return _section("Running", note, running_rows(listed, width, rows, look.selected), nothing, rows, width)


def _section(title: str, note: str, lines: list[Text], nothing: str, rows: int, width: int) -> list[Text]:
    """A title and exactly so many lines."""
    if not lines:
        lines = [spread(Text(nothing, FAINT), Text(), width)]
    blank = [Text(" ")] * (rows - len(lines))
    return [rule(title, note, width), *lines, *blank]


# ---------------------------------------------------------------------- the last line


def _footer(view: View, look: Look, width: int) -> Text:
    """What Ctrl-C does, which keys there are, and what there is to say about the last one."""
    if look.typing:
        line = Text.assemble(("/", "bold"), visible(look.words), ("▁", "bold"))
        return spread(line, Text("Enter: keep   Esc: drop", FAINT), width)
    if look.note:
        return spread(Text(look.note, f"{WARN}.bold"), Text(), width)
    end = _end(view)
    if not look.keys:
        return spread(end, Text(), width)
    hints = _hints(look)
    if end.cell_len + 2 + hints.cell_len <= width:
        return spread(end, hints, width)
    return spread(hints, Text(), width)


def _end(view: View) -> Text:
    if view.elsewhere:
        return Text.assemble(("Ctrl-C", "bold"), (": leave the view", FAINT))
    state = view.snapshot.state
    effect = _CTRL_C.get(state, "finish running tasks, then leave")
    again = " again" if state in {"draining", "stopping"} else ""
    return Text.assemble((f"Ctrl-C{again}", "bold"), (f": {effect}", FAINT)) if effect else Text()


def _hints(look: Look) -> Text:
    """The keys of this page."""
    return Text("  ").join(Text.assemble((key, "bold"), (text, FAINT)) for key, text in _HINTS[look.page])
