"""The rows of the live view: running tasks, results, records."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from rich.text import Text

from delegate_core.console.cells import OUTCOMES, bar, cell, join
from delegate_core.console.durations import duration, time_of_day
from delegate_core.console.events import LogEvent, TaskFinished
from delegate_core.console.palette import BAD, BUSY, FAINT, WARN
from delegate_core.console.steps import progress, strip
from delegate_core.console.visible import abbreviated, last_state, visible

if TYPE_CHECKING:
    from delegate_core.runner.snapshot import RunningTask

__all__ = ["WIDE", "Window", "record_rows", "result_rows", "running_rows"]

_DURATION: Final = 7
_BAR: Final = 8
_CLOCK: Final = 8
_LEVEL: Final = 8
_OUTCOME: Final = 11
_INDENT: Final = " "
_CURSOR: Final = "▸"

WIDE: Final = 120
"""Cells from which on ids are shown in full, times of day, and each step."""

_STEP_CELLS: Final = 24
"""Most cells of a row that its steps take."""

_ORDINARY: Final = 0.8
"""Share of its timeout that a task may use without being remarkable."""


@dataclass(frozen=True, slots=True)
class Window:
    """Which of many rows are shown: as many as there is room for, with the selected one among them.

    Args:
        first: index of the first one.
        end: index behind the last one.
    """

    first: int
    end: int

    @classmethod
    def on(cls, count: int, rows: int, selected: int | None) -> Window:
        """Of so many, in so many rows; the selected one is in the middle, as far as that goes."""
        if count <= rows:
            return cls(0, count)
        middle = (selected or 0) - rows // 2
        first = min(max(0, middle), count - rows)
        return cls(first, first + rows)


@dataclass(frozen=True, slots=True)
class _Columns:
    """Widths of the columns that name a task: as wide as what is in them, within reason."""

    type: int
    name: int

    @classmethod
    def of(cls, tasks: Sequence[RunningTask | TaskFinished], width: int) -> _Columns:
        wide = width >= WIDE
        shown = [(len(task.type), len(task.title or task.id)) for task in tasks]
        longest_type, longest_name = max(s[0] for s in shown), max(s[1] for s in shown)
        titled = any(task.title for task in tasks)
        most = 36 if wide else 24 if titled else 11
        return cls(_within(longest_type, 8, 28 if wide else 14), _within(longest_name, 8, most))

    def cells(self, task: RunningTask | TaskFinished) -> tuple[Text, Text]:
        if task.title:
            return cell(task.type, self.type, "bold"), cell(task.title, self.name)
        short = abbreviated(visible(task.id), self.name)
        return cell(task.type, self.type, "bold"), cell(short, self.name, FAINT)


def _within(wanted: int, least: int, most: int) -> int:
    return min(max(wanted, least), most)


def running_rows(tasks: Sequence[RunningTask], width: int, rows: int, selected: str = "") -> list[Text]:
    """As many as there is room for, the selected one among them, and in the last row how many more there are."""
    if not tasks:
        return []
    fits = len(tasks) <= rows
    window = Window.on(len(tasks), rows if fits else max(1, rows - 1), _index(tasks, selected))
    shown = tasks[window.first : window.end]
    columns = _Columns.of(shown, width)
    lines = [_chosen(_running_row(task, columns, width), width, chosen=task.id == selected) for task in shown]
    return lines if fits or rows < 2 else [*lines, _more(tasks, window, width)]


def _index(tasks: Sequence[RunningTask | TaskFinished], selected: str) -> int | None:
    return next((at for at, task in enumerate(tasks) if task.id == selected), None) if selected else None


def _chosen(line: Text, width: int, *, chosen: bool) -> Text:
    """The row that the cursor is on: seen without colours, and on any background."""
    if not chosen:
        return line
    marked = Text.assemble((_CURSOR, "bold"), line[1:], no_wrap=True)
    marked.pad_right(max(0, width - marked.cell_len))
    marked.stylize("reverse")
    return marked


def _running_row(task: RunningTask, columns: _Columns, width: int) -> Text:
    elapsed = "waiting" if task.elapsed is None else duration(task.elapsed)
    left = join(
        *columns.cells(task),
        cell(elapsed, _DURATION, "" if task.elapsed is not None else FAINT, "right"),
        _time_used(task),
        cell(duration(task.timeout), _DURATION, FAINT),
    )
    if task.steps and width >= WIDE:
        left = join(left, strip(task.steps, _STEP_CELLS))
    steps = f"{progress(task.steps)} " if task.steps else ""
    return _filled(left, steps + last_state(task.last_line), width, FAINT)


def _time_used(task: RunningTask) -> Text:
    """How much of its timeout a task has used."""
    if task.cancelling:
        return cell("ending", _BAR, WARN)
    used = (task.elapsed or 0.0) / task.timeout if task.timeout > 0 else 0.0
    return bar(used, 1.0, _BAR, BUSY if used < _ORDINARY else WARN)


def _more(tasks: Sequence[RunningTask], window: Window, width: int) -> Text:
    hidden = [*tasks[: window.first], *tasks[window.end :]]
    types = Counter(task.type for task in hidden).most_common()
    kinds = ", ".join(f"{number:,} {visible(name)}" for name, number in types)
    above = f" ({window.first:,} above)" if window.first else ""
    return cell(f"{_INDENT}… and {len(hidden):,} more{above}: {kinds}", width, FAINT)


def result_rows(results: Sequence[TaskFinished], width: int, rows: int, selected: str = "") -> list[Text]:
    """The latest results, or those around the selected one."""
    window = Window.on(len(results), rows, _index(results, selected))
    shown = results[window.first : window.end]
    columns = _Columns.of(shown, width) if shown else _Columns(0, 0)
    return [_chosen(_result_row(result, columns, width), width, chosen=result.id == selected) for result in shown]


def _result_row(result: TaskFinished, columns: _Columns, width: int) -> Text:
    sign, colour = OUTCOMES.get(result.outcome, ("?", ""))
    cells = [
        *columns.cells(result),
        cell(duration(result.duration), _DURATION, align="right"),
        cell(f"{sign} {result.outcome.replace('_', ' ')}", _OUTCOME, colour),
    ]
    if width >= WIDE:
        cells.insert(0, cell(time_of_day(result.time), _CLOCK, FAINT))
    return _filled(join(*cells), result.error, width, "")


def record_rows(records: Sequence[LogEvent], width: int, rows: int) -> list[Text]:
    """The last records."""
    return [_record_row(record, width) for record in records[-rows:]]


def _record_row(record: LogEvent, width: int) -> Text:
    style = WARN if record.level == "warning" else BAD
    left = join(cell(time_of_day(record.time), _CLOCK, FAINT), cell(record.level, _LEVEL, style))
    return _filled(left, " ".join(record.message.split()), width, "")


def _filled(left: Text, rest: str, width: int, style: str) -> Text:
    """A row: indented columns, and a text that gets what is left of the line."""
    line = Text.assemble(_INDENT, left, no_wrap=True)
    room = width - line.cell_len - 2
    if rest and room > 0:
        line.append("  ").append_text(cell(rest, room, style))
    line.truncate(width, overflow="ellipsis")
    return line
