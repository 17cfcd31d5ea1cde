"""An engine under a limit of somebody else's: so many steps at one time, over all that share it."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

import anyio

from delegate_core.engines.engine import Engine, Place, Surroundings
from delegate_core.pipeline.spec import Stage

__all__ = ["LimitedEngine"]


@dataclass(frozen=True, slots=True)
class LimitedEngine:
    """The same engine, whose steps take turns at this limiter; several engines may share one."""

    engine: Engine
    limiter: anyio.CapacityLimiter | None

    def open(self, stage: Stage, surroundings: Surroundings) -> AbstractAsyncContextManager[Place]:
        """See `Engine.open`."""
        return self.engine.open(stage, surroundings)
