"""An answer in pieces: lines of JSON that a service sends while it works on a task.

::

    {"log": "halfway there"}
    {"log": "slow disk", "level": "warning"}
    {"mask": "the value of a secret that it has got"}
    {"data": {"rows": 3}}

The last one is the result: ``data``, or ``error`` where it failed. Its content type is ``application/x-ndjson``.
"""

from __future__ import annotations

from typing import Final

from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError

from delegate_core.handlers.context import TaskContext
from delegate_core.model import TaskResult

__all__ = ["CONTENT_TYPE", "BadEvent", "EventStream"]

CONTENT_TYPE: Final = "application/x-ndjson"

_LEVELS: Final = frozenset({"debug", "info", "warning", "error"})


class BadEvent(Exception):
    """What a service sent is no such stream. Says what is wrong with it, without quoting it."""


class _Event(BaseModel):
    model_config = ConfigDict(extra="forbid")

    log: str | None = None
    level: str = "info"
    mask: str | list[str] | None = None
    data: JsonValue = None
    error: str | None = None


class EventStream:
    """One answer, as it comes.

    Args:
        context: of the task: its log and its mask.
        limit: bytes that a line may have.
    """

    def __init__(self, context: TaskContext, limit: int) -> None:
        self._context = context
        self._limit = limit
        self._rest = bytearray()
        self._lines = 0
        self._result: TaskResult | None = None

    def feed(self, data: bytes) -> None:
        """Take the next bytes.

        Raises:
            BadEvent: they are no such events.
        """
        first, *others = data.split(b"\n")
        self._rest += first  # in place: a line that drips in must not be copied with each drop
        for line in others:
            self._take(bytes(self._rest))
            self._rest = bytearray(line)
        if len(self._rest) > self._limit:
            raise BadEvent(f"line {self._lines + 1} of its answer has more than {self._limit:,} bytes")

    def result(self) -> TaskResult:
        """What it came to, at the end of the answer.

        Raises:
            BadEvent: the last line is no event, or none was the result.
        """
        self._take(bytes(self._rest))
        if self._result is None:
            raise BadEvent("its answer ended before a line with data or error")
        return self._result

    def _take(self, line: bytes) -> None:
        self._lines += 1
        if not line.strip():
            return
        if len(line) > self._limit:
            raise BadEvent(f"line {self._lines} of its answer has more than {self._limit:,} bytes")
        if self._result is not None:
            raise BadEvent(f"line {self._lines} of its answer comes after the one with the result")
        self._heed(self._read(line))

    def _read(self, line: bytes) -> _Event:
        try:
            event = _Event.model_validate_json(line)
        except ValidationError:
            event = _Event()
        kinds = event.model_fields_set & {"log", "mask", "data", "error"}
        if len(kinds) != 1 or event.level not in _LEVELS:
            raise BadEvent(
                f"line {self._lines} of its answer is no event: one of log, mask, data and error is needed, as JSON"
            )
        return event

    def _heed(self, event: _Event) -> None:
        if "data" in event.model_fields_set:
            self._result = TaskResult.succeeded(event.data)
        elif event.error is not None:
            self._result = TaskResult.failed(event.error)
        elif event.mask is not None:
            self._context.mask(*([event.mask] if isinstance(event.mask, str) else event.mask))
        elif event.log is not None:
            self._context.log(event.log, level=event.level)
