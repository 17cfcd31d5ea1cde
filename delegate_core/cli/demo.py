"""``delegate demo``: an embedded server, a runner, and tasks that end in every way a task can."""

from __future__ import annotations

import json
import logging
import os
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
from pydantic import BaseModel, Field

from delegate_core.cli.running import in_event_loop
from delegate_core.console import lastwords
from delegate_core.console.outlet import Outlet
from delegate_core.development import DevelopmentServer, ServerTask
from delegate_core.development.beside import development_server, runner_beside
from delegate_core.errors import PluginError
from delegate_core.handlers import TaskContext
from delegate_core.model import JsonValue
from delegate_core.plugins import backend_module, installed
from delegate_core.settings import RunnerSettings

__all__ = ["run_demo"]

_LIMIT = 50.0
"""Seconds for all of it."""

_FIRST = "harness"

_LAST_WORDS = 5.0
"""Seconds that the table may take to be read."""


# ---------------------------------------------------------------------- handlers


class Fib(BaseModel):
    """The input of ``fib``."""

    n: int = Field(ge=0, le=1000)


async def fib(params: Fib, context: TaskContext) -> dict[str, int]:
    """An async handler: validated data in, JSON out."""
    context.log(f"computing fib({params.n})")
    a, b = 0, 1
    for _ in range(params.n):
        a, b = b, a + b
    return {"fib": a}


class Words(BaseModel):
    """The input of ``count-words``."""

    text: str


def count_words(params: Words, context: TaskContext) -> dict[str, int]:
    """A sync handler: runs in a thread."""
    counts: dict[str, int] = {}
    for word in params.text.lower().split():
        context.log(f"counting {word}")
        counts[word] = counts.get(word, 0) + 1
    return counts


async def divide(params: dict[str, int]) -> float:
    """A handler that fails when it is asked to divide by zero."""
    return params["a"] / params["b"]


_HANDLERS: Mapping[str, Callable[..., Any]] = {"fib": fib, "count-words": count_words, "divide": divide}


# ---------------------------------------------------------------------- tasks


@dataclass(frozen=True)
class _Task:
    """A task of every demo and how it is to end.

    ``outcomes`` are the server's own words for that end: a backend that knows fewer words uses a plainer one.
    """

    title: str
    type: str
    data: JsonValue
    outcomes: tuple[str, ...]
    says: str = ""
    timeout: float = 20.0
    cancelled: bool = field(default=False)

    def text(self, server: DevelopmentServer) -> str:
        """As the server takes it."""
        return server.task_text(self.type, self.data, self.timeout)


@dataclass(frozen=True)
class _Shown:
    """A task of the demo, or an example of the backend's own."""

    title: str
    type: str
    text: str
    outcomes: tuple[str, ...]
    says: str
    cancelled: bool = False


_SCRIPT: JsonValue = {
    "commands": ["for i in 1 2 3; do echo step $i of 3; sleep 0.2; done", 'echo answer=42 >> "$DELEGATE_OUTPUT"']
}
_SLEEP: JsonValue = {"commands": ["echo going to sleep", "sleep 60"]}

_TASKS = (
    _Task("an async Python handler", "fib", {"n": 50}, ("succeeded",), "12586269025"),
    _Task("a sync Python handler", "count-words", {"text": "to be or not to be"}, ("succeeded",), '"be": 2'),
    _Task("a script, its output streamed", "script", _SCRIPT, ("succeeded",), '"answer": "42"'),
    _Task("a handler that raises", "divide", {"a": 1, "b": 0}, ("failed",), "ZeroDivisionError"),
    _Task("data that does not validate", "fib", {"n": -1}, ("failed", "rejected"), "n: "),
    _Task(
        "a task over its time", "script", _SLEEP, ("failed", "timed out", "timed_out"), "timed out after", timeout=2.0
    ),
    _Task("a task that a user aborts", "script", _SLEEP, ("aborted", "cancelled", "killed"), cancelled=True),
)


@dataclass(frozen=True)
class _Ended:
    """What became of a task of the demo."""

    task: _Shown
    end: ServerTask
    seconds: float
    log: str

    @property
    def as_declared(self) -> bool:
        """Whether it ended as the demo declares."""
        said = self.task.says in f"{self.end.error} {json.dumps(self.end.data)} {self.log}"
        return self.end.outcome in self.task.outcomes and said


# ---------------------------------------------------------------------- the demonstration


def run_demo(backends: Sequence[str]) -> int:
    """Run it for each backend and show it; 0 only if each task ended as declared."""
    # Nothing of it needs an engine that a plugin may bring, so that one is away is nothing to say here.
    logging.getLogger("delegate_core.runner.engines").setLevel(logging.ERROR)
    ended = [_demonstrate(backend) for backend in backends or _with_servers()]
    return 0 if all(ended) else 1


def _with_servers() -> list[str]:
    """All installed backends, as far as they bring an embedded server."""
    names = dict.fromkeys(one.name for one in installed() if one.kind == "backend")
    found = [name for name in names if _brings_server(name)]
    if not found:
        raise PluginError("no installed backend brings an embedded server; try: pip install delegate-harness")
    return sorted(found, key=lambda name: name != _FIRST)


def _brings_server(name: str) -> bool:
    try:
        development_server(backend_module(name), [])
    except PluginError as error:
        sys.stderr.write(f"delegate: {name} is not shown: {error}\n")
        return False
    return True


def _demonstrate(backend: str) -> bool:
    """Run and show one backend; whether all tasks ended as declared."""
    module = backend_module(backend)
    server = development_server(module, [])
    settings = RunnerSettings(backend=backend, name="demo", capacity=16, poll_interval=0.2, grace=2.0)
    outlet = Outlet(sys.stdout)  # a reader who leaves, as `head` does, must not end the tasks
    tasks = [_Shown(one.title, one.type, one.text(server), one.outcomes, one.says, one.cancelled) for one in _TASKS]
    tasks += [_Shown(one.title, one.type, one.text, one.outcomes, one.says) for one in server.examples()]

    async def demonstrate() -> list[_Ended]:
        ended: list[_Ended] = []
        with tempfile.TemporaryDirectory(prefix="delegate-demo-") as state:
            async with server.serve(0) as url, anyio.create_task_group() as group:
                outlet.write(f"embedded {backend} server at {url}, a runner beside it\n\n")
                runner = runner_beside(module, server, settings, Path(state), handlers=_HANDLERS)
                lastwords.conceal(runner.secrecy)
                group.start_soon(runner.run)
                with anyio.move_on_after(_LIMIT) as limit:
                    await _run_all(server, tasks, ended, outlet)
                if limit.cancelled_caught:
                    sys.stderr.write(f"delegate: the demo did not end within {_LIMIT:.0f}s\n")
                runner.drain("the demo is over")
        return sorted(ended, key=lambda each: tasks.index(each.task))

    ended: list[_Ended] = in_event_loop(demonstrate)
    outlet.write(_table(ended))
    outlet.settle(_LAST_WORDS)
    return len(ended) == len(tasks) and all(one.as_declared for one in ended)


async def _run_all(server: DevelopmentServer, tasks: list[_Shown], ended: list[_Ended], outlet: Outlet) -> None:
    """Queue all at once; show and note each when it ends."""

    async def one(task: _Shown) -> None:
        ended.append(await _run_one(server, task))
        outlet.write(_log_of(ended[-1]))

    async with anyio.create_task_group() as group:
        for task in tasks:
            group.start_soon(one, task)


async def _run_one(server: DevelopmentServer, task: _Shown) -> _Ended:
    started = time.monotonic()
    (task_id,) = server.submit(task.text, {})
    lines: list[str] = []
    async for line in server.log(task_id, follow=True):
        lines.append(line)
        if task.cancelled and len(lines) == 1:  # it runs
            server.cancel(task_id)
    end = await server.finished(task_id)
    return _Ended(task, end, time.monotonic() - started, "".join(lines))


def _log_of(ended: _Ended) -> str:
    return f"--- {ended.task.title}: log of {ended.task.type} {ended.end.id}\n{ended.log}"


def _table(ended: list[_Ended]) -> str:
    from rich.table import Table  # noqa: PLC0415 - only when it is needed
    from rich.text import Text  # noqa: PLC0415 - the same

    from delegate_core.console.printing import terminal_of  # noqa: PLC0415 - the same

    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("TASK", "TYPE", "OUTCOME", "SECONDS", "AS DECLARED", "ANSWER"):
        table.add_column(title, overflow="fold")
    for one in ended:
        good = one.as_declared
        answer = one.end.error or ("" if one.end.data is None else str(one.end.data))
        table.add_row(
            one.task.title,
            one.task.type,
            one.end.outcome,
            f"{one.seconds:.2f}",
            Text("yes" if good else "NO", style="green" if good else "bold red"),
            Text(answer),
        )
    console = terminal_of(sys.stdout, os.environ)
    with console.capture() as captured:
        console.print()
        console.print(table)
    return captured.get()
