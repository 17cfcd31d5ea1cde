"""The end of a runner's work: nothing new, what runs is finished or ended, what is owed is delivered."""

from __future__ import annotations

import logging
import time

import anyio

from delegate_core.model import CancelCause
from delegate_core.runner.calls import describe
from delegate_core.runner.connection import Connection
from delegate_core.runner.core import Core
from delegate_core.runner.ending import Ending
from delegate_core.runner.intake import Intake
from delegate_core.runner.states import States

__all__ = ["LAST_WORDS", "WindingDown", "leave_behind"]

_log = logging.getLogger(__name__)

LAST_WORDS = 5.0
"""Seconds of a drain that are kept for delivering and saying goodbye after the running tasks were ended."""


class WindingDown:
    """A drain, or a stop, of a runner that takes no task any more."""

    def __init__(self, core: Core, intake: Intake, connection: Connection, ending: Ending, states: States) -> None:
        self._core = core
        self._intake = intake
        self._connection = connection
        self._ending = ending
        self._states = states

    async def run(self) -> None:
        """Let running tasks finish, or end them; then deliver, all within ``drain_timeout`` seconds."""
        core, limit = self._core, self._core.settings.drain_timeout
        self._states.enter("draining", self._ending.reason)
        deadline = anyio.current_time() + limit
        self._states.drained_by = time.monotonic() + limit
        async with anyio.create_task_group() as group:
            group.start_soon(self._end_tasks, limit, deadline)
            with anyio.move_on_at(deadline):
                await core.wait_until(lambda: not core.taken and not core.logs_open)
            group.cancel_scope.cancel()
        leave_behind(core, self._ending)

    async def _end_tasks(self, limit: float, deadline: float) -> None:
        """Wait for a stop, or for the drain's time less what ending needs; then cancel what runs."""
        running, cancelling = self._core.executions, self._ending.cancelling
        needed = min(self._core.settings.grace + LAST_WORDS, limit / 2)
        with anyio.move_on_at(deadline - needed):
            await cancelling.wait()
        cut_short = bool(running) and not cancelling.is_set()
        if running:
            self._states.enter("stopping", self._ending.reason)
            _log.warning("the runner stops; cancelled: %s", ", ".join(sorted(running)))
        self._intake.stop(CancelCause.STOPPED)
        if cut_short:
            self._ending.spoil(f"tasks still ran near the end of the drain's {limit:g}s and were cancelled")

    async def say_goodbye(self) -> None:
        """Deregister, unless the server would end by it what we still owe."""
        session = self._connection.session
        if session is None or self._core.owed_ids:
            return
        with anyio.move_on_after(LAST_WORDS):
            try:
                await self._core.backend.deregister(session)
            except Exception as error:  # noqa: BLE001 - the server forgets us by itself
                _log.warning("could not deregister: %s", describe(error))


def leave_behind(core: Core, ending: Ending) -> None:
    """Name what is not settled, if anything is. It is in the journal; the next start sees to it."""
    owed = sorted(core.owed_ids)
    if owed:
        ids = ", ".join(owed[:5]) + (", …" if len(owed) > 5 else "")
        ending.spoil(
            f"tasks not settled with the server: {len(owed)} ({ids}); "
            f"start this runner again with the state folder {core.folder.path} to deliver them"
        )
