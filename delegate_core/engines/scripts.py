"""A step's commands as one shell script. Pure: every engine that runs commands makes its scripts here.

The script stops at the first command that fails. Each command is announced by a line ``+ command``, which shows its
text and executes nothing of it. All commands share one shell: a changed folder or an exported variable carries over,
and a construct (a loop, a function) may be spread over several commands. So a command that is open at its end, as by a
here-document without its last line, takes what follows for its own; only a line that is continued at its end does not.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from delegate_core.pipeline.spec import Shell

__all__ = ["argv", "script", "suffix"]

_POSIX: Final = "set -e\n"
_POWERSHELL: Final = "$ErrorActionPreference = 'Stop'\n$global:LastExitCode = 0\n"
_POWERSHELL_CHECK: Final = "if ($LastExitCode -gt 0) { exit $LastExitCode }\n"

_POWERSHELL_QUOTES: Final = re.compile("['\u2018\u2019\u201a\u201b]")
"""All of them end a text in single quotes there; doubled, each stands for itself."""


def script(commands: Sequence[str], shell: Shell, *, trace: bool = True) -> str:
    """The text of the script, to be written as UTF-8 without any change of its line ends.

    Args:
        commands: what to run, one after the other; each may have several lines.
        shell: what will read it.
        trace: announce each command before it runs.
    """
    if shell is Shell.PWSH:
        return _POWERSHELL + "".join(_powershell(command, trace=trace) for command in commands)
    return _POSIX + "".join(_posix(command, trace=trace) for command in commands)


def argv(shell: Shell, file: str | Path) -> tuple[str, ...]:
    """The command line that runs a script in this file, whose name should end with `suffix`.

    ``sh`` is where POSIX systems have it, so that a step may set its PATH to anything; the others are looked for.
    """
    match shell:
        case Shell.SH:
            return ("/bin/sh", str(file))
        case Shell.BASH:
            return ("bash", str(file))
        case Shell.PWSH:
            return ("pwsh", "-NoLogo", "-NoProfile", "-NonInteractive", "-File", str(file))


def suffix(shell: Shell) -> str:
    """What the name of a script's file has to end with: PowerShell runs no file of another name."""
    return ".ps1" if shell is Shell.PWSH else ""


def _posix(command: str, *, trace: bool) -> str:
    # A failing announcement, as where the step has closed its output, is no failure of the step.
    announcement = f"printf '%s\\n' {_posix_quoted(_shown(command))} || :\n" if trace else ""
    return f"\n{announcement}{_closed(command)}"


def _powershell(command: str, *, trace: bool) -> str:
    # Not Write-Output: in a construct over several commands, its text would become a part of the data.
    announcement = f"Write-Host {_powershell_quoted(_shown(command))}\n" if trace else ""
    return f"\n{announcement}{_closed(command)}{_POWERSHELL_CHECK}"


def _shown(command: str) -> str:
    return "+ " + command.rstrip("\n")


def _closed(command: str) -> str:
    """The command and an empty line: what a backslash (or in PowerShell a backtick) at its end continues with."""
    return f"{command}\n\n"


def _posix_quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


def _powershell_quoted(text: str) -> str:
    return "'" + _POWERSHELL_QUOTES.sub(r"\g<0>\g<0>", text) + "'"
