"""The inbox: where a backend brings what the server offers and what it cancels."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from delegate_core.model import CancelCause, Offer, Session, Settled

if TYPE_CHECKING:
    from delegate_core.runner.intake import Intake
    from delegate_core.runner.slots import Slots

__all__ = ["Inbox"]


class Inbox:
    """One session's door to the core, given to ``fetch_tasks``."""

    def __init__(
        self,
        session: Session,
        *,
        slots: Slots,
        intake: Intake,
        cancel: Callable[[str, CancelCause, str], None],
        polled: Callable[[int], None],
        failed: Callable[[BaseException], None],
    ) -> None:
        self._session = session
        self._slots = slots
        self._intake = intake
        self._cancel = cancel
        self._polled = polled
        self._failed = failed

    def room(self, task_type: str | None = None) -> int:
        """How many tasks could be taken now, of one type or of any. 0 while full, paused or draining."""
        return self._slots.room(task_type)

    async def wait_for_room(self, task_type: str | None = None) -> None:
        """Wait until a task of this type, or of some type, could be taken."""
        await self._slots.wait_for_room(task_type)

    async def wait_until_full(self, task_type: str | None = None) -> None:
        """Wait until none could be taken any more: for a long poll, which is better given up then."""
        await self._slots.wait_until_full(task_type)

    async def wait_for_change(self) -> None:
        """Wait until a slot is given back, when room may have come for a type that had none, or for a `nudge`."""
        await self._slots.wait_for_change()

    def nudge(self) -> None:
        """Wake who waits for a change: for a backend with news of its own."""
        self._slots.change()

    async def offer(self, offer: Offer) -> Settled:
        """Claim an offer if there is room and no plugin vetoes it; return once that is settled.

        What follows, the task's execution and its report, goes on without the caller.
        """
        return await self._intake.offer(self._session, offer)

    def submit(self, offer: Offer, settled: Callable[[Settled], None] | None = None) -> bool:
        """The same without waiting: False if there is no room, else ``settled`` is called with the answer."""
        return self._intake.submit(self._session, offer, settled)

    def cancel(self, task_id: str, reason: str = "") -> None:
        """The server wants this task to end. Unknown ids are remembered: the task may be on its way here."""
        self._cancel(task_id, CancelCause.SERVER, reason)

    def polled(self, found: int = 0) -> None:
        """A poll was answered: the server is there, and listed so many tasks. Feeds readiness and the console."""
        self._polled(found)

    def failed(self, fault: BaseException) -> None:
        """A poll has failed, and the backend waits it out by itself. Shows until a call succeeds.

        A fault whose attribute ``refused`` is true says that the server refuses our secret or token.
        """
        self._failed(fault)
