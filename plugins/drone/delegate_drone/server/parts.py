"""What the server is put together from."""

from __future__ import annotations

import random
import secrets
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from .builds import Builds
from .cancels import Canceller
from .faults import Faults
from .lifecycle import Lifecycle
from .livelog import LiveLogs
from .news import News
from .queue import Queue
from .rules import Rules
from .store import Store

__all__ = ["Keys", "Parts"]


@dataclass(frozen=True, slots=True)
class Keys:
    """Who may call.

    Attributes:
        rpc: the secret of runners; an empty one refuses them all, as there.
        user: the token of the user's interface.
    """

    rpc: str = field(repr=False, default_factory=lambda: secrets.token_hex(16))
    user: str = field(repr=False, default_factory=lambda: secrets.token_hex(16))

    def is_rpc(self, given: str) -> bool:
        """Whether this is the secret of runners; the time does not tell how far it is."""
        return secrets.compare_digest(given.encode(), self.rpc.encode())

    def is_user(self, given: str) -> bool:
        """Whether this is the token of the user's interface."""
        return secrets.compare_digest(given.encode(), self.user.encode())


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts, sharing one database."""

    store: Store
    rules: Rules
    keys: Keys
    queue: Queue
    canceller: Canceller
    live: LiveLogs
    lifecycle: Lifecycle
    builds: Builds
    faults: Faults = field(default_factory=Faults)
    news: News = field(default_factory=News)
    calls: Counter[str] = field(default_factory=Counter)
    """Calls of runners so far, by name, those under a fault included."""
    finals: Counter[int] = field(default_factory=Counter)
    """Final reports that took effect, by stage."""

    @classmethod
    def around(
        cls,
        file: Path,
        rules: Rules,
        keys: Keys,
        *,
        clock: Callable[[], float] = time.time,
        choice: random.Random | None = None,
    ) -> Parts:
        """The parts over a database."""
        store, live, news = Store(file), LiveLogs(), News()
        canceller = Canceller(rules, clock, news.tell)
        queue = Queue(store, rules, choice or random.Random(), news.tell)  # noqa: S311 - decides between runners, not secrets
        lifecycle = Lifecycle(store, queue, canceller, live, clock)
        builds = Builds(store, queue, lifecycle, clock=clock, new_key=lambda: secrets.token_hex(16))
        return cls(store, rules, keys, queue, canceller, live, lifecycle, builds, news=news)

    def restart(self) -> None:
        """Forget what a restart of the real server forgets: live logs, waiting calls, cancel marks."""
        self.live.forget()
        self.queue.forget()
        self.canceller.forget()
