"""Executables as handlers: a program in any language that takes a task over CGI."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import ByteSize, Discriminator, Field, Tag, field_validator

from delegate_core.artifacts import ArtifactCache, ArtifactError, Download, GitRepository
from delegate_core.artifacts.sources import shown
from delegate_core.errors import PluginError
from delegate_core.handlers import cgi
from delegate_core.handlers.base import Execute, TaskHandler
from delegate_core.handlers.context import TaskContext
from delegate_core.handlers.exchange import (
    Answer,
    TooMuch,
    request_body,
    result_of,
    task_headers,
    within_time,
)
from delegate_core.handlers.options import ExchangeOptions, Value, checked, values
from delegate_core.handlers.options import Path as RequestPath
from delegate_core.http import TlsOptions, TransportError
from delegate_core.model import Task, TaskResult
from delegate_core.processes import Limits, ProcessExit, ProcessSpec, ProcessStartError, Stream
from delegate_core.settings import PositiveDuration, RunnerSettings
from delegate_core.settings.secretfrom import SecretUnavailable, secret_names

__all__ = ["ExecutableHandler", "ExecutableOptions", "executable"]


def _which(source: Any) -> str:
    if isinstance(source, str | Path):
        return "<path>"
    return (
        "<git>" if isinstance(source, GitRepository) or (isinstance(source, dict) and "git" in source) else "<download>"
    )


Source = Annotated[
    Annotated[str, Field(min_length=1), Tag("<path>")]
    | Annotated[GitRepository, Tag("<git>")]
    | Annotated[Download, Tag("<download>")],
    Discriminator(_which),
]


class ExecutableOptions(ExchangeOptions):
    """What may be declared of an executable, besides what all kinds share.

    Attributes:
        executable: a path, a program's name to look for in PATH, a `Download`, or a `GitRepository`.
        arguments: of the program.
        environment: added to its clean environment; a value may be a secret.
        path: of the request, with its query.
        task_cpu_time: instead of the runner's setting; so are the next.
        task_memory: the same.
        task_processes: the same.
        task_file_size: the same.
    """

    executable: Source
    arguments: tuple[str, ...] = ()
    environment: dict[str, Value] = Field(default_factory=dict)
    path: RequestPath = "/"
    send: Literal["data", "task"] = "data"
    task_cpu_time: PositiveDuration | None = None
    task_memory: Annotated[ByteSize, Field(gt=0)] | None = None
    task_processes: Annotated[int, Field(ge=1)] | None = None
    task_file_size: Annotated[ByteSize, Field(gt=0)] | None = None

    @field_validator("environment")
    @classmethod
    def _names(cls, environment: dict[str, Value]) -> dict[str, Value]:
        for name in environment:
            if not name or "=" in name or "\0" in name:
                raise ValueError(f"{name!r} cannot be an environment variable")
        return environment


class ExecutableHandler(TaskHandler):
    """Runs a program for each task: the task's data is its standard input, its standard output is the response.

    Its standard error goes to the task's log as it comes. Its exit status counts, whatever it answered. See
    ``docs/handlers/executables.md``.
    """

    kind: ClassVar[str] = "executable"

    def __init__(self, task_type: str, options: ExecutableOptions) -> None:
        super().__init__(task_type, limit=options.limit, announce=options.announce)
        self.options = options
        source = options.executable
        self._path = _absolute(source) if isinstance(source, str) else None

    @property
    def origin(self) -> str:
        """The program, or where it comes from."""
        source = self.options.executable
        if isinstance(source, GitRepository):
            return f"{source.run} of {source.git} at {source.commit[:12]}"
        return shown(source.downloads[0].urls[0]) if isinstance(source, Download) else source

    def renamed(self, task_type: str) -> ExecutableHandler:
        """The same program for another task type."""
        return ExecutableHandler(task_type, self.options)

    def check(self) -> None:
        """Whether the program is there, or a download for this machine, or git for a repository."""
        try:
            if isinstance(self.options.executable, Download):
                self.options.executable.chosen()
        except ArtifactError as error:
            raise PluginError(f"handler {self.task_type!r}: {error}") from None
        if isinstance(self.options.executable, GitRepository) and shutil.which("git") is None:
            raise PluginError(f"handler {self.task_type!r}: a git repository needs git on this machine; install it")
        if self._path is not None and not os.access(self._path, os.X_OK):
            reason = "may not be executed; chmod +x it" if self._path.exists() else "does not exist"
            raise PluginError(f"handler {self.task_type!r}: the program {self.options.executable} {reason}")

    def secrets(self) -> frozenset[str]:
        """Those of its options."""
        return frozenset(secret_names(self.options))

    @asynccontextmanager
    async def opened(self, settings: RunnerSettings) -> AsyncIterator[Execute]:
        """With the runner's cache, and the authorities that it trusts."""
        cache = ArtifactCache(settings.cache_dir)
        tls = TlsOptions(ca_files=settings.ca_files, insecure=settings.insecure)

        async def execute(task: Task, context: TaskContext) -> TaskResult:
            return await self.executed(task, context, cache, tls)

        yield execute

    async def execute(self, task: Task, context: TaskContext) -> TaskResult:
        """Run it for one task, with the user's own cache."""
        async with self.opened(RunnerSettings()) as execute:
            return await execute(task, context)

    async def executed(self, task: Task, context: TaskContext, cache: ArtifactCache, tls: TlsOptions) -> TaskResult:
        """Run it for one task, with what another keeps open."""
        return await within_time(self.options, lambda: self._execute(task, context, cache, tls))

    async def _execute(self, task: Task, context: TaskContext, cache: ArtifactCache, tls: TlsOptions) -> TaskResult:
        try:
            async with self._program(context, cache, tls) as program:
                run = _Run(program, self.options, task, context)
                return await run.result()
        except (ArtifactError, SecretUnavailable, ProcessStartError, TransportError) as error:
            return TaskResult.failed(str(error))

    def _program(
        self, context: TaskContext, cache: ArtifactCache, tls: TlsOptions
    ) -> AbstractAsyncContextManager[Path]:
        source = self.options.executable
        if isinstance(source, str):
            return nullcontext(self._path or Path(source))
        from delegate_core.artifacts.acquire import acquired  # noqa: PLC0415 - imports an HTTP library

        handed_out = context.folder / "program" if context.user else None
        return acquired(source, context.of_runner, cache, tls, handed_out=handed_out)


def executable(task_type: str, executable: str | Path | Download | GitRepository, **options: Any) -> ExecutableHandler:
    """A handler that runs a program over CGI.

    ::

        executable("resize", "./resize", environment={"MODE": "fast"}, limit=2)

    Args:
        task_type: the type, or a pattern.
        executable: its path, its name in PATH, a `Download`, or a `GitRepository`.
        options: the fields of `ExecutableOptions`.

    Raises:
        PluginError: an option cannot be used.
    """
    given = {"executable": str(executable) if isinstance(executable, Path) else executable, **options}
    return ExecutableHandler(task_type, checked(ExecutableOptions, task_type, given))


def _absolute(source: str) -> Path | None:
    """Where a program is, seen from where the runner was started; a name without a slash is looked for in PATH."""
    if "/" in source:
        return Path(os.path.expanduser(source)).absolute()  # noqa: PTH111 - as UserPath does
    found = shutil.which(source)
    return Path(found).absolute() if found else Path(source)


class _Run:
    """One run of a program for one task."""

    def __init__(self, program: Path, options: ExecutableOptions, task: Task, context: TaskContext) -> None:
        self._program = program
        self._options = options
        self._task = task
        self._context = context
        self._output = bytearray()

    async def result(self) -> TaskResult:
        """Run it, and say what it came to.

        Raises:
            ProcessStartError: it cannot be started.
            SecretUnavailable: a secret of its environment or headers cannot be read.
        """
        try:
            ended = await self._context.run(await self._specification(), on_output=self._take)
        except TooMuch as error:
            return TaskResult.failed(f"{self._program.name} {error}")
        if ended.leftovers:
            self._context.log(f"{ended.leftovers} processes that it left behind were ended", level="warning")
        return self._judged(ended)

    async def _specification(self) -> ProcessSpec:
        context, options = self._context, self._options
        body = request_body(options, self._task)
        headers = {**task_headers(self._task, context), **await values(options.headers, context)}
        variables = cgi.request_variables(options.method, options.path, headers, body)
        return ProcessSpec(
            argv=[str(self._program), *options.arguments],
            cwd=context.work,
            env=context.environment({**variables, **await values(options.environment, context)}),
            stdin=body,
            grace=float("inf"),  # as long as the runner allows
            merge_stderr=False,
            limits=Limits(
                cpu_time=options.task_cpu_time,
                memory=options.task_memory,
                processes=options.task_processes,
                file_size=options.task_file_size,
            ),
        )

    def _take(self, data: bytes, stream: Stream) -> None:
        if stream == "stderr":
            self._context.write(data)
            return
        if len(self._output) + len(data) > self._options.output_limit + cgi.HEAD_LIMIT:
            raise TooMuch(self._options.output_limit)
        self._output += data

    def _judged(self, ended: ProcessExit) -> TaskResult:
        try:
            answer: Answer | None = cgi.parse_answer(bytes(self._output))
            bad = ""
        except cgi.BadAnswer:
            answer, bad = None, _why(self._context.masked_bytes(bytes(self._output)))
        if answer is not None and len(answer.body) > self._options.output_limit:
            return TaskResult.failed(f"{self._program.name} {TooMuch(self._options.output_limit)}")
        result = result_of(answer, self._options, self._context) if answer else None
        if ended.exit_code != 0:
            how = f"was ended by signal {ended.signal}" if ended.signal else f"exited with status {ended.exit_code}"
            how += f": {ended.limited}" if ended.limited else ""
            said = f"; it answered: {result.error}" if result and result.error else ""
            return TaskResult.failed(f"{self._program.name} {how}{said}", result.data if result else None)
        if result is None:
            return TaskResult.failed(f"{self._program.name} gave no CGI response: {bad}")
        return result


def _why(masked: bytes) -> str:
    """What is wrong with an output. It is quoted from what may be shown: a secret that is cut is masked no more."""
    try:
        cgi.parse_answer(masked)
    except cgi.BadAnswer as error:
        return str(error)
    return "it cannot be read"
