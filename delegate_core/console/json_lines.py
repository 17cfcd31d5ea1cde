r"""Events as JSON lines: one object a line, in ASCII, for programs. The console and the log file have the same.

Every object has ``time`` (RFC 3339 in UTC, with milliseconds), ``level`` (``debug``, ``info``, ``warning``, ``error``,
``critical``), ``runner`` and ``backend`` (names, or null), and ``event``, which says what else is in it:

=================  =====================================================================================
``task_claimed``   ``task_id``, ``task_type``
``task_started``   ``task_id``, ``task_type``
``task_line``      ``task_id``, ``task_type``, ``level``, ``text``, and ``step`` (the step that printed it, or null);
                   only where task lines are asked for
``task_finished``  ``task_id``, ``task_type``, ``outcome`` (``succeeded``, ``failed``, ``timed_out``, ``cancelled``,
                   ``rejected``), ``duration`` in seconds, ``error``, and ``cause`` (``server``, ``operator``,
                   ``stopped``, ``restarted`` or null)
``runner_state``   ``state``, ``reason``
``log``            ``logger``, ``task_id`` and ``step`` (whom it concerns, or null), ``error`` (the exception in one
                   line, or null), ``traceback`` (or null)
``summary``        ``uptime`` in seconds, ``finished`` (tasks by outcome), ``undelivered``; the last one
=================  =====================================================================================

All but ``task_line`` have a ``message`` for people. Keys may be added; those here stay. Texts are whole, and every
control character in them is escaped as JSON does it.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from delegate_core.concern import Concern
from delegate_core.console.events import Event, LogEvent, RunnerState, Summary, TaskEvent, TaskFinished, TaskLine
from delegate_core.console.plain import event_text

__all__ = ["fields_of", "json_line", "timestamp"]


def json_line(event: Event, whose: Concern) -> str:
    """One event of this runner, with its line end."""
    return json.dumps(fields_of(event, whose)) + "\n"


def fields_of(event: Event, whose: Concern) -> dict[str, Any]:
    """What is known of an event, by the keys above, in a fixed order."""
    own = _fields(event)
    who = {"runner": whose.runner or None, "backend": whose.backend or None}
    message = {} if isinstance(event, TaskLine) else {"message": event_text(event)}
    return {"time": timestamp(event.time), "event": own.pop("event"), "level": "info", **who, **own, **message}


def timestamp(at: float) -> str:
    """RFC 3339 in UTC, with milliseconds."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _fields(event: Event) -> dict[str, Any]:
    match event:
        case RunnerState(_, state, reason):
            return {"event": "runner_state", "state": state, "reason": reason}
        case LogEvent():
            return {"event": "log", **_record(event)}
        case Summary(_, name, uptime, finished, undelivered):
            counts = {"uptime": round(uptime, 3), "finished": dict(finished), "undelivered": undelivered}
            return {"event": "summary", "runner": name, **counts}
        case _:
            return _task_fields(event)


def _record(event: LogEvent) -> dict[str, Any]:
    known = {"runner": event.runner, "backend": event.backend} if event.runner else {}
    about = {"task_id": event.task or None, "step": event.step or None}
    fault = {"error": event.error or None, "traceback": event.traceback or None}
    return {"level": event.level, "logger": event.logger, **known, **about, **fault}


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
