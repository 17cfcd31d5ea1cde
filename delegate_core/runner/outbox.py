"""The outbox: results that the server has not got, and what an operator can do about them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from delegate_core.errors import SettingsError, StateError
from delegate_core.journal import Journal
from delegate_core.model import Entry, Phase, Session
from delegate_core.runner.core import Core
from delegate_core.runner.delivery import DROPPED
from delegate_core.runner.recovery import Recovery

__all__ = ["LeftOutbox", "Outbox", "RunningOutbox", "Treated", "chosen"]


@dataclass(frozen=True, slots=True)
class Treated:
    """What was done about one result."""

    task_id: str
    what: str


class Outbox(Protocol):
    """What can be done about undelivered results. ``ids`` are beginnings of task ids; none: all.

    Error handling: an id that means no result, or several, is a `StateError`, and nothing is done.
    """

    async def retry(self, ids: Sequence[str]) -> list[Treated]:
        """Try to deliver them now, also those that were kept aside."""

    async def drop(self, ids: Sequence[str]) -> list[Treated]:
        """Give them up for good."""


def chosen(entries: Sequence[Entry], ids: Sequence[str]) -> list[Entry]:
    """The entries whose task ids begin so; all of them where no id is given.

    Raises:
        StateError: an id means none of them, or several.
        SettingsError: an id is empty, as a shell's variable is that was never set.
    """
    if not ids:
        return list(entries)
    found = [_one(entries, prefix) for prefix in ids]
    return list({entry.number: entry for entry in found}.values())


def _one(entries: Sequence[Entry], prefix: str) -> Entry:
    if not prefix:
        raise SettingsError("an empty id means no result; see `delegate outbox list`")
    found = [entry for entry in entries if entry.task_id.startswith(prefix)]
    exact = [entry for entry in found if entry.task_id == prefix]
    if len(exact or found) == 1:
        return (exact or found)[0]
    if not found:
        raise StateError(f"no undelivered result of a task {prefix}; see `delegate outbox list`")
    raise StateError(f"{prefix} is the beginning of {len(found)} ids; write more of it")


class RunningOutbox:
    """That of a running runner: what is tried again is delivered by it, beside its tasks."""

    def __init__(self, core: Core, recovery: Recovery, session: Callable[[], Session | None]) -> None:
        self._core = core
        self._recovery = recovery
        self._session = session

    async def retry(self, ids: Sequence[str]) -> list[Treated]:
        """Cut short the pause before the next try, or take up what was kept aside."""
        return [Treated(entry.task_id, await self._retry(entry)) for entry in chosen(self._core.journal.outbox(), ids)]

    async def drop(self, ids: Sequence[str]) -> list[Treated]:
        """Stop trying."""
        return [Treated(entry.task_id, self._drop(entry)) for entry in chosen(self._core.journal.outbox(), ids)]

    async def _retry(self, entry: Entry) -> str:
        core, session = self._core, self._session()
        waiting = core.waiting.get(entry.number)
        if waiting is not None:
            waiting.hurry()
            return "is tried now"
        if entry.task_id in core.taken:
            return "is on its way"
        core.journal.owe_again(entry.number)
        if session is None:
            return "is tried when the runner has registered"
        if await self._taken_over(session, replace(entry, phase=Phase.FINISHED)):
            return "is tried now"
        return f"belongs to account {entry.session.account} at {entry.session.server}; start a runner for that one"

    async def _taken_over(self, session: Session, entry: Entry) -> bool:
        """Set it on its way, as one that is: a second order must not do so too."""
        self._core.taken.add(entry.task_id)
        taken = False
        try:
            taken = await self._recovery.take_over(session, entry)
        finally:
            if not taken:
                self._core.taken.discard(entry.task_id)
        return taken

    def _drop(self, entry: Entry) -> str:
        waiting = self._core.waiting.get(entry.number)
        if waiting is not None:
            waiting.drop(DROPPED)
        else:
            self._core.given_up.add(entry.number)
            self._core.unsettled.discard(entry.task_id)
            self._core.journal.drop(entry.number, DROPPED)
        return DROPPED


class LeftOutbox:
    """That of a runner that does not run: what is to be tried again, the next start delivers."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    async def retry(self, ids: Sequence[str]) -> list[Treated]:
        """Have the next start try."""
        entries = chosen(self._journal.outbox(), ids)
        for entry in entries:
            self._journal.owe_again(entry.number)
        return [Treated(entry.task_id, "is tried at the runner's next start") for entry in entries]

    async def drop(self, ids: Sequence[str]) -> list[Treated]:
        """Have no start try."""
        entries = chosen(self._journal.outbox(), ids)
        for entry in entries:
            self._journal.drop(entry.number, DROPPED)
        return [Treated(entry.task_id, DROPPED) for entry in entries]
