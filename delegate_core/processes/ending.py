"""End a tree of processes: SIGTERM, a grace, SIGKILL, until none is left."""

import os
import signal
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

import anyio

from delegate_core.processes.identity import ProcessIdentity, checked_mark
from delegate_core.processes.table import Entry, boot_id, pinned
from delegate_core.processes.tree import Tree

__all__ = ["Ending", "Members", "end_leftovers", "end_tree", "wait_gone"]

_KILL_PATIENCE = 5.0
"""Seconds for the kernel to end what got SIGKILL; what takes longer hangs in it, or is another user's."""


class Members(Protocol):
    """Processes that belong together."""

    async def find(self) -> frozenset[Entry]:
        """Those that live now, never this process itself."""


@dataclass(frozen=True, slots=True)
class Ending:
    """What it took: how many were ended, whether SIGKILL was needed, how many are still there."""

    ended: int = 0
    killed: bool = False
    survivors: int = 0


async def end_leftovers(leftover: ProcessIdentity | str, grace: float) -> int:
    """End what is left of a start whose runner is gone; for one not yet journaled, its mark is enough.

    Never touches a process that merely got the pid of the old one, and nothing after a reboot. Takes at most
    the grace and five seconds more; may be cancelled and called again.

    Args:
        leftover: the identity of the main process, or the mark it was started with.
        grace: seconds between SIGTERM and SIGKILL.

    Returns:
        The number of processes that were ended.
    """
    if isinstance(leftover, str):
        return (await end_tree(Tree(checked_mark(leftover)), grace)).ended
    if leftover.boot_id != boot_id():
        return 0
    return (await end_tree(Tree(leftover.mark, (leftover.pid, leftover.start_time)), grace)).ended


async def end_tree(tree: Members, grace: float, group: int | None = None) -> Ending:
    """End all of a tree, within the grace and five seconds more.

    Args:
        tree: what to end.
        grace: seconds between SIGTERM and SIGKILL.
        group: the process group of our own child that is not reaped yet. It is signalled as a whole, which
            also reaches what is forked at this moment; a group not held like this could be another's by then.
    """
    terminated: set[Entry] = set()
    with anyio.move_on_after(grace):
        await _sweep(tree, signal.SIGTERM, group, terminated)
        return Ending(len(terminated))
    killed: set[Entry] = set()
    with anyio.move_on_after(_KILL_PATIENCE):
        await _sweep(tree, signal.SIGKILL, group, killed)
        return Ending(len(terminated | killed), bool(killed))
    survivors = await tree.find()
    return Ending(len((terminated | killed) - survivors), True, len(survivors))


async def wait_gone(members: frozenset[Entry], own_child: int | None = None) -> None:
    """Wait until all of them have exited.

    Given our own child, the others of its tree that this process adopted are reaped. Not so without one: the tree
    is an earlier runner's, and a child of this process in it is one that somebody else here waits for.
    """
    for entry in members:
        with pinned(entry) as descriptor:
            if descriptor is None:
                continue
            await anyio.wait_readable(descriptor)
            if own_child is not None and entry.pid != own_child:
                _reap_adopted(descriptor)


async def _sweep(tree: Members, number: signal.Signals, group: int | None, signalled: set[Entry]) -> None:
    """Signal each member and wait for it; again for those that were forked meanwhile. Adds to `signalled`.

    Nobody is signalled twice: some programs take a second SIGTERM for impatience and drop their cleaning up.
    """
    while members := await tree.find():
        _signal(members, number, group)
        signalled |= members
        await wait_gone(members, own_child=group)


def _signal(members: frozenset[Entry], number: signal.Signals, group: int | None) -> None:
    """Send the signal, and SIGCONT after it: a stopped process acts on SIGTERM only when it goes on."""
    for each in (number, signal.SIGCONT):
        if group is not None and any(entry.group == group for entry in members):
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(group, each)
        for entry in members:
            if entry.group != group:
                _signal_one(entry, each)


def _signal_one(entry: Entry, number: signal.Signals) -> None:
    with pinned(entry) as descriptor, suppress(ProcessLookupError, PermissionError):
        if descriptor is not None:
            signal.pidfd_send_signal(descriptor, number)


def _reap_adopted(descriptor: int) -> None:
    """Reap an orphan that became our child: we are the first process of a container, or a subreaper."""
    with suppress(ChildProcessError):
        os.waitid(os.P_PIDFD, descriptor, os.WEXITED | os.WNOHANG)
