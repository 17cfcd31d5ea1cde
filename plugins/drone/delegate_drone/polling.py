"""Long polls for stages: one a pipeline type, open for as long as there is room for that type."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import anyio

from delegate_core.backoff import Backoff
from delegate_core.model import Offer, Settled
from delegate_core.runner import Inbox
from delegate_drone.client import DroneClient
from delegate_drone.faults import DroneFault
from delegate_drone.wire import Filter, Stage

__all__ = ["Poller"]

_log = logging.getLogger(__name__)

_SOON = 0.5
"""Seconds: an empty answer that comes sooner was no long poll, and must not become a hot loop."""


class Poller:
    """Asks the server for stages of some types.

    Resource handling: a poll holds no slot. When the last one is taken elsewhere the poll is given up, so that the
    server does not offer a stage to somebody who cannot take it. The next poll is opened as soon as the server has
    answered the accept of what this one brought.

    Error handling: whatever goes wrong is logged and waited out with a growing, jittered back-off. Only a cancellation
    ends it.

    Args:
        client: of the session.
        inbox: where offers go.
        filters: what to ask for, one poll each.
    """

    def __init__(self, client: DroneClient, inbox: Inbox, filters: Sequence[Filter]) -> None:
        self._client = client
        self._inbox = inbox
        self._filters = filters

    async def run(self) -> None:
        """Poll for ever."""
        async with anyio.create_task_group() as group:
            for wanted in self._filters:
                group.start_soon(self._poll_for, wanted)

    async def _poll_for(self, wanted: Filter) -> None:
        faults, hurries = Backoff(), Backoff(first=0.1, most=10.0)
        while True:
            await self._inbox.wait_for_room(wanted.type)
            begun = anyio.current_time()
            try:
                stage = await self._while_there_is_room(wanted)
            except DroneFault as fault:
                delay = faults.next(fault.after)
                self._inbox.failed(fault)
                _log.warning("polling for %s: %s; trying again in %.1fs", wanted.type, fault, delay)
                await anyio.sleep(delay)
                continue
            faults.reset()
            if await self._is_settled(wanted, stage, waited=anyio.current_time() - begun):
                hurries.reset()
            else:
                await anyio.sleep(hurries.next())

    async def _while_there_is_room(self, wanted: Filter) -> Stage | None:
        """What one poll brings; None too where it was given up."""
        stage: Stage | None = None
        fault: DroneFault | None = None
        async with anyio.create_task_group() as race:

            async def give_up() -> None:
                await self._inbox.wait_until_full(wanted.type)
                race.cancel_scope.cancel()

            race.start_soon(give_up)
            try:
                stage = await self._client.request(wanted)
                self._inbox.polled(0 if stage is None else 1)
            except DroneFault as error:
                fault = error  # raised outside, where no group wraps it
            race.cancel_scope.cancel()
        if fault is not None:
            raise fault
        return stage

    async def _is_settled(self, wanted: Filter, stage: Stage | None, *, waited: float) -> bool:
        """Whether to ask again at once. Not so when the server would only say the same again."""
        if stage is None:
            return waited >= _SOON or self._inbox.room(wanted.type) == 0
        offer = Offer(str(stage.id), wanted.type, {"build_id": stage.build_id})
        return await self._inbox.offer(offer) in {Settled.CLAIMED, Settled.NO_ROOM}
