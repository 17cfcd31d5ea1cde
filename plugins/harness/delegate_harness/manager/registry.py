"""The delegates an account has: who is who, and who is alive."""

from __future__ import annotations

from collections.abc import Callable

from .eligibility import fold
from .records import Delegate, DelegateStatus
from .wire import Registration, Unregistration

__all__ = ["SILENCE_SECONDS", "DelegateRegistry"]

SILENCE_SECONDS = 300.0
"""A delegate whose last heartbeat is older counts as disconnected."""

_Identity = tuple[str, bool, str, str]


class DelegateRegistry:
    """Delegates by id and by identity.

    Two registrations with equal identity (account, ng flag, host name and, mostly, address) are one delegate.

    Args:
        clock: Seconds since the epoch.
        new_id: Makes the id of a delegate seen for the first time.
    """

    def __init__(self, clock: Callable[[], float], new_id: Callable[[], str]) -> None:
        self._clock = clock
        self._new_id = new_id
        self._by_id: dict[str, Delegate] = {}
        self._by_identity: dict[_Identity, Delegate] = {}

    def get(self, delegate_id: str, account_id: str) -> Delegate | None:
        """The account's delegate of that id; deleted ones are found too."""
        delegate = self._by_id.get(delegate_id)
        return delegate if delegate is not None and delegate.account_id == account_id else None

    def of(self, account_id: str) -> list[Delegate]:
        """The account's delegates in order of registration."""
        return [delegate for delegate in self._by_id.values() if delegate.account_id == account_id]

    def known(self, account_id: str, registration: Registration) -> Delegate | None:
        """The delegate this registration would reuse."""
        return self._by_identity.get(_identity(account_id, registration))

    def register(self, account_id: str, registration: Registration) -> Delegate:
        """Admit a delegate: the known one with its id and status, or a new one."""
        delegate = self.known(account_id, registration) or self._create(account_id, registration)
        delegate.name = registration.delegate_name or delegate.host_name
        delegate.ip = registration.ip or ""
        delegate.immutable = registration.immutable
        delegate.task_types = frozenset(registration.supported_task_types)
        delegate.connection_id = registration.delegate_connection_id
        delegate.group = registration.group or delegate.name
        self._regroup(delegate, registration.tags)
        self.beat(delegate)
        return delegate

    def beat(self, delegate: Delegate) -> None:
        """Stamp a heartbeat with the manager's own clock."""
        delegate.last_heartbeat = self._clock()
        delegate.connected = True

    def fallen_silent(self) -> list[Delegate]:
        """Mark and return those that went silent since the last call: each silence is told once."""
        limit = self._clock() - SILENCE_SECONDS
        silent = [each for each in self._by_id.values() if each.connected and each.last_heartbeat < limit]
        for delegate in silent:
            delegate.connected = False
        return silent

    def unregistered(self, account_id: str, body: Unregistration) -> Delegate | None:
        """Remove the delegate of this host name, address, ng flag and type; the id sent plays no part."""
        wanted = (body.host_name or "", body.ip_address or "", body.ng, body.delegate_type or "")
        for delegate in self.of(account_id):
            if (delegate.host_name, delegate.ip, delegate.ng, delegate.delegate_type) == wanted:
                self._remove(delegate)
                return delegate
        return None

    def delete(self, delegate: Delegate) -> None:
        """Delete as an operator does in the UI: its identity is remembered and refused from then on."""
        delegate.status = DelegateStatus.DELETED

    def _create(self, account_id: str, registration: Registration) -> Delegate:
        delegate = Delegate(
            self._new_id(),
            account_id,
            name=registration.delegate_name or "",
            host_name=registration.host_name or "",
            ip=registration.ip or "",
            ng=registration.ng,
            delegate_type=registration.delegate_type or "",
        )
        self._by_id[delegate.delegate_id] = delegate
        self._by_identity[_identity(account_id, registration)] = delegate
        return delegate

    def _regroup(self, delegate: Delegate, tags: tuple[str, ...]) -> None:
        """Save the tags on the group: its other members answer to them as well."""
        for member in self.of(delegate.account_id):
            if member.group == delegate.group:
                member.selectors = fold((member.name, member.group, member.host_name, *tags))

    def _remove(self, delegate: Delegate) -> None:
        delegate.connected = False
        del self._by_id[delegate.delegate_id]
        self._by_identity = {identity: each for identity, each in self._by_identity.items() if each is not delegate}


def _identity(account_id: str, registration: Registration) -> _Identity:
    host = registration.host_name or ""
    kubernetes = registration.ng and registration.delegate_type == "KUBERNETES"
    ip = "" if kubernetes or account_id in host else registration.ip or ""
    return (account_id, registration.ng, host, ip)
