"""How a call that failed is tried again: never in a hot loop."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

import anyio

from delegate_core.backoff import Backoff
from delegate_drone.faults import DroneFault, Misdirected, ServerFault, Settled, Unusable

__all__ = ["Patience", "persist"]

T = TypeVar("T")

_LOG = logging.getLogger(__name__)


def _lasting() -> Backoff:
    return Backoff(first=1.0, most=120.0)  # a gateway that is just being set up answers so, too


def _nobody(_fault: object) -> None:
    """Nobody wants to know."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait between tries.

    Attributes:
        passing: makes the delays after faults that pass by themselves.
        lasting: makes those after faults that last until somebody changes a setting (a token, an address).
        tries: of a call that the server itself keeps answering with an error, where that is taken for its last word.
        unusable: the same of one that is answered with what is no answer. A proxy may do so for some minutes.
        failed: is told the reason of each try in vain.
        pause: waits so many seconds.
    """

    passing: Callable[[], Backoff] = Backoff
    lasting: Callable[[], Backoff] = _lasting
    tries: int = 5
    unusable: int = 12
    failed: Callable[[str], object] = _nobody
    pause: Callable[[float], Awaitable[None]] = anyio.sleep


async def persist(
    call: Callable[[], Awaitable[T]],
    patience: Patience,
    *,
    tries: int | None = None,
    noted: Callable[[DroneFault], None] = _nobody,
) -> T:
    """Call until there is an answer that another try does not change. The caller's scope is the deadline.

    Args:
        call: one try.
        patience: the pauses.
        tries: how often the server itself may answer with an error before that is raised; None: for ever, also where no
            answer can be used.
        noted: is told of each fault that is tried again.

    Raises:
        Settled: the server's answer.
        ServerFault: the last of ``tries``.
        Unusable: the last of ``patience.unusable``, where there are ``tries``.
    """
    passing, lasting = patience.passing(), patience.lasting()
    refused = unusable = 0
    while True:
        try:
            return await call()
        except Settled:
            raise
        except DroneFault as fault:
            refused += isinstance(fault, ServerFault) and fault.is_own
            unusable += isinstance(fault, Unusable)
            if tries is not None and (refused >= tries or unusable >= patience.unusable):
                raise
            noted(fault)
            patience.failed(str(fault))
            delay = (lasting if isinstance(fault, Misdirected) else passing).next(fault.after)
            _LOG.info("%s; trying again in %.1f s", fault, delay)
        await patience.pause(delay)
