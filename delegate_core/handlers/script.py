"""The built-in handler of task type ``script``: shell commands in a folder of their own."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator

from delegate_core.handlers.context import TaskContext
from delegate_core.handlers.function import handler
from delegate_core.model import JsonValue, TaskResult
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
    """

    model_config = ConfigDict(extra="forbid")

    commands: Annotated[list[str], BeforeValidator(_lines), Field(min_length=1)]
    shell: str = "sh"
    environment: dict[str, str] = {}
    working_directory: str = "."
    trace: bool = True

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
    outputs = context.folder / "outputs"
    outputs.touch(mode=0o600)
    try:
        ended = await context.run(_process(params, context, outputs))
    except ProcessStartError as error:
        return TaskResult.failed(str(error))
    return _result(ended, _read_outputs(outputs))


def _process(params: Script, context: TaskContext, outputs: Path) -> ProcessSpec:
    file = context.folder / "script"
    posix = Path(params.shell).name in _POSIX_SHELLS
    file.write_text(_text(params, posix=posix), encoding="utf-8", newline="")
    return ProcessSpec(
        argv=[params.shell, *(["-e"] if posix else []), str(file)],
        cwd=_working_directory(params, context),
        env=context.environment({**params.environment, "DELEGATE_OUTPUT": str(outputs)}),
        grace=float("inf"),  # as long as the runner allows
    )


def _working_directory(params: Script, context: TaskContext) -> Path:
    own = context.folder / "work"
    own.mkdir(mode=0o700, exist_ok=True)
    return own / params.working_directory


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
    data: JsonValue = {"exit_code": ended.exit_code, "outputs": {**outputs}}
    if ended.exit_code == 0:
        return TaskResult.succeeded(data)
    how = f"ended by signal {ended.signal}" if ended.signal else f"exit status {ended.exit_code}"
    return TaskResult.failed(how, data)


def _read_outputs(file: Path) -> dict[str, str]:
    """The ``name=value`` lines; the last one of a name counts, and what is no such line is passed over.

    The script may have removed the file, or put something in its place whose reading would never end.
    """
    if not file.is_file():
        return {}
    with file.open("rb") as opened:
        text = opened.read(_OUTPUT_LIMIT).decode("utf-8", "replace")
    pairs = (line.partition("=") for line in text.split("\n") if "=" in line)
    return {name.strip(): value for name, _, value in pairs if name.strip()}
