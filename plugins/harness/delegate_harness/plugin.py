"""The Harness backend as a plugin: hook implementations, a line of glue each."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, cast

import anyio

from delegate_core.development import DevelopmentServer
from delegate_core.errors import DelegateError, SettingsError
from delegate_core.http import TlsFailed, TlsOptions, open_transport
from delegate_core.logs import LogSink
from delegate_core.markers import hookimpl
from delegate_core.model import (
    Credentials,
    Delivery,
    Ended,
    Entry,
    Finish,
    Forget,
    Offer,
    Phase,
    Registration,
    Run,
    SessionIdentity,
    Task,
    TaskResult,
)
from delegate_core.runner import Inbox
from delegate_core.settings import RunnerSettings, Settings
from delegate_harness import claiming
from delegate_harness.aborts import Aborts
from delegate_harness.auth import MadeTokens, ReadyToken
from delegate_harness.client import ManagerClient, parse_endpoint
from delegate_harness.logs import open_sink
from delegate_harness.polling import Poller, Shunned
from delegate_harness.registration import Registrar
from delegate_harness.reporting import Reporter
from delegate_harness.session import HarnessSession
from delegate_harness.settings import HarnessSettings

if TYPE_CHECKING:
    from delegate_core.diagnosis import Check, Diagnosis

__all__ = ["HarnessBackend"]

_log = logging.getLogger(__name__)

_POLL_INTERVAL = 3.0
_CLOSING = 5.0


class HarnessBackend:
    """The client of one Harness manager.

    Args:
        settings: or the fields of `HarnessSettings` by keyword.
    """

    name = "harness"
    default_capacity = 100
    """As many workers as the Go delegate client has."""

    def __init__(self, settings: HarnessSettings | None = None, **fields: object) -> None:
        self.settings = settings or HarnessSettings.model_validate(fields)
        self.endpoint = parse_endpoint(self.settings.endpoint)
        self._registrar = Registrar(self.settings.heartbeat_interval)
        self._reporter = Reporter(reject_to_others=self.settings.reject_to_others)
        self._runner = RunnerSettings()
        self._tokens: MadeTokens | ReadyToken | None = None
        self._client: ManagerClient | None = None
        self._in_use = False
        """Whether a session has the client, and will close it."""
        self._shunned = Shunned()
        self._aborts = Aborts()
        self._said = False

    @hookimpl
    def diagnostics(self, diagnosis: Diagnosis) -> Iterable[Check]:
        """What ``delegate doctor`` looks at."""
        from delegate_harness.diagnosis import checks_of  # noqa: PLC0415 - a runner needs no doctor

        try:
            tokens: MadeTokens | ReadyToken | DelegateError = _tokens(self.settings)
        except DelegateError as error:
            tokens = error
        return checks_of(self.settings, self.endpoint, tokens, diagnosis)

    @hookimpl
    async def authenticate(self, settings: RunnerSettings) -> Credentials:
        """Tokens from the secret, or the ready one. The first serve for good: they renew themselves."""
        self._runner = settings
        if self._tokens is None:
            self._tokens = _tokens(self.settings)
        return self._tokens

    @hookimpl
    async def register(self, registration: Registration, credentials: Credentials) -> HarnessSession:
        """Register at the endpoint, or where we were sent."""
        client = self._connect(cast("MadeTokens | ReadyToken", credentials))
        address = parse_endpoint(registration.address or client.base)
        registered = False
        try:
            session = await self._registrar.register(registration, client.at(address))
            registered = self._in_use = True
        finally:
            if not registered:
                await self._close_unused()
        self._say_where_logs_go()
        return session

    def _say_where_logs_go(self) -> None:
        if self.settings.log_url is None and not self._said:
            self._said = True
            _log.info("no --log-url: logs stay here unless a task names a log service; see `delegate tasks logs`")

    def _connect(self, tokens: MadeTokens | ReadyToken) -> ManagerClient:
        """The client: one pool of connections for all sessions.

        Raises:
            SettingsError: a file of the TLS settings cannot be used.
        """
        if self._client is None:
            try:
                transport = open_transport(_tls(self._runner), kind=self._runner.transport)
            except TlsFailed as error:
                raise SettingsError(str(error)) from None
            self._client = ManagerClient(transport, self.endpoint, self.settings.account_id, tokens)
        return self._client

    async def _close_unused(self) -> None:
        """Close the connections that no session will close: there has been none."""
        if self._client is None or self._in_use:
            return
        client, self._client = self._client, None
        with anyio.CancelScope(shield=True), anyio.move_on_after(_CLOSING):
            await client.aclose()

    @hookimpl
    async def resume(self, identity: SessionIdentity, session: HarnessSession) -> HarnessSession | None:
        """Sessions of this account at an address of ours, or at one that ours once sent us to."""
        details = identity.details if isinstance(identity.details, dict) else {}
        known = identity.server in {self.endpoint, session.client.base} or details.get("endpoint") == self.endpoint
        if not known or identity.account != session.client.account_id:
            return None
        return session.elsewhere(session.client.at(identity.server), identity.runner_id)

    @hookimpl
    async def fetch_tasks(self, session: HarnessSession, inbox: Inbox) -> None:
        """Poll task-events."""
        interval = self._runner.poll_interval or _POLL_INTERVAL
        await Poller(session, inbox, self._shunned, self._aborts, interval=interval).run()

    @hookimpl
    async def claim(self, session: HarnessSession, offer: Offer, again: bool) -> Task | Ended | None:  # noqa: FBT001 - the spec's
        """Acquire."""
        claimed = await claiming.claim(session, offer, self._aborts, again=again)
        if claimed is not None:
            self._reporter.claimed(offer.task_id)
        return claimed

    @hookimpl
    async def open_log(self, session: HarnessSession, task: Task, stream: str) -> LogSink | None:
        """Open a stream of the log service, where there is one."""
        return await open_sink(session, task, stream, self.settings.log_url)

    @hookimpl
    async def report(self, session: HarnessSession, task: Task, result: TaskResult) -> Delivery:
        """Send the result."""
        return await self._reporter.report(session, task, result)

    @hookimpl
    async def recover(self, session: HarnessSession, entry: Entry) -> Run | Finish | Forget:
        """Acquire again, or end."""
        decision = await claiming.recover(session, entry, self._aborts)
        if entry.phase is not Phase.STARTED and not isinstance(decision, Forget):
            self._reporter.claimed(entry.task_id)
        return decision

    @hookimpl
    async def heartbeat(self, session: HarnessSession) -> None:
        """Send a heartbeat."""
        await self._registrar.heartbeat(session)

    @hookimpl
    async def deregister(self, session: HarnessSession) -> None:
        """Unregister."""
        await self._registrar.deregister(session)


@hookimpl
def settings_model() -> type[Settings]:
    """What the backend's flags, variables and table may say."""
    return HarnessSettings


@hookimpl
def create_backend(settings: HarnessSettings) -> HarnessBackend:
    """One backend for one runner."""
    return HarnessBackend(settings)


@hookimpl
def development_server(options: Mapping[str, str]) -> DevelopmentServer:
    """The embedded manager, behind the commands of ``delegate dev``."""
    from delegate_harness.development import HarnessDevelopmentServer  # noqa: PLC0415 - a runner needs no server

    return HarnessDevelopmentServer(options)


def _tokens(settings: HarnessSettings) -> MadeTokens | ReadyToken:
    if settings.account_secret:
        return MadeTokens(settings.account_id, settings.account_secret.get_secret_value())
    return ReadyToken(settings.token.get_secret_value() if settings.token else "", settings.token_file)


def _tls(settings: RunnerSettings) -> TlsOptions:
    return TlsOptions(settings.ca_files, settings.client_certificate, settings.client_key, settings.insecure)
