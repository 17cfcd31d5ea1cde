"""The poll loop: the manager's list of tasks, kept and claimed as slots get free, and its aborts."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

import anyio

from delegate_core.model import Offer, Settled
from delegate_core.pacing import Pace
from delegate_core.runner import Inbox
from delegate_harness.aborts import Aborts
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
    loop goes on while all slots are taken, and each reply replaces the list of free tasks; while a reply is awaited,
    tasks of the last list are offered. When the list is used up while slots are free it polls again at once, as long
    as that brings tasks.

    Error handling: every fault goes up at once; the core waits and calls again. Nothing is lost by it, since aborts
    are passed on before anything else.
    """

    def __init__(
        self, session: HarnessSession, inbox: Inbox, shunned: Shunned, aborts: Aborts, *, interval: float
    ) -> None:
        self._session = session
        self._inbox = inbox
        self._pace = Pace(idle=interval)
        self._shunned = shunned
        self._aborts = aborts
        self._listed: dict[str, TaskEvent] = {}
        self._offered: set[str] = set()
        """Offers that are not settled yet."""
        self._eager = True
        """Whether polling again at once has paid lately."""

    async def run(self) -> None:
        """Poll for ever."""
        early = False
        while True:
            started = anyio.current_time()
            new = await self._poll(started)
            gap = self._gap(new)
            if early:
                self._eager = new > 0
            elif new > 1 or gap > self._pace.busy:
                self._eager = True
            # A manager that takes longer than the gap has a pause as well.
            due = max(started + gap, anyio.current_time() + self._pace.busy)
            early = await self._offer_until(due, eager=self._eager and bool(self._listed))

    async def _poll(self, now: float) -> int:
        """Take over what the manager lists; how many tasks it had not listed before."""
        events = await self._ask()
        known = self._listed.keys()
        self._take(events, now)
        self._inbox.polled(len(self._listed))
        return len(self._listed.keys() - known)

    async def _ask(self) -> Sequence[TaskEvent]:
        """What the manager lists. Its answer may take long: meanwhile free slots are filled from the last list."""
        fault: Exception | None = None
        events: Sequence[TaskEvent] = ()
        async with anyio.create_task_group() as group:
            group.start_soon(self._keep_offering)
            try:
                events = (await self._session.client.task_events(self._session.delegate_id)).events
            except Exception as error:  # noqa: BLE001 - raised outside, where no group wraps it
                fault = error
            group.cancel_scope.cancel()
        if fault is not None:
            raise fault
        return events

    async def _keep_offering(self) -> None:
        while True:
            self._offer()
            await self._inbox.wait_for_change()

    def _take(self, events: Iterable[TaskEvent], now: float) -> None:
        """Pass aborts on, and replace the list by the free tasks, those first for which somebody waits."""
        free: list[TaskEvent] = []
        for event in events:
            if not event.task_id:
                continue
            if event.event_type == ABORT:
                self._aborts.add(event.task_id)
                self._inbox.cancel(event.task_id, "aborted by the manager")
            elif not self._shunned.holds(event.task_id, now):
                free.append(event)
        free.sort(key=lambda event: not event.sync)
        self._listed = {event.task_id: event for event in free}

    def _gap(self, new: int) -> float:
        """Seconds between two polls: short only where new tasks come that could be taken."""
        return self._pace.polled(anyio.current_time(), new if self._inbox.room() > 0 else 0)

    async def _offer_until(self, due: float, *, eager: bool) -> bool:
        """Offer what is listed, more whenever a slot gets free, until the next poll is due.

        If ``eager``, that is when the list is used up, and each offer settled, while slots are free: the manager may
        have more than it listed. Returns whether it was that.
        """
        while True:
            self._offer()
            used_up = not self._listed and not self._offered
            if eager and used_up and self._inbox.room() > 0:
                return True
            with anyio.move_on_at(due) as waiting:
                await self._inbox.wait_for_change()
            if waiting.cancelled_caught:
                return False

    def _offer(self) -> None:
        if not self._listed or self._inbox.room() < 1:
            return
        for task_id, event in list(self._listed.items()):
            if self._inbox.room() < 1:
                return
            if self._submit(event):
                del self._listed[task_id]

    def _submit(self, event: TaskEvent) -> bool:
        """Offer one task; False: no room for its type."""
        task_id = event.task_id
        self._offered.add(task_id)
        taken = self._inbox.submit(Offer(task_id, event.task_type), self._settled(task_id))
        if not taken:
            self._offered.discard(task_id)
        elif task_id in self._offered:
            self._shunned.offered(task_id)
        return taken

    def _settled(self, task_id: str) -> Callable[[Settled], None]:
        def settled(what: Settled) -> None:
            self._offered.discard(task_id)
            self._shunned.settled(task_id, what, anyio.current_time())
            if not self._offered:
                self._inbox.nudge()

        return settled


class Shunned:
    """Tasks that are not to be offered although the manager lists them: ours already, vetoed, or lately not to be had.

    What was claimed here is never claimed again, even if a reply that was under way lists it, or a session later.
    What was not to be had may be free the next time, so it is tried again, later each time. The latest 8192 are kept.
    """

    def __init__(self) -> None:
        self._until: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def holds(self, task_id: str, now: float) -> bool:
        """Whether to leave it."""
        return self._until.get(task_id, (0.0, 0.0))[0] > now

    def offered(self, task_id: str) -> None:
        """Leave it until its offer is settled."""
        self._keep(task_id, float("inf"), self._delay(task_id))

    def settled(self, task_id: str, what: Settled, now: float) -> None:
        """Note what became of an offer."""
        delay = self._delay(task_id)
        if what is Settled.CLAIMED:
            self._keep(task_id, float("inf"), delay)
        elif what is Settled.VETOED:
            self._keep(task_id, now + _VETOED_FOR, delay)
        else:
            delay = min(_GONE_MOST, max(_GONE_FIRST, 2 * delay))
            self._keep(task_id, now + delay, delay)

    def _delay(self, task_id: str) -> float:
        """How long it was left the last time that it was not to be had."""
        return self._until.get(task_id, (0.0, 0.0))[1]

    def _keep(self, task_id: str, until: float, delay: float) -> None:
        self._until[task_id] = (until, delay)
        self._until.move_to_end(task_id)
        while len(self._until) > _KEPT:
            self._until.popitem(last=False)
