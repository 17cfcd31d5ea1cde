"""The table at the end, and one sentence on each pipeline."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from rich.cells import cell_len

from delegate_core.console.durations import duration
from delegate_core.console.visible import visible
from delegate_core.pipeline.states import StageStatus, StepStatus
from delegate_drone.local.events import PipelineLeftOut, PipelineOver, StepOver

__all__ = ["SIGNS", "Summary", "verdict_text"]

SIGNS: Final = {
    StepStatus.PENDING: ("○", "bright_black"),
    StepStatus.RUNNING: ("●", "cyan"),
    StepStatus.SUCCESS: ("✓", "green"),
    StepStatus.FAILURE: ("✗", "red"),
    StepStatus.ERROR: ("✗", "red"),
    StepStatus.KILLED: ("⊘", "magenta"),
    StepStatus.SKIPPED: ("-", "bright_black"),
}
"""Sign and colour of each status."""

_TITLES: Final = ("STEP", "STATUS", "EXIT", "TIME", "")
_PAINT: Final = {"success": 32, "failure": 31, "error": 31, "killed": 35, "skipped": 90}
_WIDEST: Final = 60


class Summary:
    """Remembers how everything ended."""

    def __init__(self) -> None:
        self._steps: list[StepOver] = []
        self._left_out: list[PipelineLeftOut] = []
        self._over: list[PipelineOver] = []

    def tell(self, event: object) -> None:
        """Remember an end; anything else is passed over."""
        match event:
            case StepOver():
                self._steps.append(event)
            case PipelineLeftOut():
                self._left_out.append(event)
            case PipelineOver():
                self._over.append(event)

    def lines(self, *, several: bool, colour: bool = False) -> Iterator[str]:
        """The table and the verdicts, without line ends."""
        if self._steps:
            yield ""
            yield from _table([_TITLES, *(_row(step, several=several) for step in self._steps)], colour=colour)
        yield ""
        yield from (f"{visible(one.pipeline)}: not run: {visible(one.reason)}" for one in self._left_out)
        yield from (
            _painted(verdict_text(one), one.verdict.status) if colour else verdict_text(one) for one in self._over
        )


def verdict_text(over: PipelineOver) -> str:
    """One sentence on a pipeline's end."""
    verdict = over.verdict
    if verdict.status is StageStatus.SUCCESS:
        return f"{visible(over.pipeline)}: success in {duration(over.duration)}"
    return f"{visible(over.pipeline)}: {verdict.status} after {duration(over.duration)}: {visible(verdict.error)}"


def _row(step: StepOver, *, several: bool) -> tuple[str, ...]:
    state = step.state
    name = f"{step.pipeline}/{state.name}" if several else state.name
    ran = state.status is not StepStatus.SKIPPED
    took, code = (duration(step.duration), str(state.exit_code)) if ran else ("", "")
    return visible(name), state.status.value, code, took, visible(state.error or state.skipped_because, 200)


def _table(rows: Sequence[Sequence[str]], *, colour: bool) -> Iterator[str]:
    widths = [min(_WIDEST, max(cell_len(row[at]) for row in rows)) for at in range(len(_TITLES))]
    for row in rows:
        name, status, *rest = _padded(zip(row, widths, strict=True))
        yield "  ".join((name, _painted(status, row[1]) if colour else status, *rest)).rstrip()


def _painted(text: str, status: str) -> str:
    code = _PAINT.get(status)
    return f"\x1b[{code}m{text}\x1b[0m" if code else text


def _padded(cells: Iterable[tuple[str, int]]) -> Iterator[str]:
    for text, width in cells:
        yield text + " " * (width - cell_len(text))
