"""A stage's log for a person: step by step, live and stored."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

import anyio

from .livelog import Line, LiveLog
from .parts import Parts
from .records import Stage, Step

__all__ = ["StageLog", "stored_lines"]

_LAST_LINES = 3.0
"""A log is stored before its step ends, unless the build was cancelled; a runner that died never sends it."""


def stored_lines(data: bytes | None) -> list[Line]:
    """The lines of an uploaded log; one of another form is shown as it is."""
    try:
        found = json.loads(data or b"null") or []
        return [Line.model_validate(each) for each in found]
    except (ValueError, TypeError, RecursionError):
        texts = (data or b"").decode("utf-8", "replace").splitlines(keepends=True)
        return [Line(number=number, out=text) for number, text in enumerate(texts)]


@dataclass(slots=True)
class _Shown:
    """How far a step's log has been shown: the number of the next line, so that nothing shows twice."""

    next: int = 0

    def take(self, line: Line) -> bool:
        new = line.number >= self.next
        self.next = max(self.next, line.number + 1)
        return new


class StageLog:
    """The log of one stage. With several steps, each line begins with its step's name.

    Args:
        parts: the server.
        stage_id: the stage.
        patience: seconds after a step's end in which its last lines may still come.
    """

    def __init__(self, parts: Parts, stage_id: int, *, patience: float = _LAST_LINES) -> None:
        self._parts, self._stage_id, self._patience = parts, stage_id, patience

    async def lines(self, *, follow: bool) -> AsyncIterator[str]:
        """What is there, and with ``follow`` what comes until the stage's end."""
        if follow:
            await self._parts.news.wait_for(lambda: bool(self._steps()) or self._stage().done)
        steps = self._steps()
        for step in steps:
            prefix = f"[{step.name}] " if len(steps) > 1 else ""
            async for text in self._step_lines(step, follow=follow):
                yield f"{prefix}{text}" if text.endswith("\n") else f"{prefix}{text}\n"

    def _stage(self) -> Stage:
        return self._parts.store.stages.find(self._stage_id)

    def _steps(self) -> list[Step]:
        return self._parts.store.steps_of(self._stage_id)

    async def _step_lines(self, step: Step, *, follow: bool) -> AsyncIterator[str]:
        shown = _Shown()
        while True:
            for text in self._there(step.id, shown):
                yield text
            if not follow or not await self._more(step.id, shown):
                return

    def _there(self, step_id: int, shown: _Shown) -> Iterator[str]:
        live = self._parts.live.find(step_id)
        stored = self._parts.store.logs.find(step_id)
        lines = stored_lines(stored) if stored is not None else list(live.history) if live else []
        return (line.out for line in lines if shown.take(line))

    async def _more(self, step_id: int, shown: _Shown) -> bool:
        """Wait for more of a step's log; False where none comes any more."""
        if self._parts.store.logs.find(step_id) is not None:
            return False
        with anyio.move_on_after(None) as patience:

            def news() -> bool:
                ended = self._parts.store.steps.find(step_id)
                if ended.done and patience.deadline == float("inf"):
                    patience.deadline = anyio.current_time() + (self._patience if ended.status != "skipped" else 0)
                return self._parts.store.logs.find(step_id) is not None or _ahead(self._parts.live.find(step_id), shown)

            await self._parts.news.wait_for(news)
            return True
        return False


def _ahead(live: LiveLog | None, shown: _Shown) -> bool:
    return live is not None and bool(live.history) and live.history[-1].number >= shown.next
