"""One runner's connection to one Drone server."""

from __future__ import annotations

import re
from contextlib import AsyncExitStack

from delegate_core.model import Registration, Session, SessionIdentity
from delegate_drone.client import DroneClient
from delegate_drone.watching import Watches

__all__ = ["DroneSession", "machine_name"]

_PING_INTERVAL = 30.0
"""Seconds between two pings. The server takes no heartbeats; a ping says whether it is there for a full runner too."""

_UNFIT = re.compile(r"[^\w.-]+")
_INSTANCE_SHOWN = 6


def machine_name(registration: Registration) -> str:
    """What the server knows us by: the runner's name, and enough of the instance to tell its namesakes apart.

    It has to be the same after a restart, and nobody else's: that a stage has our machine is how we know that it is
    ours when the reply to its accept was lost.
    """
    return f"{_UNFIT.sub('-', registration.name)}-{registration.instance[:_INSTANCE_SHOWN]}"


class DroneSession(Session):
    """A client, the name that we have there, and the watches of our builds, which outlive a session.

    The server has no accounts and no registrations, so a session is a server and a machine's name.
    """

    def __init__(
        self,
        client: DroneClient,
        address: str,
        registration: Registration,
        connections: AsyncExitStack,
        *,
        watches: Watches,
        wanted: str = "",
    ) -> None:
        self.client = client
        self._connections = connections
        self.machine = machine_name(registration)
        self.task_types = registration.task_types
        self.watches = watches
        super().__init__(
            SessionIdentity(server=address, account="drone", runner_id=self.machine),
            heartbeat_interval=_PING_INTERVAL,
            description=f"machine {self.machine} at {address}",
            wanted=wanted,
        )

    async def aclose(self) -> None:
        """Close the connections, to the server and to whatever else stages need."""
        await self._connections.aclose()
