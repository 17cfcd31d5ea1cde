"""The rows of the live view: running tasks, results, records."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from rich.text import Text

from delegate_core.console.cells import DIM, OUTCOMES, bar, cell, join
from delegate_core.console.durations import duration, time_of_day
from delegate_core.console.events import LogEvent, TaskFinished
from delegate_core.console.visible import abbreviated, uncoloured, visible

if TYPE_CHECKING:
    from delegate_core.runner.snapshot import RunningTask

__all__ = ["record_rows", "result_rows", "running_rows"]

_DURATION: Final = 7
_BAR: Final = 8
_CLOCK: Final = 8
_LEVEL: Final = 8
_OUTCOME: Final = 11
_INDENT: Final = " "
_WIDE: Final = 120
"""Cells from which on ids are shown in full, and times of day."""

_ORDINARY: Final = 0.8
"""Share of its timeout that a task may use without being remarkable."""


@dataclass(frozen=True, slots=True)
class _Columns:
    """Widths of the columns that name a task: as wide as what is in them, within reason."""

    type: int
    name: int

    @classmethod
    def of(cls, tasks: Sequence[RunningTask | TaskFinished], width: int) -> _Columns:
        wide = width >= _WIDE
        shown = [(len(task.type), len(task.title or task.id)) for task in tasks]
        longest_type, longest_name = max(s[0] for s in shown), max(s[1] for s in shown)
        titled = any(task.title for task in tasks)
        most = 36 if wide else 24 if titled else 11
        return cls(_within(longest_type, 8, 28 if wide else 14), _within(longest_name, 8, most))

    def cells(self, task: RunningTask | TaskFinished) -> tuple[Text, Text]:
        if task.title:
            return cell(task.type, self.type, "bold"), cell(task.title, self.name)
        short = abbreviated(visible(task.id), self.name)
        return cell(task.type, self.type, "bold"), cell(short, self.name, DIM)


def _within(wanted: int, least: int, most: int) -> int:
    return min(max(wanted, least), most)


def running_rows(tasks: Sequence[RunningTask], width: int, rows: int) -> list[Text]:
    """The tasks that have run longest, and in the last row how many more there are."""
    fits = len(tasks) <= rows
    shown = tasks if fits else tasks[: rows - 1]
    columns = _Columns.of(tasks[: max(1, rows)], width) if tasks else _Columns(0, 0)
    lines = [_running_row(task, columns, width) for task in shown]
    return lines if fits else [*lines, _more(tasks[rows - 1 :], width)]


def _running_row(task: RunningTask, columns: _Columns, width: int) -> Text:
    elapsed = "waiting" if task.elapsed is None else duration(task.elapsed)
    left = join(
        *columns.cells(task),
        cell(elapsed, _DURATION, "" if task.elapsed is not None else DIM, "right"),
        _progress(task),
        cell(duration(task.timeout), _DURATION, DIM),
    )
    return _filled(left, _steps(task) + _last_line(task.last_line), width, DIM)


def _steps(task: RunningTask) -> str:
    """How many of its steps are over."""
    if not task.steps:
        return ""
    over = sum(step.status not in {"pending", "running"} for step in task.steps)
    return f"{over}/{len(task.steps)} "


def _progress(task: RunningTask) -> Text:
    """How much of its timeout a task has used."""
    if task.cancelling:
        return cell("ending", _BAR, "yellow")
    used = (task.elapsed or 0.0) / task.timeout if task.timeout > 0 else 0.0
    return bar(used, 1.0, _BAR, "cyan" if used < _ORDINARY else "yellow")


def _last_line(text: str) -> str:
    """What a terminal would show of it: of a progress bar drawn over and over, its last state."""
    return uncoloured(text).rstrip("\r").rpartition("\r")[2].strip()


def _more(tasks: Sequence[RunningTask], width: int) -> Text:
    types = Counter(task.type for task in tasks).most_common()
    kinds = ", ".join(f"{number:,} {visible(name)}" for name, number in types)
    return cell(f"{_INDENT}… and {len(tasks):,} more: {kinds}", width, DIM)


def result_rows(results: Sequence[TaskFinished], width: int, rows: int) -> list[Text]:
    """The latest results."""
    shown = results[:rows]
    columns = _Columns.of(shown, width) if shown else _Columns(0, 0)
    return [_result_row(result, columns, width) for result in shown]


def _result_row(result: TaskFinished, columns: _Columns, width: int) -> Text:
    sign, colour = OUTCOMES.get(result.outcome, ("?", ""))
    cells = [
        *columns.cells(result),
        cell(duration(result.duration), _DURATION, align="right"),
        cell(f"{sign} {result.outcome.replace('_', ' ')}", _OUTCOME, colour),
    ]
    if width >= _WIDE:
        cells.insert(0, cell(time_of_day(result.time), _CLOCK, DIM))
    return _filled(join(*cells), result.error, width, "")


def record_rows(records: Sequence[LogEvent], width: int, rows: int) -> list[Text]:
    """The last records."""
    return [_record_row(record, width) for record in records[-rows:]]


def _record_row(record: LogEvent, width: int) -> Text:
    style = "yellow" if record.level == "warning" else "red"
    left = join(cell(time_of_day(record.time), _CLOCK, DIM), cell(record.level, _LEVEL, style))
    return _filled(left, " ".join(record.message.split()), width, "")


def _filled(left: Text, rest: str, width: int, style: str) -> Text:
    """A row: indented columns, and a text that gets what is left of the line."""
    line = Text.assemble(_INDENT, left, no_wrap=True)
    room = width - line.cell_len - 2
    if rest and room > 0:
        line.append("  ").append_text(cell(rest, room, style))
    line.truncate(width, overflow="ellipsis")
    return line
