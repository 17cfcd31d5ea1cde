"""As whom the processes of tasks run: ``run_as`` of the settings."""

from __future__ import annotations

import logging
import os
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import anyio
import anyio.to_thread

from delegate_core.errors import SettingsError, StateError
from delegate_core.processes import ProcessUser, end_all_of, processes_of
from delegate_core.processes.privileges import children_gain_nothing, missing_for_users
from delegate_core.processes.rights import FolderError, is_supported, open_folder
from delegate_core.processes.table import Entry
from delegate_core.settings import RunnerSettings

__all__ = ["TaskUsers"]

_log = logging.getLogger(__name__)

_POOL = "pool-users"
"""In the state folder: the numbers of users that this runner has had for its tasks alone, a line each."""

_GRACE = 1.0
"""Seconds that daemons of a task have to end, after the task itself had its grace."""

_DUMPABLE = Path("/proc/sys/fs/suid_dumpable")


class TaskUsers:
    """The users of one runner's tasks: none of their own, one for all, or one for each task that runs.

    Args:
        users: the one for all, or as many as tasks may run at one time.
    """

    def __init__(self, users: Sequence[ProcessUser]) -> None:
        self.users = tuple(users)
        self._free = list(reversed(users))
        self._freed = anyio.Event()

    @classmethod
    def of(cls, settings: RunnerSettings, capacity: int) -> TaskUsers:
        """Those that the settings name, for so many tasks at one time.

        Raises:
            SettingsError: all that is wrong with them, or keeps this process from becoming one of them, a line each.
        """
        if not settings.run_as:
            return cls(())
        wrong: list[str] = []
        users = []
        for text in settings.run_as:
            try:
                users.append(_fit(ProcessUser.named(text)))
            except ValueError as error:
                wrong.append(f"run_as: {error}")
        wrong += _unable()
        if len({user.uid for user in users}) < len(users):
            wrong.append("run_as: a user is named twice; name each once, and as many as tasks may run at one time")
        if wrong:
            raise SettingsError("\n".join(wrong))
        made = cls(users)
        made.check(capacity)
        return made

    def check(self, capacity: int) -> None:
        """Whether there are enough for so many tasks.

        Raises:
            SettingsError: there are not.
        """
        if 1 < len(self.users) < capacity:
            raise SettingsError(
                f"run_as: {len(self.users)} users for {capacity} tasks at one time; name {capacity}, or one for all, "
                f"or set capacity to {len(self.users)}"
            )

    def prepare(self, work: Path, closed: Path) -> None:
        """Get ready for processes of other users; for the thread that starts them.

        Args:
            work: where the tasks' folders will be.
            closed: what these users must not get into.

        Raises:
            SettingsError: they cannot reach the one, or can reach the other.
        """
        for user in self.users:
            if not _reaches(user, work):
                raise SettingsError(
                    f"work_dir: user {user} cannot get through to {work}: allow that (chmod o+x) for the folders above "
                    "it, or choose another"
                )
            if _reaches(user, closed):
                raise SettingsError(f"run_as: user {user} can enter the state folder {closed}: chmod 0700 it")
        if self.users:
            children_gain_nothing()

    @property
    def pool(self) -> tuple[ProcessUser, ...]:
        """Those of whom each has one task at a time: what such a user runs is that task's."""
        return self.users if len(self.users) > 1 else ()

    async def claim(self, state: Path, grace: float) -> None:
        """Have the pool to ourselves: end what an earlier life of this state folder has left of it.

        Raises:
            SettingsError: somebody else uses one of them.
            StateError: the state folder does not take the record of it.
        """
        record = state / _POOL
        known = _recorded(record)
        for user in self.pool:
            if user.uid in known:
                await self._end_all(user, grace, "an earlier run")
            elif found := await anyio.to_thread.run_sync(processes_of, user):
                raise _taken(user, found)
        if self.pool:
            _write(record, known | {user.uid for user in self.pool})

    async def end_task(self, user: ProcessUser | None) -> int:
        """End whatever the user of a task still runs, if it is one of a pool; how many processes that were."""
        return await self._end_all(user, _GRACE, "a task") if user in self.pool and user is not None else 0

    async def _end_all(self, user: ProcessUser, grace: float, whose: str) -> int:
        ending = await end_all_of(user, grace)
        if ending.ended:
            _log.warning("ended %d processes of user %s that %s had left", ending.ended, user, whose)
        if ending.survivors:
            _log.error("%d processes of user %s could not be ended", ending.survivors, user)
        return ending.ended

    @asynccontextmanager
    async def one(self) -> AsyncIterator[ProcessUser | None]:
        """The user for one task; where each has its own, nobody else's meanwhile."""
        if len(self.users) < 2:
            yield self.users[0] if self.users else None
            return
        while not self._free:
            await self._freed.wait()
        user = self._free.pop()
        try:
            yield user
        finally:
            self._free.append(user)
            self._freed.set()
            self._freed = anyio.Event()


def _recorded(record: Path) -> set[int]:
    with suppress(FileNotFoundError):
        return {int(line) for line in record.read_text("ascii").splitlines() if line.isdecimal()}
    return set()


def _write(record: Path, users: set[int]) -> None:
    try:
        record.touch(0o600)
        record.write_text("".join(f"{user}\n" for user in sorted(users)), "ascii")
    except OSError as error:
        raise StateError(f"cannot write {record}: {error.strerror}") from error


def _fit(user: ProcessUser) -> ProcessUser:
    """The user itself.

    Raises:
        ValueError: it would separate nothing.
    """
    if user.uid == 0:
        raise ValueError("root may do everything: name a user without rights")
    if user.uid == os.geteuid():
        raise ValueError(f"{user} is the runner's own user, from whom nothing is kept: name another, or leave it out")
    if 0 in user.groups:
        raise ValueError(f"{user} is in root's group: take it out, or name it as {user}:GROUP with a group of its own")
    return user


def _taken(user: ProcessUser, found: Collection[Entry]) -> SettingsError:
    one = min(entry.pid for entry in found)
    what = f"process {one}" if len(found) == 1 else f"{len(found)} processes, such as {one}"
    return SettingsError(
        f"run_as: user {user} already has {what}: what a user of several runs is ended with its task, so it must be "
        "nobody else's, nor that of a container; end them, or name another"
    )


def _unable() -> list[str]:
    """Why this process cannot have others run as another user."""
    if not is_supported():
        return ["run_as: not known for this kind of processor; run tasks in containers instead"]
    if missing := missing_for_users():
        what = f"run_as: this process may not become another user: it lacks {', '.join(missing)}"
        return [f"{what}; start the runner as root (in a container with --cap-add SYS_PTRACE)"]
    if _suid_dumpable() == "1":
        return ["run_as: users may look into processes that become theirs: set sysctl fs.suid_dumpable to 0 or 2"]
    return []


def _suid_dumpable() -> str:
    try:
        return _DUMPABLE.read_text("ascii").strip()
    except OSError:
        return ""


def _reaches(user: ProcessUser, folder: Path) -> bool:
    try:
        os.close(open_folder(folder, user))
    except FolderError:
        return False
    except OSError as error:
        raise SettingsError(f"run_as: the rights of user {user} cannot be taken on: {error.strerror}") from None
    return True
