"""Faults to order: what a runner must survive, at the call and as often as a test wants."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from delegate_core.development.faults import ANY_CALL, FaultsInForce

__all__ = ["ANY_CALL", "CALLS", "Fault", "FaultKind", "Faults", "parse_faults"]

CALLS = (
    *("ping", "request", "accept", "details", "stage-start", "stage-end", "step-start", "step-end"),
    *("watch", "batch", "upload", "card"),
)
"""The calls by name; updates are told apart by the status in their body."""


class FaultKind(StrEnum):
    """What goes wrong with one call."""

    DELAY = "delay"
    """The reply comes ``seconds`` late; the call is handled first."""
    STATUS = "status"
    """A proxy answers ``status`` with a page of HTML; the server never sees the call."""
    LOSE_REQUEST = "lose-request"
    """The connection breaks before the call is handled."""
    LOSE_REPLY = "lose-reply"
    """The connection breaks after the call has taken effect."""
    RESET = "reset"
    """The connection breaks after ``seconds``, if the call still waits then."""
    RESTART = "restart"
    """The server restarts before the call is handled: live logs, waiting calls and cancel marks are gone."""
    DUPLICATE = "duplicate"
    """A request is answered with a stage that another runner has accepted, as it was before."""
    STALE = "stale"
    """Another writer counts up the version of the row just before the call is handled."""
    CHUNKED = "chunked"
    """A reply without content comes with chunked framing, as from some proxies."""
    NO_CONTENT_TYPE = "no-content-type"
    """The reply does not say what it is."""
    NO_CONFIG = "no-config"
    """Details: the file cannot be fetched. The server ends the stage in error and answers 500."""
    DETAILS_FAIL = "details-fail"
    """Details: 500, and the stage is left as it is."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault, for so many calls.

    Attributes:
        call: one of `CALLS`; ``*`` for every one.
        kind: what goes wrong.
        times: how many calls it hits; None: all from then on.
        after: how many calls it lets pass first, not counting those that an earlier fault took.
        seconds: for DELAY and RESET.
        status: for STATUS.
    """

    call: str
    kind: FaultKind
    times: int | None = 1
    after: int = 0
    seconds: float = 0.0
    status: int = 503


class Faults(FaultsInForce[Fault]):
    """The faults in force, by the names of the calls."""

    def __init__(self) -> None:
        super().__init__(lambda fault: fault.call)


_TEXT = re.compile(r"(?P<kind>[a-z-]+)(?::(?P<value>[0-9.]+))?(?:x(?P<times>[0-9]+|\*))?(?:\+(?P<after>[0-9]+))?$")


def parse_faults(call: str, text: str) -> list[Fault]:
    """Faults as a person writes them: ``lose-reply``, ``status:502x3``, ``delay:5x*``, ``reset:0.5x2+1``, with commas.

    The number after the colon is STATUS's status and the others' seconds, ``x`` how many calls are hit (``*``: all),
    ``+`` how many pass before.

    Raises:
        ValueError: it is none; the text says what is wrong.
    """
    if call not in {ANY_CALL, *CALLS}:
        raise ValueError(f"{call} is no call; the calls are {', '.join(CALLS)} and {ANY_CALL}")
    return [_parse(call, part.strip()) for part in text.split(",")]


def _parse(call: str, text: str) -> Fault:
    found = _TEXT.match(text)
    if found is None or found["kind"] not in set(FaultKind):
        raise ValueError(
            f"{text!r} is no fault; write KIND, KIND:NUMBER, then xTIMES; kinds are {', '.join(FaultKind)}"
        )
    kind, value = FaultKind(found["kind"]), found["value"]
    times = None if found["times"] == "*" else int(found["times"] or 1)
    after = int(found["after"] or 0)
    if kind is FaultKind.STATUS:
        return Fault(call, kind, times, after, status=_status(value or "503"))
    return Fault(call, kind, times, after, seconds=float(value or 0))


def _status(text: str) -> int:
    if not text.isdigit() or not 200 <= int(text) <= 599:
        raise ValueError(f"{text} is no status that a proxy answers; write one from 200 to 599")
    return int(text)
