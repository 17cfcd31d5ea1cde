"""Faults to order: what a runner must survive, at the call and as often as a test wants."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

__all__ = ["ANY_CALL", "CALLS", "Fault", "FaultKind", "Faults", "parse_faults"]

ANY_CALL = "*"
CALLS = (
    *("ping", "request", "accept", "details", "stage-start", "stage-end", "step-start", "step-end"),
    *("watch", "batch", "upload", "card"),
)
"""The calls by name; updates are told apart by the status in their body."""

_FIRED_LIMIT = 1_000


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


class Faults:
    """The faults in force. A call is hit by one: the first added that waits for it.

    ``fired`` keeps the latest hits.
    """

    def __init__(self) -> None:
        self.fired: deque[tuple[str, Fault]] = deque(maxlen=_FIRED_LIMIT)
        self._armed: list[_Armed] = []
        self._listeners: list[Callable[[], None]] = []

    def subscribe(self, listener: Callable[[], None]) -> None:
        """Have ``listener`` called after every hit."""
        self._listeners.append(listener)

    def add(self, *faults: Fault) -> None:
        """Put faults in force, after those there are."""
        self._armed.extend(map(_Armed, faults))

    def clear(self) -> None:
        """Lift every fault."""
        self._armed.clear()

    def take(self, call: str) -> Fault | None:
        """The fault that hits this call, if any; the hit is counted."""
        for armed in self._armed:
            if armed.hits(call):
                self._armed = [each for each in self._armed if not each.spent]
                self.fired.append((call, armed.fault))
                for listener in self._listeners:
                    listener()
                return armed.fault
        return None


class _Armed:
    """A fault and how many calls it has seen."""

    def __init__(self, fault: Fault) -> None:
        self.fault = fault
        self._seen = 0

    @property
    def spent(self) -> bool:
        return self.fault.times is not None and self._seen >= self.fault.after + self.fault.times

    def hits(self, call: str) -> bool:
        if self.fault.call not in {ANY_CALL, call}:
            return False
        self._seen += 1
        return self._seen > self.fault.after


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
