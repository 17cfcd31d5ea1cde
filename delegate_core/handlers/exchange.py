"""A task as a request, and a response as its result: the same for executables, HTTP services and ASGI apps."""

from __future__ import annotations

import base64
import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from http import HTTPStatus

import anyio
from pydantic_core import from_json

from delegate_core.handlers.context import TaskContext
from delegate_core.handlers.options import ExchangeOptions
from delegate_core.model import JsonValue, Task, TaskResult

__all__ = ["Answer", "TooMuch", "request_body", "result_of", "task_headers", "within_time"]

_SHOWN = 200
_READ = 64 * 1024
_MESSAGES = ("error", "message", "error_message", "error_msg", "detail")
"""Where services put what went wrong."""


class TooMuch(Exception):
    """A response has more bytes than it may."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"answered more than {limit:,} bytes; raise output_limit if it may")


@dataclass(frozen=True, slots=True)
class Answer:
    """A response.

    Attributes:
        status: 200 to 599.
        headers: names and values as they came; a name may come several times.
        body: as it came.
        reason: what the status says in words; empty for the usual ones.
    """

    status: int
    headers: Sequence[tuple[str, str]]
    body: bytes
    reason: str = ""

    def header(self, name: str) -> str:
        """The first value of a header, whatever its case; empty for none."""
        return next((value for key, value in self.headers if key.lower() == name), "")


def request_body(options: ExchangeOptions, task: Task) -> bytes | None:
    """What a task sends; None: it has no data."""
    if options.send == "task":
        return json.dumps({"id": task.id, "type": task.type, "data": task.data}).encode()
    return None if task.data is None else json.dumps(task.data).encode()


def task_headers(task: Task, context: TaskContext) -> dict[str, str]:
    """What a request says of its task: id, type, the seconds until its deadline, and the trace to go on with."""
    headers = {"Delegate-Task-Id": _plain(task.id), "Delegate-Task-Type": _plain(task.type), **_trace(context)}
    remaining = context.remaining()
    return headers if remaining is None else {**headers, "Delegate-Task-Timeout": f"{remaining:.3f}"}


def _trace(context: TaskContext) -> dict[str, str]:
    """The headers of W3C's Trace Context, where a plugin gives processes the variables of these names."""
    given = context.variables()
    return {name.lower(): _plain(given[name]) for name in ("TRACEPARENT", "TRACESTATE") if name in given}


def _plain(text: str) -> str:
    """A server's text as a header may have it."""
    return text.encode("ascii", "backslashreplace").decode() if text.isprintable() else ascii(text)[1:-1]


async def within_time(options: ExchangeOptions, work: Callable[[], Awaitable[TaskResult]]) -> TaskResult:
    """Work within the handler's own limit of time."""
    if options.timeout is None:
        return await work()
    with anyio.move_on_after(options.timeout):
        return await work()
    return TaskResult.timed_out(options.timeout)


def result_of(answer: Answer, options: ExchangeOptions, context: TaskContext) -> TaskResult:
    """The result: a status of 2xx is a success, any other a failure that keeps what was answered."""
    try:
        data = _whole(answer, context) if options.result == "response" else _decoded(answer, context)
    except ValueError as error:
        return TaskResult.failed(f"status {_status(answer)}, but its body is no valid JSON: {error}")
    if 200 <= answer.status < 300:
        return TaskResult.succeeded(data)
    return TaskResult.failed(_complaint(answer, context), data)


def _whole(answer: Answer, context: TaskContext) -> JsonValue:
    headers: dict[str, JsonValue] = {}
    for name, value in answer.headers:
        values = headers.setdefault("-".join(part.capitalize() for part in name.split("-")), [])
        assert isinstance(values, list)  # noqa: S101 - for the type checker
        values.append(value)
    body = base64.b64encode(context.masked_bytes(answer.body)).decode()
    return {"status_code": answer.status, "headers": headers, "body": body}


def _decoded(answer: Answer, context: TaskContext) -> JsonValue:
    """JSON as its value, text as a text, nothing as null, anything else in base64 with its type.

    Raises:
        ValueError: it says that it is JSON, and is not.
    """
    kind = answer.header("content-type").partition(";")[0].strip().lower()
    if not answer.body:
        return None
    if kind == "application/json" or kind.endswith("+json"):
        decoded: JsonValue = from_json(answer.body, allow_inf_nan=False)
        return decoded
    if kind.startswith("text/") or not kind:
        return answer.body.decode("utf-8", "replace")
    return {"content_type": kind, "base64": base64.b64encode(context.masked_bytes(answer.body)).decode()}


def _status(answer: Answer) -> str:
    try:
        usual = HTTPStatus(answer.status).phrase
    except ValueError:
        usual = ""
    return f"{answer.status} {answer.reason or usual}".strip()


def _complaint(answer: Answer, context: TaskContext) -> str:
    """What went wrong; masked before it is cut, since no mask finds half a secret."""
    if 300 <= answer.status < 400:
        target = context.masked(answer.header("location")) or "nowhere"
        return f"status {_status(answer)}: redirects are not followed; it leads to {target[:_SHOWN]}"
    said = context.masked(_said(answer))[:_SHOWN]
    return f"status {_status(answer)}" + (f": {said}" if said else "")


def _said(answer: Answer) -> str:
    """What the body says of the failure, in a line."""
    text = answer.body.decode("utf-8", "replace")
    try:
        value = from_json(answer.body)
    except ValueError:
        value = None
    if isinstance(value, dict):
        text = next((str(value[key]) for key in _MESSAGES if isinstance(value.get(key), str)), text)
    elif isinstance(value, str):
        text = value
    return " ".join(text[:_READ].split())
