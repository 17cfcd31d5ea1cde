"""Live log streams and stored logs, in memory and bounded."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Iterable
from typing import Any

import anyio
from pydantic import BaseModel, ConfigDict, TypeAdapter, model_validator

from .wire import without_nulls

__all__ = ["Line", "LogStore", "LogStream", "parse_lines"]

RING_LINES = 5_000
LINE_BYTES = 25_600
CUT_SUFFIX = "... (log line truncated)"
DEFAULT_TTL_SECONDS = 5 * 3600
_MOST_STREAMS = 1_000
_MOST_BLOB_BYTES = 256 * 1024 * 1024


class Line(BaseModel):
    """One log line as clients write it; ``time`` is kept as sent."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    level: str = ""
    pos: int = 0
    out: str = ""
    time: str = ""
    args: dict[str, str] = {}

    @model_validator(mode="before")
    @classmethod
    def _drop_nulls(cls, data: Any) -> Any:
        return without_nulls(data)

    def cut(self) -> Line:
        """The same, its text no longer than the service keeps."""
        raw = self.out.encode()
        if len(raw) <= LINE_BYTES:
            return self
        return self.model_copy(update={"out": raw[:LINE_BYTES].decode(errors="ignore") + CUT_SUFFIX})


_Lines = TypeAdapter(list[Line])


def parse_lines(body: bytes) -> list[Line]:
    """The lines of a write; raises pydantic's ValidationError."""
    return _Lines.validate_json(body)


class LogStream:
    """One open stream: the last 5,000 lines and a way to wait for more."""

    def __init__(self, expires: float) -> None:
        self.expires = expires
        self.closed = False
        self.written = 0
        """Lines written since it was opened, with those the ring has dropped."""
        self._ring: deque[Line] = deque(maxlen=RING_LINES)
        self._changed = anyio.Event()

    def write(self, lines: Iterable[Line]) -> None:
        """Append lines; the oldest give way."""
        for line in lines:
            self._ring.append(line.cut())
            self.written += 1
        self._wake()

    def close(self) -> None:
        """End the stream for those who read it."""
        self.closed = True
        self._wake()

    def since(self, position: int) -> list[Line]:
        """The lines from that count on, as far as the ring still has them."""
        missing = min(self.written - position, len(self._ring))
        return list(self._ring)[len(self._ring) - missing :]

    async def changed(self) -> None:
        """Return at the next write, or at the close."""
        await self._changed.wait()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()


class LogStore:
    """Streams and blobs by account and key.

    At most 1,000 streams and 256 MiB of blobs are kept; the oldest go first.

    Args:
        clock: Seconds since the epoch, for the life time of streams.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._streams: OrderedDict[tuple[str, str], LogStream] = OrderedDict()
        self._blobs: OrderedDict[tuple[str, str], bytes] = OrderedDict()
        self._blob_bytes = 0
        self._listeners: list[Callable[[], None]] = []

    def subscribe(self, listener: Callable[[], None]) -> None:
        """Have ``listener`` called after every change."""
        self._listeners.append(listener)

    def open(self, account_id: str, key: str, ttl: float = DEFAULT_TTL_SECONDS) -> None:
        """Open a stream for ``ttl`` seconds; one that is open is wiped."""
        former = self._streams.pop((account_id, key), None)
        if former is not None:
            former.close()
        self._streams[account_id, key] = LogStream(self._clock() + ttl)
        while len(self._streams) > _MOST_STREAMS:
            self._streams.popitem(last=False)[1].close()
        self._changed()

    def stream(self, account_id: str, key: str) -> LogStream:
        """The open stream; KeyError where there is none or its time is over."""
        stream = self._streams[account_id, key]
        if self._clock() < stream.expires:
            return stream
        del self._streams[account_id, key]
        stream.close()
        raise KeyError(key)

    def write(self, account_id: str, key: str, lines: Iterable[Line]) -> None:
        """Append lines; KeyError where no such stream is open."""
        self.stream(account_id, key).write(lines)
        self._changed()

    def lines(self, account_id: str, key: str) -> list[Line]:
        """What an open stream holds; KeyError where no such stream is open."""
        return self.stream(account_id, key).since(0)

    def open_keys(self, account_id: str, prefix: str = "") -> list[str]:
        """Keys of the account's open streams that begin so."""
        return [key for account, key in self._streams if account == account_id and key.startswith(prefix)]

    def close(self, account_id: str, key: str, *, snapshot: bool = False) -> None:
        """Close a stream; KeyError where no such stream is open.

        Args:
            account_id: Whose.
            key: Which.
            snapshot: Store what the ring holds as the final log.
        """
        stream = self.stream(account_id, key)
        del self._streams[account_id, key]
        stream.close()
        if snapshot:
            text = "".join(f"{line.model_dump_json()}\n" for line in stream.since(0))
            self.put_blob(account_id, key, text.encode())
        self._changed()

    def put_blob(self, account_id: str, key: str, content: bytes) -> None:
        """Store a final log; a former one is replaced."""
        self._blob_bytes -= len(self._blobs.pop((account_id, key), b""))
        self._blobs[account_id, key] = content
        self._blob_bytes += len(content)
        while self._blob_bytes > _MOST_BLOB_BYTES:
            self._blob_bytes -= len(self._blobs.popitem(last=False)[1])
        self._changed()

    def blob(self, account_id: str, key: str) -> bytes:
        """The final log; KeyError where there is none."""
        return self._blobs[account_id, key]

    def _changed(self) -> None:
        for listener in self._listeners:
            listener()
