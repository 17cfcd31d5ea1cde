"""Events as plain lines, for people who read a file, a pipe or a CI system's log.

Each begins with the local time, except those of tasks, which read ``<id> | text``
or ``<id> | <step> | text``. What belongs to a line but has line
ends of its own, such as a traceback, follows indented, so nothing can pass itself off as a line of ours.
"""

from __future__ import annotations

from collections.abc import Mapping

from delegate_core.console.durations import duration, time_of_day
from delegate_core.console.events import Event, LogEvent, RunnerState, Summary, TaskEvent, TaskFinished, TaskLine
from delegate_core.console.visible import uncoloured, visible

__all__ = ["plain_line", "summary_text"]

_INDENT = " " * len("HH:MM:SS ")


def plain_line(event: Event) -> str:
    """One event, with its line end."""
    if isinstance(event, TaskLine):
        step = f"{visible(event.step)} | " if event.step else ""
        return f"{visible(event.id)} | {step}{visible(uncoloured(event.text))}\n"
    return f"{time_of_day(event.time)} {_text(event)}\n"


def _text(event: TaskEvent | TaskFinished | RunnerState | LogEvent | Summary) -> str:
    match event:
        case TaskEvent():
            return f"{event.what:<9} {visible(event.type)} {visible(event.id)}"
        case TaskFinished():
            return _finished(event)
        case RunnerState():
            return f"{'runner':<9} {event.state}{_because(event.reason)}"
        case LogEvent():
            return _logged(event)
        case Summary():
            return f"{'summary':<9} {summary_text(event)}"


def _finished(event: TaskFinished) -> str:
    outcome = event.outcome.replace("_", " ")
    took = duration(event.duration)
    return f"{outcome:<9} {visible(event.type)} {visible(event.id)} {took}{_because(event.error)}"


def _logged(event: LogEvent) -> str:
    lines = [*event.message.splitlines(), *event.traceback.splitlines()] or [""]
    return f"{event.level:<9} " + f"\n{_INDENT}".join(map(visible, lines))


def _because(reason: str) -> str:
    return f": {visible(reason)}" if reason else ""


def summary_text(summary: Summary) -> str:
    """One sentence on what a runner has done."""
    undelivered = f"; {summary.undelivered:,} not delivered" if summary.undelivered else ""
    return f"{visible(summary.name)}: {_counts(summary.finished)} in {duration(summary.uptime)}{undelivered}"


def _counts(finished: Mapping[str, int]) -> str:
    most_first = sorted(finished.items(), key=lambda count: -count[1])
    counts = [f"{number:,} {outcome.replace('_', ' ')}" for outcome, number in most_first if number]
    return ", ".join(counts) or "no tasks"
