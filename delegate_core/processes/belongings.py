"""All that a user runs, however it was started: what no mark finds, the number of its user does."""

import os
from dataclasses import dataclass

import anyio
import anyio.to_thread

from delegate_core.processes.ending import Ending, end_tree
from delegate_core.processes.table import Entry, read_table, user_of
from delegate_core.processes.user import ProcessUser

__all__ = ["end_all_of", "processes_of"]


def processes_of(user: ProcessUser) -> frozenset[Entry]:
    """The processes of this user that live now. Blocks.

    Raises:
        ValueError: it is root, or this process's own user.
    """
    if user.uid in {0, os.getuid(), os.geteuid()}:
        raise ValueError(f"user {user} has more processes than those of tasks")
    found: set[Entry] = set()

    def note(entry: Entry) -> None:
        if not entry.dead and user_of(entry.pid) == user.uid:
            found.add(entry)

    read_table(note=note)
    return frozenset(found)


async def end_all_of(user: ProcessUser, grace: float) -> Ending:
    """End all that this user runs, within the grace and five seconds more. For a user whom nobody else has.

    Raises:
        ValueError: as `processes_of`.
    """
    return await end_tree(_OfUser(user), grace)


@dataclass(frozen=True, slots=True)
class _OfUser:
    """What `end_tree` is to end."""

    user: ProcessUser

    async def find(self) -> frozenset[Entry]:
        """None is an answer only when a second look confirms it: what forks and exits meanwhile hides its child."""
        return await anyio.to_thread.run_sync(
            lambda: processes_of(self.user) or processes_of(self.user), limiter=anyio.CapacityLimiter(1)
        )
