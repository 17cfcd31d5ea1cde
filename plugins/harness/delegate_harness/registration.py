"""Registering, heartbeats, saying goodbye: what the manager answers, and what follows from it."""

from __future__ import annotations

import logging
import secrets
import time
from typing import Any

from delegate_core.errors import Lapsed, Moved, Retry, SettingsError, Stop, StoppedByServer
from delegate_core.http import TransportError
from delegate_core.model import Registration
from delegate_harness.client import ManagerClient, ManagerFault, parse_endpoint
from delegate_harness.session import HarnessSession, Identity, identify
from delegate_harness.wire import Heartbeat, Registered

__all__ = ["Registrar"]

_log = logging.getLogger(__name__)


class Registrar:
    """Registers one runner and keeps it registered.

    The manager answers a heartbeat of a delegate that it has deleted with 200 and the status DELETED. Then we register
    again, once; deleted again means that somebody wants us gone.
    """

    def __init__(self, heartbeat_interval: float) -> None:
        self._heartbeat_interval = heartbeat_interval
        self._deleted = False
        # Any value will do, so never the account's secret, which the Go client sends here.
        self._random_token = secrets.token_hex(16)

    async def register(self, registration: Registration, client: ManagerClient) -> HarnessSession:
        """Register; tell the capacity.

        Raises:
            Moved: the account lives in another cluster.
            Stop: the account, the group or this delegate was deleted.
        """
        who = await identify(registration, client.base)
        body = self._body(registration, who, client.account_id)
        reply = await client.register(body)
        if reply.resource is None:
            raise Retry(f"{client.base} did not take this delegate; is this machine's address allowed there?", 60.0)
        self._obey(reply.resource, client)
        if not reply.resource.delegate_id:
            raise ManagerFault(f"{client.base} registered us without an id: is this a Harness manager?", 200)
        session = HarnessSession(client, reply.resource.delegate_id, who, body, self._heartbeat_interval)
        await self._tell_capacity(session, registration.capacity)
        return session

    def _body(self, registration: Registration, who: Identity, account_id: str) -> dict[str, Any]:
        return {
            "accountId": account_id,
            "delegateName": registration.name,
            "delegateRandomToken": self._random_token,
            "lastHeartBeat": int(time.time() * 1000),
            "delegateType": "DOCKER",
            "ng": True,
            "pollingModeEnabled": True,
            "hostName": who.host,
            "sequenceNum": 1,
            "ip": who.address,
            "supportedTaskTypes": list(registration.task_types),
            "tags": list(registration.tags),
            "heartbeatAsObject": True,
        }

    def _obey(self, told: Registered | Heartbeat, client: ManagerClient) -> None:
        if told.action == "MIGRATE" and told.migrate_url:
            raise Moved(_next_address(told.migrate_url, client.base))
        if told.action == "SELF_DESTRUCT":
            raise _destroyed(f"{client.base} told this delegate to end: it, its group or its account was deleted")

    async def _tell_capacity(self, session: HarnessSession, capacity: int) -> None:
        """Only managers with a queue for builds use it, so a failure is no reason not to work."""
        try:
            await session.client.register_capacity(session.delegate_id, capacity)
        except (ManagerFault, Retry, TransportError) as error:
            _log.warning("could not tell the capacity: %s", error)

    async def heartbeat(self, session: HarnessSession) -> None:
        """Send a heartbeat and heed its answer.

        Raises:
            Lapsed: deleted there: register again.
            Moved: the account lives in another cluster.
            Stop: deleted again, or told to end.
        """
        reply = await session.client.heartbeat(session.heartbeat_body())
        if reply.resource is not None:
            self._obey(reply.resource, session.client)
        if reply.resource is None or reply.resource.status != "DELETED":
            self._deleted = False
            return
        if self._deleted:
            raise _destroyed(f"{session.client.base} has deleted this delegate, twice")
        self._deleted = True
        raise Lapsed("the manager has deleted this delegate")

    async def deregister(self, session: HarnessSession) -> None:
        """Say goodbye. The manager fails at once what it believes to run here."""
        await session.client.unregister(session.unregister_body())


def _next_address(url: str, base: str) -> str:
    """The address to move to.

    Raises:
        ManagerFault: it is none, or the way there is open where the one here is not.
    """
    try:
        address = parse_endpoint(url)
    except SettingsError as error:
        raise ManagerFault(f"{base} sends this delegate elsewhere, but {error}", 200) from None
    if base.startswith("https:") and not address.startswith("https:"):
        raise ManagerFault(f"{base} sends this delegate to {address}, where the token would travel in the clear", 200)
    return address


def _destroyed(reason: str) -> Stop:
    return Stop(reason, StoppedByServer(reason))
