"""The script of a step, as an archive that is put into its container before it starts.

So no command and no account for git is in the container's arguments or environment, which everybody may read who may
ask the engine.
"""

from __future__ import annotations

import io
import shlex
import tarfile

from delegate_core.engines.netrc import netrc_line
from delegate_core.engines.scripts import argv, script, suffix
from delegate_core.pipeline.spec import Netrc, Shell, Step

__all__ = ["entrypoint", "script_archive"]

_FOLDER = ".delegate"


def entrypoint(step: Step) -> list[str]:
    """The command line that runs a step's script."""
    return list(argv(step.shell, f"/{_FOLDER}/script{suffix(step.shell)}"))


def script_archive(step: Step, netrc: Netrc | None) -> bytes:
    """An archive to be unpacked at the container's root.

    It ends with its end mark. What else tar would fill its last record with, Podman does not read, and then says that
    its pipe was broken.
    """
    text = _text(step, netrc).encode("utf-8", "surrogateescape")
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w") as archive:
        folder = tarfile.TarInfo(_FOLDER)
        folder.type, folder.mode = tarfile.DIRTYPE, 0o755
        archive.addfile(folder)
        file = tarfile.TarInfo(f"{_FOLDER}/script{suffix(step.shell)}")
        file.size, file.mode = len(text), 0o644  # whatever user the step runs as has to read it
        archive.addfile(file, io.BytesIO(text))
    return written.getvalue()[: archive.offset]


def _text(step: Step, netrc: Netrc | None) -> str:
    commands = script(step.commands, step.shell)
    account = "" if netrc is None else netrc_line(netrc)
    if step.shell is Shell.PWSH:
        return (_powershell_netrc(account) if account else "") + commands
    # The engine has a pipe for each of the two streams, and would mix up the order of their lines.
    return "exec 2>&1\n" + (_posix_netrc(account) if account else "") + commands


def _posix_netrc(line: str) -> str:
    """Built-in commands only. A home that cannot be written is no reason to fail: git then asks in vain."""
    write = f'umask 077 && printf %s {shlex.quote(line)} >"${{HOME:-/root}}/.netrc"'
    return f"( {write} ) 2>/dev/null || :\n"


def _powershell_netrc(line: str) -> str:
    quoted = line.replace("'", "''")
    return f"try {{ [IO.File]::WriteAllText((Join-Path $HOME '.netrc'), '{quoted}') }} catch {{ }}\n"
