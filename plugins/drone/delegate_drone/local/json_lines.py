"""A run as JSON lines, for programs: one object a line, in ASCII.

Every object has ``time`` (RFC 3339 in UTC), ``event`` and, but for the last two, ``pipeline``:

=====================  =================================================================================
``pipeline_left_out``  ``reason``, ``counts`` (it should have run and cannot)
``pipeline_began``     ``steps``: a list of ``name`` and ``needs``
``step_began``         ``step``
``line``               ``step``, ``text``: masked, without its line end, otherwise as printed
``step_over``          ``step``, ``status``, ``exit_code``, ``error``, ``skipped_because``, ``duration``
``pipeline_over``      ``status``, ``outcome``, ``exit_code``, ``error``, ``duration``
``workspace_kept``     ``path``: the folder in which that of a failed pipeline is kept
``run_stopping``       ``signal``: somebody wants the run to end
``run_over``           ``exit_code``, ``duration``
=====================  =================================================================================
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

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
from delegate_drone.local.writing import Writer

__all__ = ["JsonView"]


class JsonView:
    """Writes each event as soon as it is there."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer

    @asynccontextmanager
    async def show(self) -> AsyncIterator[None]:
        """Nothing to set up."""
        yield

    def tell(self, event: Event) -> None:
        """Write it."""
        time = datetime.fromtimestamp(event.time, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        objects = ({"time": time, **fields} for fields in _objects(event))
        self._writer.write("".join(json.dumps(each) + "\n" for each in objects))


def _objects(event: Event) -> Iterator[dict[str, Any]]:
    match event:
        case Printed(_, pipeline, step, lines):
            yield from ({"event": "line", "pipeline": pipeline, "step": step, "text": line} for line in lines)
        case RunOver(_, code, took):
            yield {"event": "run_over", "exit_code": code, "duration": round(took, 3)}
        case RunStopping(_, name):
            yield {"event": "run_stopping", "signal": name}
        case _:
            name, fields = _fields(event)
            yield {"event": name, "pipeline": event.pipeline, **fields}


def _fields(
    event: PipelineLeftOut | PipelineBegan | StepBegan | StepOver | PipelineOver | WorkspaceKept,
) -> tuple[str, dict[str, Any]]:
    match event:
        case PipelineLeftOut(_, _, reason, counts):
            return "pipeline_left_out", {"reason": reason, "counts": counts}
        case PipelineBegan(_, _, steps):
            return "pipeline_began", {"steps": [{"name": step.name, "needs": list(step.needs)} for step in steps]}
        case StepBegan(_, _, step):
            return "step_began", {"step": step}
        case StepOver(_, _, state, took):
            known = {"status": state.status, "exit_code": state.exit_code, "error": state.error}
            skipped = {"skipped_because": state.skipped_because, "duration": round(took, 3)}
            return "step_over", {"step": state.name, **known, **skipped}
        case WorkspaceKept(_, _, path):
            return "workspace_kept", {"path": path}
        case PipelineOver(_, _, verdict, took):
            known = {"status": verdict.status, "outcome": verdict.outcome, "exit_code": verdict.exit_code}
            return "pipeline_over", {**known, "error": verdict.error, "duration": round(took, 3)}
