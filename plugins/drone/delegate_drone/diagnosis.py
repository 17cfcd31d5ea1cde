"""What ``delegate doctor`` looks at for this backend.

Nothing asks for a stage: the server would offer one to us, and to nobody else until its next look, a minute later.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from urllib.parse import urlsplit

import anyio

from delegate_core.diagnosis import Check, Diagnosis, Finding, Reaching, ServerClock, program
from delegate_core.errors import CredentialsError
from delegate_core.http import BadReply, TlsOptions, TransportError, open_transport
from delegate_drone.client import DroneClient, parse_address
from delegate_drone.faults import DroneFault, Misdirected
from delegate_drone.filters import described
from delegate_drone.queued import Queue, QueueClosed
from delegate_drone.settings import DroneSettings
from delegate_drone.unsupported import unsupported
from delegate_drone.wire import Filter

__all__ = ["checks_of"]

_NOTABLE = 60.0
_EXEC = "exec"
_USER_TOKEN = "DRONE_TOKEN"  # noqa: S105 - the name of the variable
_USER_SERVER = "DRONE_SERVER"


def checks_of(settings: DroneSettings, filters: Sequence[Filter], diagnosis: Diagnosis) -> Iterator[Check]:
    """The checks.

    Args:
        settings: the backend's own.
        filters: what a runner would ask for, a poll each.
        diagnosis: the runner.
    """
    address = parse_address(settings.url)
    server = Reaching(address, diagnosis, carries="the secret, and those of builds")
    asking = _Asking(settings, address, filters, diagnosis)
    yield from server.checks()
    yield Check(name="secret", run=asking.ping, after=(server.last,), timeout=3 * diagnosis.patience)
    yield Check(name="clock", run=asking.clock, after=(server.last,), timeout=3 * diagnosis.patience)
    yield Check(name="filter", run=partial(_filter, filters))
    yield Check(name="queue", run=asking.queue, after=(server.last,), timeout=3 * diagnosis.patience)
    if any(each.type == _EXEC for each in filters):
        git = partial(program, "git", "to clone for exec pipelines", environ=diagnosis.environ, version=("--version",))
        yield Check(name="git", run=partial(git, needed=True))
    if ignored := unsupported(diagnosis.environ):
        yield Check(name="variables", run=partial(_variables, ignored))
    yield from _extensions(settings, diagnosis)


async def _filter(filters: Sequence[Filter]) -> Finding:
    return Finding.ok(f"asks for stages of type {described(filters)}")


async def _variables(ignored: Sequence[str]) -> Finding:
    return Finding.warning(" | ".join(ignored), "remove them, or do what is said of each")


def _extensions(settings: DroneSettings, diagnosis: Diagnosis) -> Iterator[Check]:
    extensions = {
        "secrets": settings.secret_plugin,
        "environment": settings.env_plugin,
        "registry": settings.registry_plugin,
    }
    for name, extension in extensions.items():
        if extension is not None:
            tls = TlsOptions(diagnosis.tls.ca_files, insecure=extension.skip_verify)
            yield from Reaching(extension.endpoint, diagnosis, name=name, tls=tls).checks()


class _Asking:
    """Calls that change nothing."""

    def __init__(self, settings: DroneSettings, address: str, filters: Sequence[Filter], diagnosis: Diagnosis) -> None:
        self._secret = settings.secret.get_secret_value()
        self._address = address
        self._filters = filters
        self._diagnosis = diagnosis
        self._transport: ServerClock | None = None
        self._answered = anyio.Event()

    async def ping(self) -> Finding:
        """Whether it is a Drone server that takes our secret."""
        try:
            transport = self._opened()
            client = DroneClient(self._address, self._secret, calls=transport, polls=transport)
            await client.ping()
            return Finding.ok(f"{await self._version(transport)} at {self._address} takes it")
        except Misdirected as fault:
            return Finding.of_text(str(fault), code=CredentialsError.exit_code)
        except DroneFault as fault:
            return Finding.of_text(str(fault), code=5)
        finally:
            self._answered.set()
            if self._transport is not None:
                await self._transport.aclose()

    def _opened(self) -> ServerClock:
        kind = self._diagnosis.settings.transport
        self._transport = ServerClock(open_transport(self._diagnosis.tls, kind=kind))
        return self._transport

    async def _version(self, transport: ServerClock) -> str:
        """What the server calls itself; anybody may ask."""
        try:
            reply = await transport.request(
                "GET", f"{self._address}/version", headers={}, timeout=self._diagnosis.patience
            )
            found = reply.json()
        except (TransportError, BadReply):
            return "the server"
        version = found.get("version") if isinstance(found, dict) else None
        return f"Drone {version}" if isinstance(version, str) and version else "the server"

    async def clock(self) -> Finding:
        """How far the clocks are apart, whatever the answer was."""
        await self._answered.wait()
        if self._transport is None:
            return Finding.skipped("the server was not asked")
        return self._transport.finding(most=_NOTABLE, effect="times on the build page are wrong by that")

    async def queue(self) -> Finding:
        """What waits there, which only a user with the right to see everything may ask."""
        environ = self._diagnosis.environ
        token = environ.get(_USER_TOKEN, "")
        if not token or not self._is_meant(environ.get(_USER_SERVER, "")):
            return Finding.skipped(
                "what waits on the server cannot be asked with the runners' secret",
                "to compare it with the filter, call this with DRONE_TOKEN of an admin, or see `drone queue ls`",
            )
        transport = open_transport(self._diagnosis.tls, kind=self._diagnosis.settings.transport)
        try:
            queue = await Queue.ask(transport, self._address, token, timeout=self._diagnosis.patience)
        except QueueClosed as closed:
            return Finding.skipped(str(closed), "give DRONE_TOKEN of an admin (the page /account of the server)")
        finally:
            await transport.aclose()
        return queue.finding(self._filters)

    def _is_meant(self, server: str) -> bool:
        """The user's token goes to no other server than the user's variable names."""
        return not server or urlsplit(server).hostname == urlsplit(self._address).hostname
