"""Calling a session hook until it answers: what is a passing fault, and how long to wait after it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

import anyio

from delegate_core.backoff import Backoff
from delegate_core.cancellation import raise_if_cancelled
from delegate_core.errors import DelegateError, Interrupt, Retry, Stop

__all__ = ["Fault", "describe", "until_answered"]

T = TypeVar("T")

Fault = (Exception, asyncio.CancelledError)
"""What a plugin's code may raise. The second only looks like a cancellation, unless `raise_if_cancelled` says so."""

_log = logging.getLogger(__name__)


async def until_answered(
    call: Callable[[], Awaitable[T]],
    what: str,
    *,
    backoff: Backoff | None = None,
    interrupted: Callable[[Interrupt], None],
    failed: Callable[[str], object] = lambda _: None,
    pause: Callable[[float], Awaitable[None]] = anyio.sleep,
) -> T:
    """Call until it answers.

    Error handling: an `Interrupt` is passed to ``interrupted``, which sees to the session, and the call is tried
    again like after any other fault, for the caller's result is still owed. A `DelegateError` is one that only a
    person can mend: it counts as a `Stop`. Every other exception is a passing fault: one line in the log, then a
    jittered wait. Ends by cancellation only.

    ``failed`` is told of each try in vain, with its reason; ``pause`` waits so many seconds before the next one.
    """
    backoff = backoff or Backoff()
    while True:
        try:
            return await call()
        except Interrupt as interrupt:
            interrupted(interrupt)
            fault, delay = interrupt.reason, backoff.next()
        except DelegateError as error:
            interrupted(Stop(str(error), error))
            fault, delay = str(error), backoff.next()
        except Fault as error:
            raise_if_cancelled()
            fault, delay = describe(error), backoff.next(error.after if isinstance(error, Retry) else None)
            _log.warning("%s: %s; trying again in %.1fs", what, fault, delay)
        failed(fault)
        await pause(delay)


def describe(error: BaseException) -> str:
    """One line for a fault."""
    text = " ".join(str(error).split())
    return text or type(error).__name__
