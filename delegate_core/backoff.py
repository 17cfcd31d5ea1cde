"""Waiting between tries: exponential, jittered, bounded."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field

__all__ = ["Backoff"]


@dataclass
class Backoff:
    """The delays between the tries of one call.

    Each delay is drawn evenly from the upper half of a bound that doubles from ``first`` up to ``most`` seconds, so
    that runners which failed together do not come back together. A delay that the server named (``Retry-After``) is
    kept, jitter added, from ``first`` up to ``longest``: a server that names none must not be called in a hot loop.
    """

    first: float = 0.5
    most: float = 30.0
    longest: float = 600.0
    random: Callable[[], float] = field(default=random.random, repr=False)
    tries: int = 0

    def next(self, named: float | None = None) -> float:
        """Seconds to wait before the next try."""
        bound = min(self.most, self.first * 2.0 ** min(self.tries, 30))
        self.tries += 1
        if named is not None:
            return min(max(named, self.first), self.longest) + self.random() * self.first
        return bound * (0.5 + 0.5 * self.random())

    def reset(self) -> None:
        """The call has succeeded: start from the first delay again."""
        self.tries = 0
