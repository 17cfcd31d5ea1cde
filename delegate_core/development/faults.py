"""Faults that are ordered of an embedded server: which call is hit by which, and when."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final, Generic, Protocol, TypeVar

__all__ = ["ANY_CALL", "FaultsInForce", "Orderable"]

ANY_CALL: Final = "*"
_FIRED_LIMIT: Final = 1_000


class Orderable(Protocol):
    """A fault, of whatever kind."""

    @property
    def times(self) -> int | None:
        """How many calls it hits; None: all from then on."""

    @property
    def after(self) -> int:
        """How many calls it lets pass first, not counting those that an earlier fault took."""


F = TypeVar("F", bound=Orderable)


class FaultsInForce(Generic[F]):
    """The faults in force. A call is hit by one: the first added that waits for it.

    Args:
        call_of: the name of the call that a fault waits for; `ANY_CALL`: every one.

    Attributes:
        fired: the latest hits: the call's name, and the fault.
    """

    def __init__(self, call_of: Callable[[F], str]) -> None:
        self.fired: deque[tuple[str, F]] = deque(maxlen=_FIRED_LIMIT)
        self._call_of = call_of
        self._armed: list[_Armed[F]] = []
        self._listeners: list[Callable[[], None]] = []

    def subscribe(self, listener: Callable[[], None]) -> None:
        """Have ``listener`` called after every hit."""
        self._listeners.append(listener)

    def add(self, *faults: F) -> None:
        """Put faults in force, after those there are: three of them hit three calls, in this order."""
        self._armed.extend(_Armed(fault, self._call_of(fault)) for fault in faults)

    def clear(self) -> None:
        """Lift every fault."""
        self._armed.clear()

    def take(self, call: str) -> F | None:
        """The fault that hits this call, if any; the hit is counted."""
        for armed in self._armed:
            if armed.hits(call):
                self._armed = [each for each in self._armed if not each.spent]
                self._fire(call, armed.fault)
                return armed.fault
        return None

    def _fire(self, call: str, fault: F) -> None:
        self.fired.append((call, fault))
        for listener in self._listeners:
            listener()


class _Armed(Generic[F]):
    """A fault and how many calls it has seen: those that no earlier fault took."""

    def __init__(self, fault: F, call: str) -> None:
        self.fault = fault
        self._call = call
        self._seen = 0

    @property
    def spent(self) -> bool:
        return self.fault.times is not None and self._seen >= self.fault.after + self.fault.times

    def hits(self, call: str) -> bool:
        if self._call not in {ANY_CALL, call}:
            return False
        self._seen += 1
        return self._seen > self.fault.after
