"""The embedded manager behind the development commands."""

from __future__ import annotations

import json
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import anyio
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from delegate_core.development import Example, ServerTask, SubmissionError
from delegate_core.errors import CredentialsError, SettingsError
from delegate_core.model import JsonValue
from delegate_core.settings import PositiveDuration
from delegate_harness.auth import parse_secret
from delegate_harness.manager import EmbeddedManager, LogStream, Rules, Submission, TaskRecord
from delegate_harness.manager.wire import STRICT_TYPES

__all__ = ["HarnessDevelopmentServer", "TaskFile"]

_OPTIONS = ("account", "secret", "strict")
_LOG_NAME = "submission"
"""Each task's log key is made of this and a random value."""

_LAST_LINES = 3.0
"""Seconds after a task's end in which the end of its stream may still come. A runner that died never closes it."""


class TaskFile(BaseModel):
    """What a file for ``delegate submit`` may say.

    Attributes:
        type: the task type, which a connected delegate must serve.
        data: the handler's input.
        timeout: how long it may take from its assignment on.
        sync: somebody waits for it: listed first, and it cannot be aborted.
        selectors: tags that a delegate must have to get it.
        runner_response: ask for the result in the runner's form.
        secrets: values that must be masked in its output.
    """

    model_config = ConfigDict(extra="forbid")

    type: str = Field(min_length=1)
    data: dict[str, JsonValue] = {}
    timeout: PositiveDuration = 600.0
    sync: bool = False
    selectors: tuple[str, ...] = ()
    runner_response: bool = False
    secrets: tuple[str, ...] = ()


_ONE, _MANY = TypeAdapter(TaskFile), TypeAdapter(list[TaskFile])


class HarnessDevelopmentServer:
    """An embedded manager with a random account.

    Args:
        options: ``account`` and ``secret`` fix the account, ``strict=true`` takes the real manager's task types only.
    """

    def __init__(self, options: Mapping[str, str]) -> None:
        if unknown := sorted(set(options) - set(_OPTIONS)):
            raise SettingsError(f"unknown option {', '.join(unknown)}; the embedded manager has {', '.join(_OPTIONS)}")
        self._account = options.get("account") or f"dev-{uuid.uuid4().hex[:8]}"
        self._secret = _secret(options.get("secret"))
        self._rules = Rules(strict=_switch("strict", options.get("strict", "false")), rounds=None)
        self._running: EmbeddedManager | None = None

    @asynccontextmanager
    async def serve(self, port: int) -> AsyncIterator[str]:
        """Serve on loopback."""
        manager = EmbeddedManager(self._account, self._secret, rules=self._rules, port=port)
        async with manager:
            self._running = manager
            yield manager.url

    @property
    def manager(self) -> EmbeddedManager:
        """The manager, while it is served."""
        if self._running is None:
            raise RuntimeError("the embedded manager is not running")
        return self._running

    def backend_settings(self) -> Mapping[str, Any]:
        """Where and as whom to connect."""
        return {
            "endpoint": self.manager.url,
            "account_id": self.manager.account_id,
            "account_secret": self.manager.account_secret,
            "log_url": self.manager.log_service_url,
        }

    def environment(self) -> Mapping[str, str]:
        """The same as variables."""
        return {f"DELEGATE_{name.upper()}": str(value) for name, value in self.backend_settings().items()}

    # ------------------------------------------------------------------ submitting

    def task_text(self, task_type: str, data: JsonValue, timeout: float) -> str:
        """One task as JSON."""
        return json.dumps({"type": task_type, "data": data, "timeout": timeout})

    def examples(self) -> Sequence[Example]:
        """Nothing that is not a handler's task."""
        return ()

    def submit(self, text: str, options: Mapping[str, str]) -> list[str]:
        """Queue the task, or the list of tasks, that a JSON text describes."""
        if options:
            raise SubmissionError(f"unknown option {', '.join(sorted(options))}: a Harness task takes none")
        found = _parse(text)
        tasks = found if isinstance(found, list) else [found]
        if not tasks:
            raise SubmissionError("the list is empty: there is no task in it")
        if self._rules.strict:
            _check_types(tasks)
        return [self._submit(task) for task in tasks]

    def _submit(self, task: TaskFile) -> str:
        return self.manager.submit(
            Submission(
                type=task.type,
                data=task.data,
                timeout_ms=int(task.timeout * 1000),
                sync=task.sync,
                selectors=task.selectors,
                runner_response=task.runner_response,
                secrets=task.secrets,
                abstractions={_LOG_NAME: uuid.uuid4().hex},
            )
        )

    def cancel(self, task_id: str) -> bool:
        """Abort it.

        Raises:
            KeyError: there is no such task.
            SubmissionError: somebody waits for it: the real manager cannot abort it either.
        """
        try:
            return self.manager.abort(task_id)
        except ValueError as error:
            raise SubmissionError(str(error)) from None

    # ------------------------------------------------------------------ looking

    def tasks(self) -> list[ServerTask]:
        """All that are known, oldest first."""
        records = sorted(self.manager.state.tasks(), key=lambda record: record.created)
        return [self._shown(record) for record in records]

    def task(self, task_id: str) -> ServerTask:
        """One of them."""
        return self._shown(self.manager.task(task_id))

    async def finished(self, task_id: str) -> ServerTask:
        """Wait for its outcome."""
        return self._shown(await self.manager.wait_finished(task_id, timeout=float("inf")))

    def _shown(self, record: TaskRecord) -> ServerTask:
        outcome = record.outcome
        result = outcome.result if outcome else None
        return ServerTask(
            id=record.task_id,
            type=record.spec.type,
            status=record.status.value.lower(),
            waiting=(self.manager.state.waiting(record.task_id) or "") if outcome is None else "",
            outcome=str(outcome.verdict) if outcome else "",
            error=outcome.message if outcome else "",
            data=result.data if result else None,
        )

    async def log(self, task_id: str, *, follow: bool) -> AsyncIterator[str]:
        """The lines of its live stream; of the final log, where that is there already."""
        task = self.manager.task(task_id)
        key = task.log_key
        if follow:
            await self.manager.wait_for(lambda _: self._log_begun(key) or task.finished, float("inf"))
        stream = self._stream(key)
        if stream is None:
            for text in self._final_log(key):
                yield text
            return
        shown = 0
        while True:
            for line in stream.since(shown):
                yield line.out
            shown = stream.written
            if not follow or not await self._goes_on(stream, shown, task):
                return
            if stream.closed:
                stream, shown = self._stream(key) or stream, 0

    async def _goes_on(self, stream: LogStream, shown: int, task: TaskRecord) -> bool:
        """Wait for more of a stream, or for another under its key; False at the end of both."""
        wait = self.manager.wait_for
        with anyio.move_on_after(None) as patience:

            def news(_: object) -> bool:
                if task.finished and patience.deadline == float("inf"):
                    patience.deadline = anyio.current_time() + _LAST_LINES
                return stream.written > shown or stream.closed

            await wait(news, float("inf"))
            return not stream.closed or self._stream(task.log_key) not in {None, stream}
        return False

    def _log_begun(self, key: str) -> bool:
        return self._stream(key) is not None or bool(self._final_log(key))

    def _stream(self, key: str) -> LogStream | None:
        try:
            return self.manager.logs.stream(self.manager.account_id, key)
        except KeyError:
            return None

    def _final_log(self, key: str) -> list[str]:
        try:
            blob = self.manager.logs.blob(self.manager.account_id, key)
        except KeyError:
            return []
        return [_text(line) for line in blob.splitlines()]


def _text(line: bytes) -> str:
    """The text of a stored line; a log of another form is shown as it is."""
    try:
        return str(json.loads(line)["out"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return f"{line.decode(errors='replace')}\n"


def _secret(given: str | None) -> str | None:
    if given is not None:
        try:
            parse_secret(given)
        except CredentialsError as error:
            raise SettingsError(f"option secret: {error}") from None
    return given


def _switch(name: str, given: str) -> bool:
    if given not in {"true", "false"}:
        raise SettingsError(f"option {name} is true or false, not {given!r}")
    return given == "true"


def _check_types(tasks: Sequence[TaskFile]) -> None:
    """Before the first of them is queued: a file is submitted as a whole or not at all."""
    for task in tasks:
        if task.type not in STRICT_TYPES:
            known = ", ".join(sorted(STRICT_TYPES))
            raise SubmissionError(f"type {task.type!r} is none of the strict manager's: {known}")


def _refuse_constant(name: str) -> None:
    raise SubmissionError(f"{name} is a number that JSON does not know; write it as text")


def _parse(text: str) -> TaskFile | list[TaskFile]:
    try:
        found = json.loads(text, parse_constant=_refuse_constant)
        return (_MANY if isinstance(found, list) else _ONE).validate_python(found)
    except json.JSONDecodeError as error:
        raise SubmissionError(f"line {error.lineno}, column {error.colno}: this is not JSON: {error.msg}") from None
    except RecursionError:
        raise SubmissionError("it is nested too deeply") from None
    except ValidationError as error:
        raise SubmissionError(_explain(error)) from None
    except ValueError:
        raise SubmissionError("a number in it has thousands of digits") from None


def _explain(error: ValidationError) -> str:
    """Each mistake with its place."""
    known = ", ".join(TaskFile.model_fields)
    lines: list[str] = []
    for item in error.errors(include_url=False, include_input=False):
        path = ".".join(map(str, item["loc"]))
        cure = f"; the fields are {known}" if item["type"] == "extra_forbidden" else ""
        lines.append(f"{path or 'the file'}: {item['msg']}{cure}")
    return "\n".join(dict.fromkeys(lines))
