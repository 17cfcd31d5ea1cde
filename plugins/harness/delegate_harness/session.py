"""One delegate's connection to one manager: who we are there, and the calls in our name."""

from __future__ import annotations

import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import anyio
import anyio.to_thread

from delegate_core.model import Registration, Session, SessionIdentity
from delegate_harness.client import ManagerClient

__all__ = ["HarnessSession", "Identity", "identify"]


@dataclass(frozen=True, slots=True)
class Identity:
    """What the manager knows a delegate by: account, host name and address.

    The host name carries the runner's name, so that two runners on one host are two delegates. ``instance`` is the
    delegate instance id: one per state folder, for only the same instance gets a task it acquired a second time.
    """

    name: str
    host: str
    address: str
    instance: str


async def identify(registration: Registration, base: str) -> Identity:
    """This runner's identity towards the manager at ``base``."""
    host = socket.gethostname().replace(" ", "-")
    name = registration.name
    # A default name is the host's own: said once is enough.
    full = host if name == host else f"{host}-{name.replace(' ', '-')}"
    # In a thread: it may have to wait for a name server.
    address = await anyio.to_thread.run_sync(_own_address, base, abandon_on_cancel=True)
    return Identity(name, full, address, registration.instance)


def _own_address(base: str) -> str:
    """The address that packets to the manager leave from; no packet is sent for that."""
    parts = urlsplit(base)
    try:
        found = socket.getaddrinfo(parts.hostname, parts.port or 443, type=socket.SOCK_DGRAM)
        family, kind, protocol, _, target = found[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.connect(target)
            return str(probe.getsockname()[0])
    except OSError:
        return "127.0.0.1"


class HarnessSession(Session):
    """A registered delegate. Its identity in the journal is manager, account and delegate id."""

    def __init__(
        self, client: ManagerClient, delegate_id: str, who: Identity, body: Mapping[str, Any], heartbeat_interval: float
    ) -> None:
        super().__init__(
            SessionIdentity(
                server=client.base,
                account=client.account_id,
                runner_id=delegate_id,
                # Of whom this session is, wherever that one has sent us since.
                details={"endpoint": client.endpoint},
            ),
            heartbeat_interval=heartbeat_interval,
            description=f"delegate {delegate_id} of account {client.account_id} at {client.base}",
        )
        self.client = client
        self.delegate_id = delegate_id
        self.who = who
        self._body = dict(body)

    def heartbeat_body(self) -> dict[str, Any]:
        """The registration with our id and the time of now."""
        return {**self._body, "delegateId": self.delegate_id, "lastHeartBeat": int(time.time() * 1000)}

    def unregister_body(self) -> dict[str, Any]:
        """What unregister finds us by: host name, address and type; it ignores the id."""
        return {
            "delegateId": self.delegate_id,
            "hostName": self.who.host,
            "ng": True,
            "delegateType": "DOCKER",
            "ipAddress": self.who.address,
        }

    def elsewhere(self, client: ManagerClient, delegate_id: str) -> HarnessSession:
        """This delegate as it was known in an earlier session."""
        interval = self.heartbeat_interval or 10.0
        return HarnessSession(client, delegate_id, self.who, self._body, interval)

    async def aclose(self) -> None:
        """Close the client's connections."""
        await self.client.aclose()
