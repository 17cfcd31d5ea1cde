"""The pages behind the list of tasks: a task's log, the warnings in full, the keys."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final, TypeVar

from rich.cells import cell_len, chop_cells
from rich.text import Text

from delegate_core.console.cells import OUTCOMES, cell, join, rule, spread
from delegate_core.console.durations import duration, time_of_day
from delegate_core.console.events import LogEvent, TaskFinished
from delegate_core.console.header import notice_line
from delegate_core.console.look import Look
from delegate_core.console.notices import Notice, notices
from delegate_core.console.palette import BAD, BUSY, FAINT, WARN
from delegate_core.console.rows import WIDE
from delegate_core.console.steps import named, progress
from delegate_core.console.view import ShownLine, View
from delegate_core.console.visible import last_state, visible

if TYPE_CHECKING:
    from delegate_core.runner.snapshot import RunningTask

__all__ = ["help_page", "log_page", "warnings_page"]

Item = TypeVar("Item")

_LEVELS: Final = {"warn": WARN, "warning": WARN, "error": BAD, "critical": BAD}

_LONGEST: Final = 4000
"""Characters of one line of a log that are shown."""


# ---------------------------------------------------------------------- a log


def log_page(view: View, look: Look, width: int, height: int) -> list[Text]:
    """One task: what it is, its steps, and the last lines that it printed."""
    head = _task_head(view, look.selected, width)
    rows = max(1, height - len(head) - 1)
    lines = view.log or ()
    if not lines:
        text = " nothing was printed" if view.log is not None else " no lines of it are known here"
        body = [Text(text, FAINT, no_wrap=True)]
    else:
        streams = max(cell_len(visible(line.stream)) for line in lines[-rows:])
        bottom = len(lines) if look.bottom is None else look.bottom - lines[0].number + 1
        body = _up_from(lines, bottom, rows, lambda line: _log_lines(line, width, min(streams, 16)))
    return [*head, rule("Log", _log_note(view, look), width), *_filled_up(body, rows)]


def _task_head(view: View, task_id: str, width: int) -> list[Text]:
    running = next((task for task in view.snapshot.running if task.id == task_id), None)
    if running is not None:
        lines = [spread(_named(running), _going(running), width), Text(f"id {visible(running.id)}", FAINT)]
        return [*lines, named(running.steps, width)] if running.steps else lines
    finished = next((task for task in view.recent if task.id == task_id), None)
    if finished is not None:
        lines = [spread(_named(finished), _ended(finished), width), Text(f"id {visible(finished.id)}", FAINT)]
        return [*lines, *_folded(visible(finished.error), width, BAD)[:3]] if finished.error else lines
    return [spread(Text(visible(task_id), "bold"), Text("not known any more", FAINT), width)]


def _named(task: RunningTask | TaskFinished) -> Text:
    return Text.assemble((visible(task.type), "bold"), f"  {visible(task.title)}" if task.title else "")


def _going(task: RunningTask) -> Text:
    if task.elapsed is None:
        return Text("waiting", WARN)
    steps = f"step {progress(task.steps)}  " if task.steps else ""
    state = ("ending", WARN) if task.cancelling else ("running", BUSY)
    return Text.assemble(
        steps, ("● ", state[1]), state[0], f"  {duration(task.elapsed)}", f" of {duration(task.timeout)}"
    )


def _ended(task: TaskFinished) -> Text:
    sign, colour = OUTCOMES.get(task.outcome, ("?", ""))
    return Text.assemble((f"{sign} ", colour), task.outcome.replace("_", " "), f"  {duration(task.duration)}")


def _log_note(view: View, look: Look) -> str:
    lines = view.log or ()
    if not lines:
        return ""
    gone = f"; {lines[0].number:,} before them are not kept here" if lines[0].number else ""
    where = "the newest" if look.bottom is None else f"up to line {look.bottom + 1:,} of {lines[-1].number + 1:,}"
    return f"{where}{gone}"


def _log_lines(line: ShownLine, width: int, stream: int) -> list[Text]:
    """One line of the log, in as many rows as it takes."""
    left: list[Text] = [cell(time_of_day(line.time), 8, FAINT)] if width >= WIDE else []
    if stream:
        left.append(cell(line.stream, stream, BUSY))
    before = join(*left, Text("")) if left else Text("")
    room = max(8, width - before.cell_len)
    parts = _folded(visible(last_state(line.text), _LONGEST), room, _LEVELS.get(line.level, ""))
    blank = Text(" " * before.cell_len)
    return [(blank if at else before).copy().append_text(part) for at, part in enumerate(parts)]


# ---------------------------------------------------------------------- warnings

_RECORDS: Final = 4
"""Lines that are kept for the log, however much there is to say of now."""


def warnings_page(view: View, look: Look, width: int, height: int) -> list[Text]:
    """All that needs attention, and the warnings and errors of the runner's log, in full."""
    found = notices(view)
    now = [line for notice in found for line in _notice_lines(notice, width)] or [Text(" nothing", FAINT)]
    now = now[: max(1, height - 2 - _RECORDS)]
    rows = max(1, height - len(now) - 2)
    bottom = len(view.records) if look.bottom is None else look.bottom + 1
    records = _up_from(view.records, bottom, rows, lambda record: _record_lines(record, width))
    note = f"{len(view.records):,}" if view.records else ""
    return [
        rule("Now", "", width),
        *now,
        rule("Warnings", note, width),
        *_filled_up(records or [Text(" none", FAINT)], rows),
    ]


def _notice_lines(notice: Notice, width: int) -> list[Text]:
    line = notice_line(notice, 10_000)
    if line.cell_len <= width:
        return [line]
    style = BAD if notice.severe else WARN
    lines = [Text.assemble((f"▲ {notice.label}:", f"{style}.bold"))]
    lines += _indented(_folded(visible(notice.text), width - 2))
    return [*lines, Text(f"  → {notice.cure}", "bold")] if notice.cure else lines


def _record_lines(record: LogEvent, width: int) -> list[Text]:
    level = cell(record.level, 8, WARN if record.level == "warning" else BAD)
    head = join(cell(time_of_day(record.time), 8, FAINT), level, Text(""))
    text = visible(" ".join(record.message.split()))
    if head.cell_len + cell_len(text) <= width:
        return [head.append(text)]
    return [head, *_indented(_folded(text, width - 2))]


def _indented(parts: Sequence[Text]) -> list[Text]:
    return [Text("  ").append_text(part) for part in parts]


# ---------------------------------------------------------------------- keys


_KEYS: Final = (
    ("↑ ↓  j k", "choose a task, running or finished; scroll a log"),
    ("PgUp PgDn", "the same by pages; Home End, g G: to the ends"),
    ("Enter →", "the last lines that the chosen task printed, as they come"),
    ("Esc ←", "back; on the list of tasks: drop the filter, then the choice"),
    ("/", "list only tasks with these words in their type, id or title"),
    ("w", "warnings in full, with what to do about them"),
    ("? h", "this page"),
    ("Ctrl-L", "draw all anew, should another program have written into it"),
)

_ORDER: Final = (
    "Running: first what needs attention (ending, at four fifths of its time, or",
    "with a failed step), last what has not begun.",
    "Rates: the last five minutes; done and failed are counts of the last minute.",
)


def help_page(view: View, width: int, height: int) -> list[Text]:
    """What the keys do, and what the signs mean."""
    end = ("q", "leave the view; the runner goes on") if view.elsewhere else ("q", "back to the list of tasks")
    control = "leave the view" if view.elsewhere else "drain the runner; again: cancel its tasks"
    keys = [*_KEYS, end, ("Ctrl-C", control)]
    lines = [rule("Keys", "", width)]
    lines += [join(Text(""), cell(key, 10, "bold"), Text(text)) for key, text in keys]
    lines += [rule("Signs", "", width), _legend()]
    lines += [Text(f"  {text}", FAINT) for text in _ORDER]
    return _filled_up(lines[:height], height)


def _legend() -> Text:
    outcomes = [
        Text.assemble((f"{sign} ", colour), name.replace("_", " ")) for name, (sign, colour) in OUTCOMES.items()
    ]
    return join(Text(""), *outcomes, Text.assemble(("● ", BUSY), "running"))


# ---------------------------------------------------------------------- folding


def _folded(text: str, width: int, style: str = "") -> list[Text]:
    """The text in as many rows as it needs; it is visible already."""
    if len(text) <= width and cell_len(text) <= width:
        return [Text(text, style, no_wrap=True)]
    return [Text(part, style, no_wrap=True) for part in chop_cells(text, max(2, width))]


def _up_from(items: Sequence[Item], bottom: int, rows: int, lines_of: Callable[[Item], list[Text]]) -> list[Text]:
    """The rows above an item's end, as many as there is room for; where there are too few above, those below too."""
    bottom = min(max(1, bottom), len(items))
    found: list[Text] = []
    for item in reversed(items[:bottom]):
        found = [*lines_of(item), *found]
        if len(found) >= rows:
            return found[-rows:]
    for item in items[bottom:]:
        if len(found) >= rows:
            break
        found += lines_of(item)
    return found[:rows]


def _filled_up(lines: list[Text], rows: int) -> list[Text]:
    return [*lines[:rows], *[Text(" ")] * (rows - len(lines))]
