"""The built-in handler of task type ``script``: shell commands in a folder of their own."""

from __future__ import annotations

import os
import shlex
import stat
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from delegate_core.engines.engine import EngineError
from delegate_core.engines.host.stagefolder import write_new
from delegate_core.handlers.context import TaskContext
from delegate_core.handlers.function import handler
from delegate_core.model import JsonValue, TaskResult
from delegate_core.pipeline.container import Container, Pull
from delegate_core.pipeline.spec import Shell, Stage, Step, Workspace
from delegate_core.pipeline.states import StepStatus, judged
from delegate_core.processes import ProcessExit, ProcessSpec, ProcessStartError

__all__ = ["Script", "script"]

_OUTPUT_LIMIT = 1024 * 1024
_POSIX_SHELLS = ("sh", "bash", "dash", "ash", "ksh", "zsh")


def _lines(value: object) -> object:
    return [value] if isinstance(value, str) else value


class Script(BaseModel):
    """What a ``script`` task's data may say.

    Attributes:
        commands: run one after the other; the first that fails ends the script. One text is one command, which may
            have several lines.
        shell: a program that runs a script file: ``sh``, ``bash``, ``python3``, a path.
        environment: added to the clean environment: PATH, HOME, LANG, TZ, TMPDIR.
        working_directory: where to run; relative to the task's own folder, which is the default.
        trace: print each command before it runs, for shells.
        image: run in a container of this image, by the engine that is installed, instead of on this machine. Then
            ``shell`` is ``sh``, ``bash`` or ``pwsh``, commands are always printed, and the environment is the image's
            with ``environment`` added.
        pull: when to fetch the image: ``default``, ``always``, ``if-not-exists``, ``never``.
    """

    model_config = ConfigDict(extra="forbid")

    commands: Annotated[list[str], BeforeValidator(_lines), Field(min_length=1)]
    shell: str = "sh"
    environment: dict[str, str] = {}
    working_directory: str = "."
    trace: bool = True
    image: Annotated[str, Field(min_length=1)] | None = None
    pull: Pull = Pull.DEFAULT

    @model_validator(mode="after")
    def _suits_its_container(self) -> Self:
        if self.image is None:
            return self
        if self.shell not in set(Shell):
            raise ValueError(f"with an image, shell is one of {', '.join(Shell)}, not {self.shell!r}")
        if not self.trace:
            raise ValueError("with an image, each command is printed before it runs: leave trace out")
        return self

    @field_validator("environment")
    @classmethod
    def _names(cls, environment: dict[str, str]) -> dict[str, str]:
        for name, value in environment.items():
            if not name or "=" in name or "\0" in name + value:
                raise ValueError(f"{name!r} cannot be an environment variable")
        return environment


@handler("script")
async def script(params: Script, context: TaskContext) -> TaskResult:
    """Run the commands; their output is the task's log.

    Data out: ``{"exit_code": 0, "outputs": {...}}``. A script sets outputs by appending ``name=value`` lines to the
    file that ``$DELEGATE_OUTPUT`` names. A non-zero exit status is a failure.
    """
    if params.image is not None:
        return await _in_container(params, params.image, context)
    outputs = context.folder / "outputs"
    outputs.touch(mode=0o600)
    context.hand_over(outputs)
    try:
        ended = await context.run(_process(params, context, outputs))
    except ProcessStartError as error:
        return TaskResult.failed(str(error))
    return _result(ended, _read_outputs(outputs))


def _process(params: Script, context: TaskContext, outputs: Path) -> ProcessSpec:
    file = context.folder / "script"
    posix = Path(params.shell).name in _POSIX_SHELLS
    file.unlink(missing_ok=True)  # a handler may call this one several times
    write_new(file, _text(params, posix=posix).encode())
    context.hand_over(file)
    return ProcessSpec(
        argv=[params.shell, *(["-e"] if posix else []), str(file)],
        cwd=context.work / params.working_directory,
        env=context.environment({**params.environment, "DELEGATE_OUTPUT": str(outputs)}),
        grace=float("inf"),  # as long as the runner allows
    )


def _text(params: Script, *, posix: bool) -> str:
    if not posix:
        return "\n".join(params.commands) + "\n"
    lines: list[str] = []
    for command in params.commands:
        if params.trace:
            lines.append(f"printf '%s\\n' {shlex.quote('+ ' + command)}")
        lines.append(command)
    return "\n".join(lines) + "\n"


def _result(ended: ProcessExit, outputs: dict[str, str]) -> TaskResult:
    how = f"ended by signal {ended.signal}" if ended.signal else ""
    if ended.limited:
        how = f"{how or f'exit status {ended.exit_code}'}: {ended.limited}"
    return _ended(ended.exit_code, how, outputs)


def _ended(code: int | None, how: str, outputs: dict[str, str]) -> TaskResult:
    data: JsonValue = {"exit_code": code, "outputs": {**outputs}}
    return TaskResult.succeeded(data) if code == 0 else TaskResult.failed(how or f"exit status {code}", data)


def _read_outputs(file: Path) -> dict[str, str]:
    """The ``name=value`` lines; the last one of a name counts, and what is no such line is passed over.

    The script may have removed the file, or put something in its place whose reading would never end.
    """
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return {}
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return {}
        with os.fdopen(descriptor, "rb", closefd=False) as opened:
            return _parsed(opened.read(_OUTPUT_LIMIT))
    finally:
        os.close(descriptor)


def _parsed(content: bytes) -> dict[str, str]:
    text = content.decode("utf-8", "replace")
    pairs = (line.partition("=") for line in text.split("\n") if "=" in line)
    return {name.strip(): value for name, _, value in pairs if name.strip()}


# ---------------------------------------------------------------------- in a container

_ENGINE = "docker"
_OUTPUTS = "/workspace/.delegate-outputs"
_SHOW_OUTPUTS = f'if [ -f {_OUTPUTS} ]; then while IFS= read -r line; do printf "%s\\n" "$line"; done <{_OUTPUTS}; fi'
"""Built-in commands only: the image may have no others."""


async def _in_container(params: Script, image: str, context: TaskContext) -> TaskResult:
    """The same in a container; a second one of the same image reads the outputs, which are on the engine's disk."""
    try:
        engine = context.engine(_ENGINE)
    except EngineError as error:
        return TaskResult.rejected(f"the script asks for the image {image}: {error}")
    container = Container(image=image, pull=params.pull)
    step = Step(
        name="script",
        commands=tuple(params.commands),
        shell=Shell(params.shell),
        environment={**params.environment, "DELEGATE_OUTPUT": _OUTPUTS},
        working_dir=params.working_directory,
        container=container,
    )
    reading = Step(name="outputs", commands=(_SHOW_OUTPUTS,), container=replace(container, pull=Pull.IF_NOT_EXISTS))
    try:
        async with engine.open(Stage(name="script", workspace=Workspace(base="/workspace")), context) as place:
            ending = await place.run(step, context.write)
            shown = bytearray()
            await place.run(reading, shown.extend)
    except EngineError as error:
        return TaskResult.failed(str(error))
    status, code, how = judged(ending)
    outputs = _parsed(bytes(shown.partition(b"\n")[2][:_OUTPUT_LIMIT]))
    return TaskResult.failed(how) if status is StepStatus.ERROR else _ended(code, how, outputs)
