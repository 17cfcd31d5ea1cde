"""What can be set about the server."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["Cancels", "Rules"]


class Cancels(StrEnum):
    """How the server tells its watchers of a cancelled build."""

    MEMORY = "memory"
    """Only who watches at that moment is told: a watch that opens later waits for ever, as on a single server."""
    REDIS = "redis"
    """Later ones are told for five minutes; an idle watch ends with a 500 ``redis: nil``, as on servers with Redis."""


@dataclass(frozen=True, slots=True)
class Rules:
    """How the server behaves. Times are seconds.

    Attributes:
        long_poll: how long a request for a stage and a watch wait.
        match_every: how often waiting runners and stages are matched without an occasion.
        ping_every: how often an idle live log is kept alive.
        cancels: how watchers learn of a cancelled build.
        version: what the server says it is.
    """

    long_poll: float = 30.0
    match_every: float = 60.0
    ping_every: float = 30.0
    cancels: Cancels = Cancels.MEMORY
    version: str = "2.28.2"
