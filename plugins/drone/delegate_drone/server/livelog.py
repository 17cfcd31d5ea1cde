"""Live logs: in memory, of bounded length, gone with the step's end or the server's."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Iterable

from pydantic import Field

from .errors import StreamMissingError
from .news import News
from .records import Integer, Record

__all__ = ["LINES", "Line", "LiveLog", "LiveLogs", "Viewer"]

LINES = 5_000
"""How many lines a live log keeps, and how many a slow viewer may fall behind."""


class Line(Record):
    """A line. ``time`` is whole seconds since the step's start."""

    number: Integer = Field(default=0, alias="pos")
    out: str = ""
    time: Integer = 0


class Viewer:
    """One reader of a live log: gets the whole kept history first. A slow one loses the newest lines."""

    def __init__(self, history: Iterable[Line]) -> None:
        self._lines = deque(history)
        self._news = News()
        self._closed = False

    def put(self, line: Line) -> None:
        """A new line, if there is room."""
        if len(self._lines) < LINES:
            self._lines.append(line)
            self._news.tell()

    def close(self) -> None:
        """No line comes any more."""
        self._closed = True
        self._news.tell()

    async def next(self) -> Line | None:
        """The next line; None after the last."""
        await self._news.wait_for(lambda: bool(self._lines) or self._closed)
        return self._lines.popleft() if self._lines else None

    async def __aiter__(self) -> AsyncIterator[Line]:
        while (line := await self.next()) is not None:
            yield line


class LiveLog:
    """One step's. Lines stand in the order in which they came: a repeated batch shows twice."""

    def __init__(self) -> None:
        self.history: deque[Line] = deque(maxlen=LINES)
        self._viewers: set[Viewer] = set()

    def write(self, line: Line) -> None:
        """Keep a line and show it to all viewers."""
        self.history.append(line)
        for viewer in self._viewers:
            viewer.put(line)

    def view(self) -> Viewer:
        """A new viewer, for whom `leave` is called at last."""
        viewer = Viewer(self.history)
        self._viewers.add(viewer)
        return viewer

    def leave(self, viewer: Viewer) -> None:
        """A viewer has gone."""
        self._viewers.discard(viewer)

    def close(self) -> None:
        """End it for all viewers."""
        for viewer in self._viewers:
            viewer.close()


class LiveLogs:
    """The live logs of all running steps, by step id."""

    def __init__(self) -> None:
        self._logs: dict[int, LiveLog] = {}

    def create(self, step_id: int) -> None:
        """Begin one; what there was of it is lost."""
        self.delete(step_id)
        self._logs[step_id] = LiveLog()

    def delete(self, step_id: int) -> None:
        """End one, if it is there."""
        found = self._logs.pop(step_id, None)
        if found is not None:
            found.close()

    def find(self, step_id: int) -> LiveLog | None:
        """One of them."""
        return self._logs.get(step_id)

    def write(self, step_id: int, lines: Iterable[Line]) -> None:
        """Add lines.

        Raises:
            StreamMissingError: the step is not running here; no line is needed to be told of none.
        """
        for line in lines:
            found = self._logs.get(step_id)
            if found is None:
                raise StreamMissingError
            found.write(line)

    def forget(self) -> None:
        """End all, as a restart does."""
        for step_id in list(self._logs):
            self.delete(step_id)
