"""The log of one stream on its way: mask, lines, spool, sink."""

import logging
import threading
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import anyio

from delegate_core.backoff import Backoff
from delegate_core.errors import Retry
from delegate_core.logs.doorbell import Doorbell
from delegate_core.logs.lines import LineSplitter
from delegate_core.logs.mask import Mask, MaskStream
from delegate_core.logs.segment import LogLine, text_size
from delegate_core.logs.spool import Spool

__all__ = ["LogSink", "Stored", "TaskLog"]

_log = logging.getLogger(__name__)

_LONGEST_PAUSE: Final = 15.0
"""Seconds between two tries of a sink that keeps failing."""


@dataclass(frozen=True, slots=True)
class Stored:
    """What became of a finished log."""

    stored: bool
    """Whether the server has it; so it is if it had it already."""
    reason: str = ""
    """Why it was given up."""


class LogSink(Protocol):
    """Where the lines of one stream go: what a backend's `open_log` returns."""

    async def write(self, lines: Sequence[LogLine]) -> None:
        """Send one batch. If this raises, the same lines come again later, with those printed since."""

    async def finish(self, spool: Spool) -> Stored:
        """The stream is over: upload what is to stay."""


class TaskLog:
    """Takes what a task or a step prints, and sends it on in batches.

    Text of one level is one stream: it is masked and cut into lines apart from the others, so that half a
    line of stderr never lands within a line of stdout. A secret that is printed half to one level and half to
    another is therefore not recognised, but neither does it appear: the halves stand in different lines. The
    log is in the order in which lines are *finished*.

    Nothing is created before the first byte: no file, no stream, no timer.

    Args:
        spool: keeps the lines; only this log appends to it.
        mask: shared by all streams of a task.
        clock: seconds since 1970.
        on_line: sees each line as it is stored, in the thread that printed it. If it raises, that is logged
            and the task goes on.
        batch_lines: most lines the sink gets at once.
        batch_bytes: most bytes of text the sink gets at once (more only for one longer line).
        interval: seconds that lines wait for company.
        sleep: waits that many seconds.
        backoff: how long to wait after failures of the sink; of its own up to 15 s.
    """

    def __init__(  # noqa: PLR0913 - two parts, and keyword settings that all have a default
        self,
        spool: Spool,
        mask: Mask,
        *,
        clock: Callable[[], float] = time.time,
        on_line: Callable[[LogLine], None] | None = None,
        batch_lines: int = 1000,
        batch_bytes: int = 512 * 1024,
        interval: float = 1.0,
        sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
        backoff: Backoff | None = None,
    ) -> None:
        self.spool = spool
        self._mask = mask
        self._clock = clock
        self._on_line = on_line
        self._batch_lines = batch_lines
        self._batch_bytes = batch_bytes
        self._interval = interval
        self._sleep = sleep
        self._backoff = backoff or Backoff(most=_LONGEST_PAUSE)
        self._retry_after: float | None = None
        self._lock = threading.Lock()
        self._channels: dict[str, _Channel] = {}
        self._closed = False
        self._sent = 0
        self._unsent_bytes = 0
        self._bell = Doorbell()

    def write(self, data: bytes | str, level: str = "info") -> None:
        """Print text as it comes, from any thread. Whole lines are stored before this returns.

        After `close` it is ignored: a thread that outlives its task has no log any more.
        """
        data = data.encode("utf-8", "surrogatepass") if isinstance(data, str) else data
        with self._lock:
            if self._closed:
                return
            channel = self._channels.get(level) or self._open_channel(level)
            stored = self._store(channel.feed(data), level)
        self._show(stored)

    def line(self, text: str, level: str = "info") -> None:
        """Print a whole message, from any thread. It does not touch an unfinished line of the same level."""
        data = self._mask.text(text).removesuffix("\n").encode("utf-8", "surrogatepass")
        texts = LineSplitter().feed(data + b"\n")
        with self._lock:
            stored = [] if self._closed else self._store(texts, level)
        self._show(stored)

    def close(self) -> None:
        """The end: store what the mask holds back and unfinished lines. The pump sends the rest and ends."""
        stored: list[LogLine] = []
        with self._lock:
            if self._closed:
                return
            self._closed = True
            for level, channel in self._channels.items():
                stored += self._store(channel.finish(), level)
            self._bell.ring()
        self.spool.close()
        self._show(stored)

    async def pump(self, sink: LogSink) -> None:
        """Send the lines to the sink until the log is closed and all is sent.

        A line goes out within `interval` of being printed. There is one batch an interval, more only while
        full batches wait.

        Resource handling: lines wait in the spool, not in memory. If they leave it unsent, since a spool is
        bounded, the sink gets a line that says how many are missing.

        Error handling: whatever the sink raises is logged and tried again after a pause of up to 15 s (or as long as a
        `Retry` says), with the lines printed since. Once the log is closed, a failing try is the last one:
        `LogSink.finish` gets the whole spool anyway.
        """
        while await self._due():
            last = self._closed
            if not await self._deliver(sink) and last:
                return

    def _open_channel(self, level: str) -> "_Channel":
        channel = self._channels[level] = _Channel(self._mask.stream(), LineSplitter())
        return channel

    def _store(self, texts: list[str], level: str) -> list[LogLine]:
        """Number and store lines; the lock is held."""
        if not texts:
            return []
        now, start = self._clock(), self.spool.lines
        lines = [LogLine(position, now, level, text) for position, text in enumerate(texts, start)]
        self.spool.append(lines)
        self._unsent_bytes += text_size(texts)
        self._bell.ring()
        return lines

    def _show(self, lines: list[LogLine]) -> None:
        if self._on_line is None:
            return
        try:
            for line in lines:
                self._on_line(line)
        except Exception:  # noqa: BLE001 - an observer is a plugin: it may raise anything
            _log.exception("an observer of log lines failed; the log itself goes on")

    async def _due(self) -> bool:
        """Wait until a batch is due; False if the log is closed and all is sent."""
        await self._bell.wait(lambda: self._closed or self._waiting() > 0)
        if self._retry_after is not None:
            await self._wait(self._retry_after, lambda: self._closed)
        else:
            await self._wait(self._interval, lambda: self._closed or self._full())
        return self._waiting() > 0

    def _waiting(self) -> int:
        return self.spool.lines - self._sent

    def _full(self) -> bool:
        return self._waiting() >= self._batch_lines or self._unsent_bytes >= self._batch_bytes

    async def _wait(self, seconds: float, enough: Callable[[], bool]) -> None:
        """Wait for some time, or until `enough()` is true."""
        if enough():
            return
        async with anyio.create_task_group() as race:

            async def ring_after() -> None:
                await self._sleep(seconds)
                race.cancel_scope.cancel()

            race.start_soon(ring_after)
            await self._bell.wait(enough)
            race.cancel_scope.cancel()

    async def _deliver(self, sink: LogSink) -> bool:
        """Send the next batch; whether the sink has taken it."""
        end = self.spool.lines
        try:
            lines = self.spool.read(self._sent, self._batch_lines, self._batch_bytes)
            await sink.write(self._with_gaps(lines, end))
        except Exception as error:  # noqa: BLE001 - whatever a sink raises is a passing fault
            _log.warning("log lines could not be sent, trying again: %s", self._mask.text(repr(error)))
            self._retry_after = self._backoff.next(error.after if isinstance(error, Retry) else None)
            return False
        self._retry_after = None
        self._backoff.reset()
        with self._lock:
            self._sent = lines[-1].position + 1 if lines else end
            self._unsent_bytes -= sum(line.size for line in lines) if self._waiting() else self._unsent_bytes
        return True

    def _with_gaps(self, lines: list[LogLine], end: int) -> list[LogLine]:
        """The lines, with a notice wherever some are missing; if none came, all up to `end` are."""
        shown, expected = [], self._sent
        for line in lines:
            if line.position > expected:
                shown.append(_missing(expected, line.position, line.time))
            shown.append(line)
            expected = line.position + 1
        return shown or [_missing(expected, end, self._clock())]


@dataclass(frozen=True, slots=True)
class _Channel:
    """The text of one level on its way to whole lines."""

    stream: MaskStream
    splitter: LineSplitter

    def feed(self, data: bytes) -> list[str]:
        return self.splitter.feed(self.stream.feed(data))

    def finish(self) -> list[str]:
        return self.splitter.feed(self.stream.finish()) + self.splitter.finish()


def _missing(start: int, end: int, when: float) -> LogLine:
    """What stands in the log for the lines from `start` to `end`, which nobody can send any more."""
    count = end - start
    return LogLine(
        start, when, "warn", "[1 line is missing here]" if count == 1 else f"[{count} lines are missing here]"
    )
