"""Events as lines of the log file, for people."""

from __future__ import annotations

from typing import Final

from delegate_core.concern import Concern
from delegate_core.console.events import Event, LogEvent, TaskLine
from delegate_core.console.json_lines import timestamp
from delegate_core.console.plain import event_text, record_lines
from delegate_core.console.visible import uncoloured, visible

__all__ = ["text_line"]

_INDENT: Final = "    "


def text_line(event: Event, whose: Concern) -> str:
    """One event of this runner, with its line end: time in UTC, level, backend and runner, what happened.

    What belongs to a record but has line ends of its own, such as a traceback, follows indented.
    """
    level = event.level if isinstance(event, LogEvent | TaskLine) else "info"
    owner = visible(f"{whose.backend}/{whose.runner}") if whose.runner else "-"
    first, *more = _lines(event)
    return "\n".join([f"{timestamp(event.time)} {level:<8} {owner} {first}", *(_INDENT + line for line in more)]) + "\n"


def _lines(event: Event) -> list[str]:
    if isinstance(event, TaskLine):
        step = f"{event.step} | " if event.step else ""
        return [visible(f"{event.id} | {step}{uncoloured(event.text)}")]
    return [*map(visible, record_lines(event))] if isinstance(event, LogEvent) else [event_text(event)]
