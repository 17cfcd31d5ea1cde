"""Faults to order: what a client must survive, at the endpoint and as often as a test wants."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from delegate_core.development.faults import ANY_CALL, FaultsInForce

__all__ = ["ANY_ENDPOINT", "Fault", "FaultKind", "Faults"]

ANY_ENDPOINT = ANY_CALL


class FaultKind(StrEnum):
    """What goes wrong with one call."""

    DELAY = "delay"
    """The reply comes ``seconds`` late; the call is handled first."""
    STATUS = "status"
    """A gateway answers ``status`` with HTML (204: with nothing); the manager never sees the call."""
    UNAUTHORIZED = "unauthorized"
    """401: with ``code`` in the manager's form, without one in HTML."""
    LOSE_REQUEST = "lose-request"
    """The connection breaks before the call is handled."""
    LOSE_REPLY = "lose-reply"
    """The connection breaks after the call has taken effect."""
    GARBAGE = "garbage"
    """The body is bytes that are neither JSON nor UTF-8."""
    TRUNCATED = "truncated"
    """The body is the first half of the JSON, in a well-formed reply."""
    CONTENT_TYPE = "content-type"
    """The right body under ``text/html``."""
    EMPTY = "empty"
    """200 and no body, after the call has taken effect."""
    NULL = "null"
    """``resource`` is null; a reply without wrapper is the word null."""
    DUPLICATE = "duplicate"
    """A poll lists the delegate's started tasks once more."""
    UNASSIGNED = "unassigned"
    """Acquire hands out the package without assigning the task: its instance id is empty."""
    SKEW = "skew"
    """The token is checked as if it were ``seconds`` later."""
    SELF_DESTRUCT = "self-destruct"
    """The call is answered with that action."""
    MIGRATE = "migrate"
    """The call is answered with that action and ``url``."""
    DELETE_DELEGATE = "delete-delegate"
    """All delegates of the account are deleted just before the call is handled."""
    REVOKE_TOKEN = "revoke-token"  # noqa: S105 - the name of a fault
    """The account's default token is revoked just before the call is handled."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault, for so many calls of an endpoint.

    Attributes:
        endpoint: Name of the endpoint, as in ``ManagerState.calls``; ``*`` for every one.
        kind: What goes wrong.
        times: How many calls it hits; None: all from then on.
        after: How many calls it lets pass first, not counting those that an earlier fault took.
        seconds: For DELAY and SKEW.
        status: For STATUS.
        retry_after: Seconds for the header Retry-After of STATUS.
        code: For UNAUTHORIZED: INVALID_TOKEN, EXPIRED_TOKEN, REVOKED_TOKEN or another.
        url: For MIGRATE.
    """

    endpoint: str
    kind: FaultKind
    times: int | None = 1
    after: int = 0
    seconds: float = 0.0
    status: int = 503
    retry_after: int | None = None
    code: str | None = None
    url: str | None = None


class Faults(FaultsInForce[Fault]):
    """The faults in force, by the names of the endpoints."""

    def __init__(self) -> None:
        super().__init__(lambda fault: fault.endpoint)
