"""Who wants to know how a stage goes: a backend that tells its server, a console that shows it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from delegate_core.pipeline.states import StepState

__all__ = ["Listener", "StepLog"]


class StepLog(Protocol):
    """Where one step's output goes. Masking is its part."""

    def write(self, data: bytes) -> None:
        """Take output as it comes; never blocks."""
        ...

    async def finish(self) -> None:
        """The step's process is gone: wait until the log is where it belongs, or given up."""
        ...


class Listener(Protocol):
    """Is told of a stage's events in their order; the stage goes on when a call returns.

    What it raises breaks the stage off: a control plane that cannot be told must not see steps run silently.
    """

    async def stage_started(self, steps: Sequence[StepState]) -> None:
        """The steps are known, and nothing was set up or run yet; those that never run are not among them."""
        ...

    async def step_started(self, step: StepState, failed: Sequence[str]) -> Mapping[str, str]:
        """A step is about to run. Returns variables that are known only now; they win over the step's own.

        Args:
            step: as it stands, running.
            failed: the steps that have failed so far and whose failure counts.
        """
        ...

    def open_log(self, step: StepState) -> StepLog:
        """Where this step's output goes; asked once, after `step_started`."""
        ...

    async def step_ended(self, step: StepState) -> None:
        """A step is over, its log finished; or it was skipped and never started."""
        ...
