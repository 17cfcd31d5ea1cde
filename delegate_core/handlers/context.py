"""What a handler has in hand while it executes a task."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

import anyio

from delegate_core import processes
from delegate_core.handlers.environment import clean_environment, made
from delegate_core.model import CancelCause, Event, Task

if TYPE_CHECKING:
    from delegate_core.engines.engine import Engine
    from delegate_core.logs import Mask, TaskLog

__all__ = ["Cancellation", "LogStream", "Surroundings", "TaskContext"]


_SHARE = 0.7
"""Of the time between our deadline and the server's: for ending what runs. The rest is for the report."""


class Cancellation:
    """Tells a sync handler that its task is to end. An async handler is cancelled where it awaits, and needs none.

    Why: ``cause`` is None where the deadline passed.
    """

    def __init__(self) -> None:
        self._set = threading.Event()
        self.cause: CancelCause | None = None

    def is_set(self) -> bool:
        """Whether the task is to end."""
        return self._set.is_set()

    def __bool__(self) -> bool:
        """The same, so that ``while not context.cancelled:`` reads well."""
        return self._set.is_set()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait in a thread for at most ``timeout`` seconds; return whether the task is to end."""
        return self._set.wait(timeout)

    def set(self, cause: CancelCause | None) -> None:
        """Tell it. For the core and for tests."""
        if not self._set.is_set():
            self.cause = cause
            self._set.set()


class LogStream(Protocol):
    """The log of one step of a task."""

    def write(self, data: bytes | str, *, level: str = "info") -> None:
        """Print output in pieces of any size, from any thread; lines are put together again."""

    def line(self, text: str, *, level: str = "info") -> None:
        """Print a whole line, from any thread."""

    async def finish(self) -> None:
        """Nothing more will be printed: wait until the server has it, or it is given up. Raises nothing for that."""


class Surroundings(Protocol):
    """What a context draws on: the runner gives its own, a test a smaller one. Each part is made at its first use."""

    @property
    def mark(self) -> str:
        """What the task's processes carry in their environment, so that the next start of the runner finds them."""

    @property
    def mask(self) -> Mask:
        """What must not be shown."""

    @property
    def log(self) -> TaskLog:
        """Where it prints."""

    def stream(self, name: str) -> LogStream:
        """Where one of its steps prints."""

    def folder(self) -> Path:
        """Make the task's folder and return it."""

    def variables(self, step: str) -> Mapping[str, str]:
        """What plugins give to its processes, or to those of one of its steps; see the hook ``task_environment``."""

    async def process_started(self, identity: processes.ProcessIdentity) -> None:
        """A process group lives; it is to be ended if the runner dies."""

    async def process_ended(self, identity: processes.ProcessIdentity) -> None:
        """It is gone, with all that it started."""

    async def progress(self, event: Event) -> None:
        """Tell the server of a step."""

    def engine(self, name: str) -> Engine:
        """An engine of the runner's."""

    async def secret(self, name: str) -> str:
        """A secret that the runner's settings declare."""


class _Part:
    """The surroundings of a task, but for the folder."""

    def __init__(self, whole: Surroundings, folder: Callable[[], Path], user: processes.ProcessUser | None) -> None:
        self._whole = whole
        self._folder = folder
        self._user = user

    def folder(self) -> Path:
        folder = self._folder()
        folder.mkdir(mode=0o700, exist_ok=True)
        if self._user is not None:
            self._user.admit(folder)
        return folder

    def __getattr__(self, name: str) -> Any:
        return getattr(self._whole, name)


class TaskContext:
    """One task's surroundings: its log, its folder, its mask, its processes, its deadline.

    A handler gets one when it asks for it by the annotation ``TaskContext``; in a test, ``delegate_core.testing``
    makes one.

    Attributes:
        task: the task itself.
        deadline: when it will be timed out, in seconds on the event loop's clock; None: never.
        cancelled: tells a sync handler that its task is to end.
        user: as whom its processes run; None: as the runner's own user.
        outlived_by: set while a sync handler's thread goes on after its task's end; fires when the thread ends.
    """

    def __init__(
        self,
        task: Task,
        surroundings: Surroundings,
        *,
        deadline: float | None = None,
        grace: float = 10.0,
        margin: float = float("inf"),
        limits: processes.Limits | None = None,
        user: processes.ProcessUser | None = None,
    ) -> None:
        self.task = task
        self.deadline = deadline
        self.user = user
        self._grace = grace
        self._margin = margin
        self._limits = limits or processes.Limits()
        self.cancelled = Cancellation()
        self.outlived_by: anyio.Event | None = None
        self._surroundings = surroundings
        self._folder: Path | None = None

    # ------------------------------------------------------------------ log

    def log(self, text: str, *, level: str = "info") -> None:
        """Print lines to the task's log. May be called from any thread; never waits for the server."""
        self._surroundings.log.line(text, level=level)

    def write(self, data: bytes | str, *, level: str = "info") -> None:
        """Print raw output to the task's log, in pieces of any size; lines are put together again."""
        self._surroundings.log.write(data, level=level)

    def stream(self, name: str) -> LogStream:
        """The log of a step that this task runs, apart from the task's own; masked and sent like that.

        ``name`` is what the backend's ``open_log`` hook gets. Await ``finish()`` when the step is over.
        """
        return self._surroundings.stream(name)

    def mask(self, *values: str) -> None:
        """Never show these values, from here on: for secrets that a handler obtains while it runs."""
        for warning in self._surroundings.mask.add(*values):
            self.log(f"warning: {warning}", level="warning")

    async def secret(self, name: str) -> str:
        """A secret that the runner's settings declare by this name, as its provider has it now; masked from here on.

        Raises:
            SecretUnavailable: none is declared by this name, or its provider does not give it; the text says why.
        """
        value = await self._surroundings.secret(name)
        self.mask(value)
        return value

    def masked(self, text: str) -> str:
        """The text as it may be shown."""
        return self._surroundings.mask.text(text)

    def masked_bytes(self, data: bytes) -> bytes:
        """The bytes as they may be shown."""
        stream = self._surroundings.mask.stream()
        return stream.feed(data) + stream.finish()

    # ------------------------------------------------------------------ place

    @property
    def folder(self) -> Path:
        """The task's own folder, empty at first; made at the first look and deleted when the task ends.

        It is the runner's. Where processes run as another user, they get through it, but change nothing right in it:
        what they are to write to is in `work`, or is given to them by `hand_over`.
        """
        if self._folder is None:
            self._folder = self._surroundings.folder()
        return self._folder

    @property
    def work(self) -> Path:
        """A folder within `folder` for the task's processes to run in: it is theirs."""
        return made(self.folder / "work", self.user)

    def hand_over(self, path: Path) -> Path:
        """Give a new file or folder right in `folder` to the task's processes; the path, for them to use.

        Does nothing where they run as the runner's own user. Never give it what they may have changed: a path through
        a folder of theirs may lead anywhere.

        Raises:
            ValueError: it is not right in `folder`.
        """
        if path.parent != self.folder or path.name in {"", ".."}:
            raise ValueError(f"{path} is not right in the task's folder {self.folder}: make it there")
        if self.user is not None:
            self.user.own(path)
        return path

    def environment(self, extra: Mapping[str, str] | None = None) -> dict[str, str]:
        """A clean environment for a child process: PATH, LANG, TZ of this machine, HOME and TMPDIR in `folder`.

        Where processes run as another user, it says who that is, and both folders are that user's. Besides, it has the
        `variables`; ``extra`` wins over all.
        """
        return clean_environment(self.folder, {**self.variables(), **(extra or {})}, self.user)

    def variables(self, step: str = "") -> Mapping[str, str]:
        """What the runner's plugins give to processes of this task, or to those of a step that it runs itself.

        `environment` has them already; what the author of the task sets is to win over them.
        """
        return self._surroundings.variables(step)

    @property
    def of_runner(self) -> TaskContext:
        """This context for what the runner does for the task with programs of its own: those run as its own user.

        Their home is another one, for they must not heed what a task has put into its own.
        """
        return self if self.user is None else self._within(self.task, "runner", None)

    def _within(self, task: Task, name: str, user: processes.ProcessUser | None) -> TaskContext:
        """A context with a folder of its own within this one's, and all else in common."""
        part = _Part(self._surroundings, lambda: self.folder / name, user)
        return TaskContext(
            task,
            cast("Surroundings", part),
            deadline=self.deadline,
            grace=self._grace,
            margin=self._margin,
            limits=self._limits,
            user=user,
        )

    @property
    def grace(self) -> float:
        """Seconds that its processes have from SIGTERM to SIGKILL, and a sync handler to notice that it is to end.

        No more than fits before the server's own deadline: the report has to be there by then.
        """
        left = self.remaining()
        return self._grace if left is None else min(self._grace, (left + self._margin) * _SHARE)

    def remaining(self) -> float | None:
        """Seconds until the deadline; None without one."""
        return None if self.deadline is None else max(0.0, self.deadline - anyio.current_time())

    # ------------------------------------------------------------------ work

    async def run(
        self, spec: processes.ProcessSpec, on_output: processes.OnOutput | None = None, *, limited: bool = True
    ) -> processes.ProcessExit:
        """Run a process to its end, its output going to the task's log.

        Cancelling ends the whole tree: SIGTERM to its group, the grace, SIGKILL. The limits of the runner's settings
        are put on it where it has none of its own, unless ``limited`` is false. It runs as `user`.

        Raises:
            ProcessStartError: it could not be started.
        """
        started: list[processes.ProcessIdentity] = []

        async def record(identity: processes.ProcessIdentity) -> None:
            started.append(identity)
            await self._surroundings.process_started(identity)

        wanted = spec.grace
        spec = replace(
            spec,
            grace=lambda: min(wanted() if callable(wanted) else wanted, self.grace),
            within=self._surroundings.mark,
            limits=spec.limits.over(self._limits) if limited else spec.limits,
            user=spec.user or self.user,
        )
        try:
            return await processes.run(spec, on_output=on_output or self._print, on_start=record)
        finally:
            with anyio.CancelScope(shield=True):
                for identity in started:
                    await self._surroundings.process_ended(identity)

    def _print(self, data: bytes, stream: str) -> None:
        self.write(data, level="error" if stream == "stderr" else "info")

    @asynccontextmanager
    async def part(self, task: Task, name: str) -> AsyncIterator[TaskContext]:
        """A context for a task that is run for this one: with a folder of its own, and all else in common."""
        part = self._within(task, name, self.user)
        part.cancelled = self.cancelled
        try:
            yield part
        finally:
            self.outlived_by = part.outlived_by or self.outlived_by

    async def progress(self, event: Event) -> None:
        """Tell the server how far the task is; see the ``progress`` hook."""
        await self._surroundings.progress(event)

    def engine(self, name: str) -> Engine:
        """An engine of this runner, such as ``docker``, to run steps on. It is opened and closed with the runner.

        Raises:
            EngineError: no plugin of this runner brings it; the text says how to get it.
        """
        return self._surroundings.engine(name)
