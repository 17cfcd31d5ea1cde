"""A run as plain lines: what steps print in brackets, what happens after an arrow."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from delegate_core.console.durations import duration
from delegate_core.console.visible import visible
from delegate_core.pipeline.states import StepState, StepStatus
from delegate_drone.local.events import (
    Event,
    PipelineBegan,
    PipelineLeftOut,
    PipelineOver,
    Printed,
    RunOver,
    RunStopping,
    StepBegan,
    StepOver,
    WorkspaceKept,
)
from delegate_drone.local.printable import coloured_line, plain_line
from delegate_drone.local.summary import Summary, verdict_text
from delegate_drone.local.writing import Writer

__all__ = ["PlainView", "ending_text", "prefix_of"]

_ARROW: Final = "==>"
"""No line of a step begins so: each has its step in brackets before it."""


class PlainView:
    """Writes each line as soon as it is there.

    Args:
        writer: where to.
        colour: keep the colours of what steps print.
        several: name the pipeline in every line.
    """

    def __init__(self, writer: Writer, *, colour: bool = False, several: bool = False) -> None:
        self._writer = writer
        self._colour = colour
        self._printable = coloured_line if colour else plain_line
        self._several = several
        self._summary = Summary()

    @asynccontextmanager
    async def show(self) -> AsyncIterator[None]:
        """Nothing to set up."""
        yield

    def tell(self, event: Event) -> None:
        """Write it."""
        self._summary.tell(event)
        self._writer.write("".join(f"{line}\n" for line in self._lines(event)))

    def _lines(self, event: Event) -> list[str]:
        match event:
            case Printed(_, pipeline, step, lines):
                prefix = prefix_of(pipeline, step, several=self._several)
                return [f"{prefix} {self._printable(line)}" for line in lines]
            case RunOver():
                return list(self._summary.lines(several=self._several, colour=self._colour))
            case RunStopping(_, name):
                return [f"{_ARROW} {name}: ending what runs; once more kills it"]
            case WorkspaceKept():
                return []  # the summary says it, where it is found
            case PipelineOver() if not self._several:
                return []  # the summary, which follows at once, says the same
            case _:
                return [f"{_ARROW} {self._text(event)}"]

    def _text(self, event: PipelineLeftOut | PipelineBegan | StepBegan | StepOver | PipelineOver) -> str:
        match event:
            case PipelineLeftOut(_, pipeline, reason):
                return f"{visible(pipeline)}: not run: {visible(reason)}"
            case PipelineBegan(_, pipeline, steps):
                return f"{visible(pipeline)}: {len(steps)} step{'' if len(steps) == 1 else 's'}"
            case StepBegan(_, pipeline, step):
                return f"{prefix_of(pipeline, step, several=self._several)} started"
            case StepOver(_, pipeline, state, took):
                return f"{prefix_of(pipeline, state.name, several=self._several)} {ending_text(state, took)}"
            case PipelineOver():
                return verdict_text(event)


def prefix_of(pipeline: str, step: str, *, several: bool) -> str:
    """What tells a step's lines from those of others."""
    return f"[{visible(pipeline)}/{visible(step)}]" if several else f"[{visible(step)}]"


def ending_text(state: StepState, took: float) -> str:
    """How a step ended."""
    if state.status is StepStatus.SKIPPED:
        return f"skipped: {visible(state.skipped_because)}"
    code = f", exit code {state.exit_code}" if state.exit_code else ""
    error = f": {visible(state.error)}" if state.error else ""
    return f"{state.status.value} in {duration(took)}{code}{error}"
