"""Programs that a runner's tasks need."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping, Sequence

import anyio

from delegate_core.diagnosis.finding import Finding

__all__ = ["program"]

_LONGEST = 100


async def program(
    name: str, why: str, *, environ: Mapping[str, str], version: Sequence[str] = (), needed: bool
) -> Finding:
    """Whether a program is on the PATH, and starts.

    Args:
        name: of the program.
        why: what needs it, to go on after "needed": ``to clone repositories``.
        environ: the environment, with the PATH.
        version: arguments with which it says its version.
        needed: whether its absence is a problem, or a warning only.
    """
    found = shutil.which(name, path=environ.get("PATH", ""))
    tell = Finding.problem if needed else Finding.warning
    if found is None:
        return tell(f"{name} is not on the PATH", f"install {name}, needed {why}, or set the PATH of the service")
    if not version:
        return Finding.ok(found)
    try:
        done = await anyio.run_process([found, *version], check=False, stderr=subprocess.STDOUT)
    except OSError as error:
        return tell(f"{found} cannot be started: {error.strerror or error}", f"install {name} again, needed {why}")
    said = done.stdout.decode(errors="replace").strip().splitlines()
    shown = said[0][:_LONGEST] if said else ""
    if done.returncode != 0:
        return tell(f"{found} ends with status {done.returncode}: {shown}", f"install {name} again, needed {why}")
    return Finding.ok(f"{shown} ({found})")
