"""What ``delegate doctor`` looks at for this backend. Nothing registers, so the manager learns of no delegate."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import anyio

from delegate_core.diagnosis import Check, Diagnosis, Finding, Reaching, ServerClock
from delegate_core.errors import CredentialsError, DelegateError, Interrupt, StoppedByServer
from delegate_core.http import open_transport
from delegate_core.settings import format_duration
from delegate_core.statefolder import StateFolder, state_folder
from delegate_harness.auth import LIFETIME, RENEWED_AFTER, MadeTokens, ReadyToken
from delegate_harness.client import ManagerClient, ManagerFault
from delegate_harness.session import identify
from delegate_harness.settings import HarnessSettings

__all__ = ["checks_of"]

_USUAL_ID = 22
"""Characters that the id of an account usually has."""

_NOTABLE = 30.0
_REFUSED = LIFETIME - RENEWED_AFTER
"""Seconds that our clock may be behind the manager's: from then on tokens have expired before they are renewed."""


def checks_of(
    settings: HarnessSettings, endpoint: str, tokens: MadeTokens | ReadyToken | DelegateError, diagnosis: Diagnosis
) -> Iterator[Check]:
    """The checks.

    Args:
        settings: the backend's own.
        endpoint: the manager's address.
        tokens: what a start would authenticate with, or why it could not.
        diagnosis: the runner.
    """
    manager = Reaching(endpoint, diagnosis, carries="the token")
    yield from manager.checks()
    yield Check(name="token", run=partial(_token, tokens))
    if not isinstance(tokens, DelegateError):
        asking = _Asking(settings, endpoint, tokens, diagnosis)
        yield Check(name="manager", run=asking.ask, after=(manager.last,), timeout=3 * diagnosis.patience)
        yield Check(name="clock", run=asking.clock, after=(manager.last,), timeout=3 * diagnosis.patience)
    yield Check(name="identity", run=partial(_identity, endpoint, diagnosis))
    if settings.log_url is not None:
        service = Reaching(settings.log_url, diagnosis, name="logs", carries="the logs")
        yield from service.checks()


async def _token(tokens: MadeTokens | ReadyToken | DelegateError) -> Finding:
    match tokens:
        case DelegateError():
            raise tokens
        case MadeTokens():
            return Finding.ok(f"made here from the account secret, each for {format_duration(LIFETIME)}")
        case _:
            return Finding.ok("given ready, and of the right form")


class _Asking:
    """One call that changes nothing: what the manager would have a delegate of this account be configured with."""

    def __init__(
        self, settings: HarnessSettings, endpoint: str, tokens: MadeTokens | ReadyToken, diagnosis: Diagnosis
    ) -> None:
        self._account = settings.account_id
        self._endpoint = endpoint
        self._tokens = tokens
        self._diagnosis = diagnosis
        self._transport: ServerClock | None = None
        self._answered = anyio.Event()

    async def ask(self) -> Finding:
        """Whether it is a Harness manager that takes our token, and what it would have us do."""
        transport = open_transport(self._diagnosis.tls, kind=self._diagnosis.settings.transport)
        self._transport = ServerClock(transport)
        client = ManagerClient(self._transport, self._endpoint, self._account, self._tokens)
        try:
            return self._told(await client.directive())
        except ManagerFault as fault:
            return Finding.of_text(str(fault), code=5)
        except Interrupt as refusal:
            return self._refused(refusal)
        finally:
            self._answered.set()
            await client.aclose()

    def _told(self, action: str) -> Finding:
        if action == "SELF_DESTRUCT":
            return Finding.problem(
                f"it tells delegates of account {self._account} to end: the account was deleted",
                "check the account id",
                code=StoppedByServer.exit_code,
            )
        if action == "MIGRATE":
            seen = f"account {self._account} has moved to another cluster"
            return Finding.warning(seen, "a runner is told the address when it registers; write it into the settings")
        return Finding.ok(f"{self._endpoint} takes the token of account {self._account}")

    def _refused(self, refusal: Interrupt) -> Finding:
        finding = Finding.of_text(str(getattr(refusal, "error", refusal)), code=CredentialsError.exit_code)
        if len(self._account) == _USUAL_ID:
            return finding
        usual = f"(an account id usually has {_USUAL_ID} characters, this one {len(self._account)})"
        return Finding.problem(finding.seen, f"{finding.cure} {usual}", code=finding.code)

    async def clock(self) -> Finding:
        """How far the clocks are apart, whatever the answer was."""
        await self._answered.wait()
        if self._transport is None:
            return Finding.skipped("the manager was not asked")
        limit = format_duration(_REFUSED)
        effect = f"a token counts from this clock, and one that is {limit} behind makes tokens that are refused"
        return self._transport.finding(most=_NOTABLE, worst=_REFUSED, effect=effect)


async def _identity(endpoint: str, diagnosis: Diagnosis) -> Finding:
    """Who we would be there: the manager takes two with one host name for the same delegate."""
    registration = diagnosis.registration
    who = await identify(registration, endpoint)
    tags = f", tags {', '.join(registration.tags)}" if registration.tags else ", no tags"
    seen = f"delegate {who.name}, host name {who.host} at {who.address}{tags}, capacity {registration.capacity}"
    usual = state_folder("harness", registration.name)
    if usual != diagnosis.state_dir and (owner := StateFolder(usual).owner()) is not None:
        return Finding.problem(
            f"{seen}: process {owner} (state folder {usual}) is that delegate already, and gets the same tasks",
            "give one of them another --name",
        )
    return Finding.ok(seen)
