"""Drawing the board: a pure function from what is known, the time and the terminal's size to lines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from rich.cells import cell_len
from rich.text import Text

from delegate_core.console.cells import cell, join, spread
from delegate_core.console.durations import duration
from delegate_core.console.visible import visible
from delegate_core.pipeline.states import StageStatus, StepStatus
from delegate_drone.local.board import Board, PipelineRow, StepRow
from delegate_drone.local.printable import plain_line
from delegate_drone.local.summary import SIGNS

__all__ = ["draw"]

DIM: Final = "dim"

_NAME: Final = (8, 40)
"""Cells of a step's name, at least and at most; and never more than a third of the terminal."""
_DURATION: Final = 7
_BEFORE: Final = 3
"""Finished pipelines that are shown above the running one."""
_URGENCY: Final = {StepStatus.RUNNING: 0, StepStatus.FAILURE: 1, StepStatus.ERROR: 1, StepStatus.KILLED: 1}


def draw(board: Board, now: float, width: int, height: int) -> list[Text]:
    """The board in at most so many lines, each at most so many cells wide."""
    current = board.current
    if current is None:
        return []
    before = [row for row in board.pipelines.values() if row is not current]
    head = [*(_pipeline_line(row, now, width) for row in before[-_BEFORE:]), _pipeline_line(current, now, width)]
    head = head[-max(1, height - 2) :]
    footer = [_footer(board, width)]
    return [*head, *_steps(current, now, width, height - len(head) - len(footer)), *footer][:height]


def _pipeline_line(row: PipelineRow, now: float, width: int) -> Text:
    done = sum(step.status.is_terminal for step in row.steps.values())
    failed = sum(step.status in {StepStatus.FAILURE, StepStatus.ERROR} for step in row.steps.values())
    left = Text.assemble(("── ", DIM), (visible(row.name), "bold"), (f"  {done} of {len(row.steps)} steps", DIM))
    if failed:
        left.append(f", {failed} failed", "red")
    if row.verdict is None:
        return spread(left, Text(duration(now - row.began)), width)
    good = row.verdict.status is StageStatus.SUCCESS
    ended = Text(f"{row.verdict.status} {duration(row.duration)}", "green" if good else "red")
    return spread(left, ended, width)


def _steps(row: PipelineRow, now: float, width: int, room: int) -> list[Text]:
    """As many steps as there is room for, in their order; the last line says how many are not shown."""
    steps = list(row.steps.values())
    if room <= 0:
        return []
    names = _name_cells(steps, width)
    shown = _most_urgent(steps, room if len(steps) <= room else room - 1)
    spare = room - len(shown) - (len(shown) < len(steps))
    lines: list[Text] = []
    for step in shown:
        lines.append(_step_line(row, step, now, names, width))
        last = list(_last_lines(step, width))[-spare:] if spare > 0 else []
        spare -= len(last)
        lines += last
    if len(shown) < len(steps):
        lines.append(cell(f"   … and {len(steps) - len(shown)} more", width, DIM))
    return lines


def _name_cells(steps: Sequence[StepRow], width: int) -> int:
    longest = max((cell_len(visible(step.plan.name)) for step in steps), default=0)
    return max(_NAME[0], min(longest, _NAME[1], width // 3))


def _most_urgent(steps: Sequence[StepRow], room: int) -> list[StepRow]:
    """Those that run or failed before those that wait, and those before what is over."""
    ranked = sorted(steps, key=lambda step: _URGENCY.get(step.status, 2 if not step.status.is_terminal else 3))
    chosen = {step.plan.name for step in ranked[: max(0, room)]}
    return [step for step in steps if step.plan.name in chosen]


def _step_line(row: PipelineRow, step: StepRow, now: float, names: int, width: int) -> Text:
    sign, colour = SIGNS[step.status]
    elapsed = step.elapsed(now)
    code = f"exit {step.exit_code}  " if step.status.is_terminal and step.exit_code else ""
    cells = join(
        Text(f" {sign}", colour),
        cell(step.plan.name, names, "" if step.status is not StepStatus.SKIPPED else DIM),
        cell("" if elapsed is None else duration(elapsed), _DURATION, "", "right"),
    )
    # Nothing wraps: a line that did would make the view higher than is known when it is cleared.
    room = width - cells.cell_len - 2
    remark = Text.assemble((code, "red"), (visible(_remark(row, step)), DIM), no_wrap=True)
    remark.truncate(max(0, room), overflow="ellipsis")
    line = join(cells, remark) if room > 0 else cells
    line.truncate(width, overflow="ellipsis")
    return line


def _remark(row: PipelineRow, step: StepRow) -> str:
    if step.status is StepStatus.PENDING:
        waiting = row.waits_for(step)
        return f"waits for {', '.join(waiting)}" if waiting else "waits"
    if step.status is StepStatus.RUNNING:
        return plain_line(step.last_lines[-1]) if step.last_lines else ""
    return step.note


def _last_lines(step: StepRow, width: int) -> Iterator[Text]:
    if _URGENCY.get(step.status) == 1:
        for line in step.last_lines:
            yield cell(f"     │ {plain_line(line)}", width, DIM)


def _footer(board: Board, width: int) -> Text:
    if board.stopping:
        return cell(f" {board.stopping}: ending what runs; once more kills it", width, "yellow")
    return cell(" Ctrl-C: cancel", width, DIM)
