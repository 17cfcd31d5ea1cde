"""The poll loop: the manager's list of tasks, kept and claimed as slots get free, and its aborts."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import anyio

from delegate_core.model import Offer, Settled
from delegate_core.pacing import Pace
from delegate_core.runner import Inbox
from delegate_harness.wire import ABORT, TaskEvent

if TYPE_CHECKING:
    from delegate_harness.session import HarnessSession

__all__ = ["Poller", "Shunned"]

_KEPT = 8192
_VETOED_FOR = 60.0
_GONE_FIRST, _GONE_MOST = 2.0, 60.0


class Poller:
    """Polls one session.

    The manager lists a free task in every reply until somebody acquires it, and an abort in one reply only. So the
    loop goes on while all slots are taken, and each reply replaces the list of free tasks.

    Error handling: every fault goes up at once; the core waits and calls again. Nothing is lost by it, since aborts
    are passed on before anything else.
    """

    def __init__(self, session: HarnessSession, inbox: Inbox, *, interval: float) -> None:
        self._session = session
        self._inbox = inbox
        self._pace = Pace(idle=interval)
        self._shunned = session.shunned
        self._listed: dict[str, TaskEvent] = {}

    async def run(self) -> None:
        """Poll for ever."""
        while True:
            started = anyio.current_time()
            events = (await self._session.client.task_events(self._session.delegate_id)).events
            found = self._take(events, started)
            self._inbox.polled(found)
            gap = self._pace.polled(anyio.current_time(), found)
            await self._offer_until(started, gap, found)

    def _take(self, events: Iterable[TaskEvent], now: float) -> int:
        """Pass aborts on, and replace the list by the free tasks, those first for which somebody waits."""
        free: list[TaskEvent] = []
        for event in events:
            if event.event_type == ABORT:
                self._inbox.cancel(event.task_id, "aborted by the manager")
            elif event.task_id and not self._shunned.holds(event.task_id, now):
                free.append(event)
        free.sort(key=lambda event: not event.sync)
        self._listed = {event.task_id: event for event in free}
        return len(self._listed)

    async def _offer_until(self, started: float, gap: float, found: int) -> None:
        """Offer what is listed, more whenever a slot gets free, until the next poll is due.

        It is due early when the list is used up while slots are free: the manager may have more than it listed.
        """
        while True:
            self._offer()
            used_up = found > 0 and not self._listed and self._inbox.room() > 0
            with anyio.move_on_at(started + (self._pace.busy if used_up else gap)) as waiting:
                await self._inbox.wait_for_change()
            if waiting.cancelled_caught:
                return

    def _offer(self) -> None:
        for task_id, event in list(self._listed.items()):
            if self._inbox.room() < 1:
                return
            if self._inbox.submit(Offer(task_id, event.task_type), self._settled(task_id)):
                del self._listed[task_id]

    def _settled(self, task_id: str) -> Callable[[Settled], None]:
        return lambda what: self._shunned.add(task_id, what, anyio.current_time())


class Shunned:
    """Tasks that are not to be offered although the manager lists them: ours already, vetoed, or lately not to be had.

    What was claimed here is never claimed again, even if a reply that was under way lists it. What was not to be had
    may be free the next time, so it is tried again, later each time.
    """

    def __init__(self) -> None:
        self._until: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def holds(self, task_id: str, now: float) -> bool:
        """Whether to leave it."""
        return self._until.get(task_id, (0.0, 0.0))[0] > now

    def add(self, task_id: str, what: Settled, now: float) -> None:
        """Note what became of an offer."""
        delay = self._delay(task_id, what)
        self._until[task_id] = (now + delay, delay)
        self._until.move_to_end(task_id)
        while len(self._until) > _KEPT:
            self._until.popitem(last=False)

    def _delay(self, task_id: str, what: Settled) -> float:
        if what is Settled.CLAIMED:
            return float("inf")
        if what is Settled.VETOED:
            return _VETOED_FOR
        before = self._until.get(task_id, (0.0, 0.0))[1]
        return before if what is Settled.DUPLICATE else min(_GONE_MOST, max(_GONE_FIRST, 2 * before))
