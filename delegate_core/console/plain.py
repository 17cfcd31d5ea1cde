"""Events as lines of text, for people who read a pipe, a CI system's log, or the log file.

On the console each begins with the local time, except those of tasks, which read ``<id> | text``
or ``<id> | <step> | text``. In the log file each begins with the date and time in UTC, the level, and whose it is. What
belongs to a line but has line ends of its own, such as a traceback, follows indented, so nothing can pass itself off as
a line of ours.
"""

from __future__ import annotations

from collections.abc import Mapping

from delegate_core.concern import Concern
from delegate_core.console.durations import duration, time_of_day
from delegate_core.console.events import Event, LogEvent, RunnerState, Summary, TaskEvent, TaskFinished, TaskLine
from delegate_core.console.visible import uncoloured, visible

__all__ = ["event_text", "plain_line", "quiet_line", "record_lines", "summary_text"]

_LOUD = frozenset({"warning", "error", "critical"})

_INDENT = " " * len("HH:MM:SS ")


def plain_line(event: Event, _whose: Concern) -> str:
    """One event, with its line end."""
    if isinstance(event, TaskLine):
        step = f"{visible(event.step)} | " if event.step else ""
        return f"{visible(event.id)} | {step}{visible(uncoloured(event.text))}\n"
    return f"{time_of_day(event.time)} {_text(event)}\n"


def quiet_line(event: Event, whose: Concern) -> str:
    """The line of a warning or an error of the runner's own; of anything else, nothing."""
    return plain_line(event, whose) if isinstance(event, LogEvent) and event.level in _LOUD else ""


def event_text(event: TaskEvent | TaskFinished | RunnerState | LogEvent | Summary) -> str:
    """An event in words, without its time; of a record of the log, its message."""
    return event.message if isinstance(event, LogEvent) else " ".join(_text(event).split())


def _text(event: TaskEvent | TaskFinished | RunnerState | LogEvent | Summary) -> str:
    match event:
        case TaskEvent():
            return f"{event.what:<9} {visible(event.type)} {visible(event.id)}"
        case TaskFinished():
            return _finished(event)
        case RunnerState():
            return f"{'runner':<9} {event.state}{_because(event.reason)}"
        case LogEvent():
            return f"{event.level:<9} " + f"\n{_INDENT}".join(map(visible, record_lines(event)))
        case Summary():
            return f"{'summary':<9} {summary_text(event)}"


def _finished(event: TaskFinished) -> str:
    outcome = event.outcome.replace("_", " ")
    took = duration(event.duration)
    return f"{outcome:<9} {visible(event.type)} {visible(event.id)} {took}{_because(event.error)}"


def record_lines(event: LogEvent) -> list[str]:
    """Message, whom it concerns where the message does not say so, and traceback."""
    first, *more = event.message.splitlines() or [""]
    return [first + _about(event), *more, *event.traceback.splitlines()]


def _about(event: LogEvent) -> str:
    known = (("task", event.task), ("step", event.step))
    parts = [f"{what} {name}" for what, name in known if name and not _says(event.message, name)]
    return f" [{', '.join(parts)}]" if parts else ""


def _says(message: str, name: str) -> bool:
    """Whether it has the name as a word of its own. Not by a pattern: one a task would fill the cache of `re`."""
    begin = message.find(name)
    while begin >= 0:
        end = begin + len(name)
        if not _in_word(message[begin - 1 : begin]) and not _in_word(message[end : end + 1]):
            return True
        begin = message.find(name, begin + 1)
    return False


def _in_word(sign: str) -> bool:
    return sign.isalnum() or sign == "_"


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
