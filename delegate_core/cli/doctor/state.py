"""The state folder, and the runner that has it."""

from __future__ import annotations

import stat
import tempfile
from pathlib import Path

import anyio.to_thread

from delegate_core.control import NoRunner, Order, ask
from delegate_core.diagnosis import Finding
from delegate_core.errors import DelegateError, StateError
from delegate_core.history import History
from delegate_core.settings import format_duration
from delegate_core.soundness import damage, is_there
from delegate_core.statefolder import JOURNAL_FILE, StateFolder

__all__ = ["beside", "nearest_folder", "state_folder"]

_PATIENCE = 3.0


async def state_folder(folder: Path) -> Finding:
    """Whether it can be written, nobody else may read it, and its journal can be read."""
    return await anyio.to_thread.run_sync(_look, folder, abandon_on_cancel=True)


def _look(folder: Path) -> Finding:
    place = nearest_folder(folder)
    cure = f"give this user the right to write in {place}, or choose another with --state-dir"
    if folder.exists() and not folder.is_dir():
        return Finding.problem(f"{folder} is no folder", "choose another with --state-dir", code=StateError.exit_code)
    try:
        with tempfile.TemporaryFile(dir=place):  # has no name on Linux, so it leaves nothing whatever happens
            pass
        mode = stat.S_IMODE(place.stat().st_mode)
    except OSError as error:
        return Finding.problem(f"cannot write in {place}: {error.strerror}", cure, code=StateError.exit_code)
    if place != folder:
        return Finding.ok(f"{folder} is not there yet; a start makes it")
    if mode & 0o077:
        return Finding.warning(f"others may look into {folder} (mode {mode:o})", f"chmod 700 {folder}")
    return _journal(folder)


def _journal(folder: Path) -> Finding:
    try:
        there = is_there(folder / JOURNAL_FILE)
    except StateError as unreachable:
        return Finding.of_text(str(unreachable), code=unreachable.exit_code)
    if not there:
        return Finding.ok(f"{folder}, nothing in it yet")
    if error := damage(folder / JOURNAL_FILE):
        return Finding.problem(
            f"the journal {folder / JOURNAL_FILE} cannot be read, it is damaged: {error}",
            f"`delegate outbox mend --state-dir {folder}` saves what can be read of it",
            code=StateError.exit_code,
        )
    owed = len(History(folder).outbox())
    if owed:
        return Finding.warning(
            f"{folder}: {owed} results are not delivered", "see `delegate outbox list`; a running runner delivers them"
        )
    return Finding.ok(f"{folder}, everything delivered")


async def beside(folder: Path) -> Finding:
    """Whether a runner has the folder, and how it is."""
    return await anyio.to_thread.run_sync(_ask, folder, abandon_on_cancel=True)


def _ask(folder: Path) -> Finding:
    owner = StateFolder(folder).owner()
    if owner is None:
        return Finding.ok("none runs with this state folder")
    try:
        answer = ask(folder, Order(do="status"), timeout=_PATIENCE)
    except NoRunner:
        return Finding.warning(
            f"process {owner} has the state folder and takes no orders", "it starts or leaves; look again in a moment"
        )
    except DelegateError as error:
        return Finding.of_text(f"process {owner} has the state folder: {error}")
    stands = f"process {answer.pid} is {answer.standing or answer.state}"
    why = f": {answer.why}" if answer.why else ""
    seen = stands + ("" if answer.since is None else f" for {format_duration(round(answer.since))}") + why
    if answer.ready and answer.standing not in _CURES:
        return Finding.ok(seen)
    return Finding.problem(seen, _CURES.get(answer.standing, "see what else is found here, and its log"))


_CURES = {
    "paused": "`delegate resume` has it take tasks again",
    "maintenance": "`delegate maintenance off` has it take tasks again",
    "draining": "it leaves when what runs is done; start another then",
    "stopping": "it leaves; start another then",
    "unauthorized": "correct the secret or token, here or on the server",
    "offline": "see below what is wrong on the way to the server",
}


def nearest_folder(path: Path) -> Path:
    """The folder itself, or the one in which it would be made."""
    path = path.absolute()
    return next((each for each in (path, *path.parents) if each.is_dir()), Path("/"))
