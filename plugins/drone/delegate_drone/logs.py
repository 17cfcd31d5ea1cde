"""A step's log on its way to the server: live lines while it runs, the whole at its end."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

import anyio

from delegate_core.logs import CUT_OFF, LogLine, LogSink, Spool, Stored
from delegate_core.model import Task
from delegate_core.pipeline.states import StepStatus
from delegate_drone.claiming import PIPELINES, DroneTask, open_book
from delegate_drone.records import EndedElsewhere, StageRecord, StepOutput
from delegate_drone.session import DroneSession
from delegate_drone.wire import LogLine as WireLine
from delegate_drone.wire import Step

__all__ = ["StepSink", "open_sink", "upload_left", "wire_lines"]

_log = logging.getLogger(__name__)

_PATIENCE: Final = 60.0
"""Seconds in which the logs that an earlier life left may be uploaded, before their stage is ended without them."""


async def open_sink(session: DroneSession, task: Task, stream: str) -> LogSink | None:
    """The sink of a step's log; None for what belongs to no step, which stays on this machine.

    None too for the task of an earlier life: its steps' logs have been stored, before their ends were told.
    """
    if not isinstance(task, DroneTask):
        return None
    step = _step(task.book.record, stream, task.type)
    if step is None:
        return None
    return StepSink(StepOutput(session.client, task.book, step.number), float(step.started))


def _step(record: StageRecord, stream: str, task_type: str) -> Step | None:
    """The step of this name; where a handler runs, the only one, whose log is the task's own."""
    rows = [known.row for known in record.steps]
    if task_type not in PIPELINES:
        return rows[0] if rows and not stream else None
    return next((row for row in rows if row.name == stream), None)


class StepSink(LogSink):
    """The log of one step.

    Live lines are a courtesy: the server keeps them in memory, and shows them to who is looking. The upload at the end
    is the log that stays; the server stores it once and for all.

    Args:
        output: of the step.
        started: when the step began, in unix seconds: the times of its lines count from there.
    """

    def __init__(self, output: StepOutput, started: float) -> None:
        self._output = output
        self._started = started

    async def write(self, lines: Sequence[LogLine]) -> None:
        """Show live lines, as far as that works."""
        with suppress(EndedElsewhere):  # whoever ended the stage is found by its watch
            await self._output.send([_line(line, self._started) for line in lines])

    async def finish(self, spool: Spool) -> Stored:
        """Upload what the spool has kept; that the beginning of a very long log is gone is said in it."""
        await self._output.store(list(wire_lines(spool, self._started)))
        return Stored(stored=True)


async def upload_left(session: DroneSession, record: StageRecord, streams: Mapping[str, Path], task_type: str) -> None:
    """Upload what the steps of a stage had printed before the runner died. What cannot be uploaded is left out."""
    book, _ = open_book(session, record)
    own = {step.number: folder for name, folder in streams.items() if (step := _step(record, name, task_type))}
    with anyio.move_on_after(_PATIENCE):
        for known in record.steps:
            if known.row.status == StepStatus.RUNNING or (known.tried and not known.row.is_done):
                lines = _left_lines(own.get(known.row.number), known.row)
                await StepOutput(session.client, book, known.row.number).store(lines)


def _left_lines(folder: Path | None, step: Step) -> list[WireLine]:
    """What a step had printed, if anything was kept of that, and where it was cut off."""
    lines: list[WireLine] = []
    if folder is not None:
        try:
            lines = list(wire_lines(Spool.open(folder), float(step.started)))
        except OSError as error:
            _log.warning("the log of step %r cannot be read any more: %s", step.name, error.strerror)
    return [*lines, WireLine(pos=len(lines), out=f"{CUT_OFF}\n")]


def wire_lines(spool: Spool, started: float) -> Iterator[WireLine]:
    """All lines of a spool, after one that says what is missing before them."""
    first = spool.first
    if dropped := spool.dropped.lines:
        where = "in this log" if spool.error else "here"  # a disk that is full takes the beginning, and not the end
        text = f"[{dropped:,} lines are missing {where}: {spool.shortfall}]\n"
        yield WireLine(pos=max(0, first - 1), out=text)
    while lines := spool.read(first):
        yield from (_line(line, started) for line in lines)
        first = lines[-1].position + 1


def _line(line: LogLine, started: float) -> WireLine:
    return WireLine(pos=line.position, out=f"{line.text}\n", time=max(0, int(line.time - started)))
