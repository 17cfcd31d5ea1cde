"""Listens to the driver of one stage, and tells the view."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from delegate_core.logs import LineSplitter, Mask
from delegate_core.pipeline.states import StepState
from delegate_drone.compiler import Facts, runtime_environment
from delegate_drone.local.events import Event, Printed, StepBegan, StepOver
from delegate_drone.local.printable import without_sequences

__all__ = ["LocalListener", "LocalLog"]

Tell = Callable[[Event], None]


class LocalListener:
    """A `delegate_core.engines.listening.Listener` for one pipeline.

    Args:
        pipeline: its name.
        facts: what its steps' variables are made from.
        mask: hides the secrets.
        tell: takes the events.
        clock: seconds since 1970.
    """

    def __init__(self, pipeline: str, facts: Facts, mask: Mask, tell: Tell, clock: Callable[[], float]) -> None:
        self._pipeline = pipeline
        self._facts = facts
        self._mask = mask
        self._tell = tell
        self._clock = clock
        self._began: dict[str, float] = {}

    async def stage_started(self, steps: Sequence[StepState]) -> None:
        """The view knows already."""

    async def step_started(self, step: StepState, failed: Sequence[str]) -> Mapping[str, str]:
        """Tell it; the variables are those that depend on how the build stands now."""
        now = self._began[step.name] = self._clock()
        self._tell(StepBegan(now, self._pipeline, step.name))
        return runtime_environment(self._facts, step, failed, now=now)

    def open_log(self, step: StepState) -> LocalLog:
        """Masked lines, told as they come."""
        return LocalLog(self._mask, lambda lines: self._tell(Printed(self._clock(), self._pipeline, step.name, lines)))

    async def step_ended(self, step: StepState) -> None:
        """Tell it."""
        now = self._clock()
        shown = replace(step, error=self._mask.text(step.error))
        self._tell(StepOver(now, self._pipeline, shown, now - self._began.get(step.name, now)))


class LocalLog:
    """One step's output, from bytes to masked lines. It holds an unfinished line at most, and that is bounded."""

    def __init__(self, mask: Mask, show: Callable[[tuple[str, ...]], None]) -> None:
        self._mask = mask
        self._masked = mask.stream()
        self._lines = LineSplitter()
        self._show = show

    def write(self, data: bytes) -> None:
        """Show the lines that are complete."""
        self._pass_on(self._lines.feed(self._masked.feed(data)))

    async def finish(self) -> None:
        """Show the rest."""
        self._pass_on([*self._lines.feed(self._masked.finish()), *self._lines.finish()])

    def _pass_on(self, lines: Sequence[str]) -> None:
        if lines:
            self._show(tuple(map(self._safe, lines)))

    def _safe(self, line: str) -> str:
        """A program that marks a part of a secret, as ``grep --color`` does, hides it from the mask but from nobody."""
        if "\x1b" not in line:
            return line
        shown = without_sequences(line)
        masked = self._mask.text(shown)
        return line if masked == shown else masked
