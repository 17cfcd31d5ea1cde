"""The table at the end, and one sentence on each pipeline."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from rich.cells import cell_len, set_cell_size

from delegate_core.console.durations import duration
from delegate_core.console.visible import visible
from delegate_core.pipeline.states import StageStatus, StepStatus
from delegate_drone.local.events import PipelineLeftOut, PipelineOver, StepOver, WorkspaceKept

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
"""Cells of a step's name."""
_GAP: Final = "  "


class Summary:
    """Remembers how everything ended."""

    def __init__(self) -> None:
        self._steps: list[StepOver] = []
        self._left_out: list[PipelineLeftOut] = []
        self._over: list[PipelineOver] = []
        self._kept: list[WorkspaceKept] = []

    def tell(self, event: object) -> None:
        """Remember an end; anything else is passed over."""
        match event:
            case StepOver():
                self._steps.append(event)
            case PipelineLeftOut():
                self._left_out.append(event)
            case PipelineOver():
                self._over.append(event)
            case WorkspaceKept():
                self._kept.append(event)

    def lines(self, *, several: bool, colour: bool = False, width: int | None = None) -> Iterator[str]:
        """The table and the verdicts, without line ends; the table is no wider than ``width`` cells, if that can be."""
        if self._steps:
            yield ""
            rows = [_TITLES, *(_row(step, several=several) for step in self._steps)]
            yield from _table(rows, colour=colour, width=width)
        yield ""
        yield from (f"{visible(one.pipeline)}: not run: {visible(one.reason)}" for one in self._left_out)
        yield from (
            _painted(verdict_text(one), one.verdict.status) if colour else verdict_text(one) for one in self._over
        )
        yield from (f"{visible(one.pipeline)}: its workspace is kept in {visible(one.path)}" for one in self._kept)


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


def _table(rows: Sequence[Sequence[str]], *, colour: bool, width: int | None) -> Iterator[str]:
    widths = [max(cell_len(row[at]) for row in rows) for at in range(len(_TITLES))]
    widths[0] = min(widths[0], _WIDEST, width // 3 if width is not None else _WIDEST)
    if width is not None:
        widths[-1] = max(0, width - sum(widths[:-1]) - len(_GAP) * (len(widths) - 1))
        rows = [(_cut(row[0], widths[0]), *row[1:-1], _cut(row[-1], widths[-1])) for row in rows]
    for row in rows:
        name, status, *rest = _padded(zip(row, widths, strict=True))
        yield _GAP.join((name, _painted(status, row[1]) if colour else status, *rest)).rstrip()


def _cut(text: str, width: int) -> str:
    if cell_len(text) <= width:
        return text
    return set_cell_size(text, width - 1) + "…" if width > 0 else ""


def _painted(text: str, status: str) -> str:
    code = _PAINT.get(status)
    return f"\x1b[{code}m{text}\x1b[0m" if code else text


def _padded(cells: Iterable[tuple[str, int]]) -> Iterator[str]:
    for text, width in cells:
        yield text + " " * (width - cell_len(text))
