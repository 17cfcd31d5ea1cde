"""Where a runner is between its start and its stop."""

from __future__ import annotations

import time

from delegate_core.logs import Secrecy
from delegate_core.runner.core import Observers

__all__ = ["States"]


class States:
    """The state that a runner is in, why, and since when; observers are told of each change.

    Attributes:
        current: ``new``, ``registering``, ``running``, ``paused``, ``draining``, ``stopping`` or ``stopped``.
        reason: why, without secrets; empty where there is nothing to say.
        begun: when the runner was started, or made; of the monotonic clock, as the other times.
        entered: when it came into this state.
        drained_by: when its drain is over at the latest; None: it does not drain.
    """

    def __init__(self, secrecy: Secrecy, observers: Observers) -> None:
        self._secrecy = secrecy
        self._observers = observers
        self.current = "new"
        self.reason = ""
        self.begun = self.entered = time.monotonic()
        self.drained_by: float | None = None

    def begin(self) -> None:
        """The runner starts now."""
        self.begun = time.monotonic()

    def enter(self, state: str, reason: str = "") -> None:
        """Go into a state. The same one again is news where it is ``paused`` for another reason."""
        reason = self._secrecy.text(reason)
        if state != self.current or (state == "paused" and reason != self.reason):
            self.current, self.reason, self.entered = state, reason, time.monotonic()
            self._observers.runner_state(state=state, reason=reason)
