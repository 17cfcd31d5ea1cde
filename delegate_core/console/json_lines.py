r"""Events as JSON lines: one object a line, in ASCII, for programs.

Every object has ``time`` (RFC 3339 in UTC, with milliseconds) and ``event``, which says what else is in it:

=================  =====================================================================================
``task_claimed``   ``task_id``, ``task_type``
``task_started``   ``task_id``, ``task_type``
``task_line``      ``task_id``, ``task_type``, ``level``, ``text``, and ``step`` (the step that printed it, or null);
                   only where task lines are asked for
``task_finished``  ``task_id``, ``task_type``, ``outcome`` (``succeeded``, ``failed``, ``timed_out``, ``cancelled``,
                   ``rejected``), ``duration`` in seconds, ``error``, and ``cause`` (``server``, ``operator``,
                   ``stopped``, ``restarted`` or null)
``runner_state``   ``state``, ``reason``
``log``            ``level``, ``logger``, ``message``, ``traceback`` (or null)
``summary``        ``runner``, ``uptime`` in seconds, ``finished`` (tasks by outcome), ``undelivered``; the last one
=================  =====================================================================================

Keys may be added; those here stay. Texts are whole, and every control character in them is escaped as JSON does it.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from delegate_core.console.events import Event, LogEvent, RunnerState, Summary, TaskEvent, TaskFinished, TaskLine

__all__ = ["json_line"]


def json_line(event: Event) -> str:
    """One event, with its line end."""
    return json.dumps({"time": _timestamp(event.time), **_fields(event)}) + "\n"


def _timestamp(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _fields(event: Event) -> dict[str, Any]:
    match event:
        case RunnerState(_, state, reason):
            return {"event": "runner_state", "state": state, "reason": reason}
        case LogEvent(_, level, logger, message, traceback):
            fields = {"level": level, "logger": logger, "message": message, "traceback": traceback or None}
            return {"event": "log", **fields}
        case Summary(_, name, uptime, finished, undelivered):
            counts = {"uptime": round(uptime, 3), "finished": dict(finished), "undelivered": undelivered}
            return {"event": "summary", "runner": name, **counts}
        case _:
            return _task_fields(event)


def _task_fields(event: TaskEvent | TaskLine | TaskFinished) -> dict[str, Any]:
    task = {"task_id": event.id, "task_type": event.type}
    match event:
        case TaskEvent():
            return {"event": f"task_{event.what}", **task}
        case TaskLine():
            return {"event": "task_line", **task, "level": event.level, "text": event.text, "step": event.step or None}
        case TaskFinished():
            result = {"outcome": event.outcome, "duration": round(event.duration, 3)}
            return {"event": "task_finished", **task, **result, "error": event.error, "cause": event.cause or None}
