"""What a step prints and shows, on its way to the server: live, stored, and as a card."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from delegate_drone.client import DroneClient
from delegate_drone.faults import AlreadyThere, DroneFault, NoStream
from delegate_drone.records.book import StageBook
from delegate_drone.records.patience import Patience, persist
from delegate_drone.wire import CardInput, LogLine

__all__ = ["StepOutput"]

_LOG = logging.getLogger(__name__)


class StepOutput:
    """One step's output.

    Args:
        client: of the stage's server.
        book: the stage's; the step has an id in it.
        number: the step's.
        patience: the pauses between tries.
    """

    def __init__(self, client: DroneClient, book: StageBook, number: int, patience: Patience | None = None) -> None:
        self._client = client
        self._book = book
        self._number = number
        self._patience = patience or Patience()

    async def send(self, lines: Sequence[LogLine]) -> bool:
        """Show lines live, as far as that works: one try. False: they were not shown, and need not be sent again.

        A server that was restarted knows no live log any more: it is opened anew.

        Raises:
            EndedElsewhere: that showed that the stage has ended.
        """
        try:
            return await self._send(lines) or (await self._book.reopen(self._number) and await self._send(lines))
        except DroneFault as fault:
            _LOG.info("step %d's lines are not shown live: %s", self._number, fault)
            return False

    async def _send(self, lines: Sequence[LogLine]) -> bool:
        try:
            await self._client.send_lines(self._id, lines)
        except NoStream:
            return False
        return True

    async def store(self, lines: Sequence[LogLine]) -> bool:
        """Store the whole log, trying until it is answered; False: it had been stored already."""
        try:
            await persist(lambda: self._client.upload(self._id, lines), self._patience)
        except AlreadyThere:
            return False
        return True

    async def show(self, card: CardInput) -> bool:
        """Send a card: one try. False: it is not shown; the log says why."""
        try:
            await self._client.send_card(self._id, card)
        except DroneFault as fault:
            _LOG.warning("the card of step %d is not shown: %s", self._number, fault)
            return False
        return True

    @property
    def _id(self) -> int:
        return self._book.record.step(self._number).row.id
