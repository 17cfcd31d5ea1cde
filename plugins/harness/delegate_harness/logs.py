"""Logs of Harness tasks: a live stream, and the whole log at the end, in the log service."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import anyio
import anyio.to_thread
from pydantic_core import to_json

from delegate_core.http import Reply, Transport, TransportError, operation
from delegate_core.logs import LogLine, LogSink, Spool, Stored
from delegate_core.model import Task
from delegate_harness.claiming import HarnessTask
from delegate_harness.client import printable
from delegate_harness.logtarget import LogTarget

if TYPE_CHECKING:
    from delegate_harness.session import HarnessSession

__all__ = ["LogService", "ServiceSink", "open_sink"]

_log = logging.getLogger(__name__)

_OPEN_TIMEOUT, _WRITE_TIMEOUT, _UPLOAD_TIMEOUT, _CLOSE_TIMEOUT = 10.0, 15.0, 60.0, 15.0

_LONGEST_LINE = 25_000
"""Bytes of a line of the live stream: the service cuts what is a little longer."""

_CUT = " [cut; the stored log has all of it]"

_NOTHING = "\0"
"""What no text of a service has, in place of an empty token."""

_FORGOTTEN = "not found"
"""In the text of the 400 for a stream that the service does not know."""


class LogServiceFault(Exception):
    """The log service answered with an error."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


async def open_sink(session: HarnessSession, task: Task, stream: str, address: str | None) -> LogSink | None:
    """Open the log of a task, or of one of its steps. None: there is no service, or the task names no log.

    Address and token come with the task; else the address is ``address``, and the manager is asked for a token.
    """
    target = task.log if isinstance(task, HarnessTask) else LogTarget()
    key, address = _key(task, stream), target.url or address
    if not address or not key:
        return None
    token = target.token.get_secret_value() or await session.client.logging_token()
    service = LogService(session.client.transport, address, session.client.account_id, token, indirect=target.indirect)
    await service.open(key)
    return ServiceSink(service, key)


def _key(task: Task, stream: str) -> str:
    base = task.state.get("log_key", "") if isinstance(task.state, dict) else ""
    return f"{base}-commandUnit:{stream}" if base and stream else str(base or "")


class LogService:
    """Calls of one account to one log service. Keys hold slashes and colons and are escaped here."""

    def __init__(self, transport: Transport, base: str, account_id: str, token: str, *, indirect: bool = False) -> None:
        self._indirect = indirect
        self._transport = transport
        self._base = base.rstrip("/")
        self._account_id = account_id
        self._headers = {"X-Harness-Token": token, "Content-Type": "application/json"}

    @operation("log_open")
    async def open(self, key: str) -> None:
        """Open a live stream; an open one of this key is emptied."""
        await self._call("POST", "/stream", key, timeout=_OPEN_TIMEOUT)

    @operation("log_write")
    async def write(self, key: str, lines: Sequence[LogLine]) -> None:
        """Add lines to the live stream."""
        body = to_json([_wire_line(line, _shortened(line.text)) for line in lines])
        await self._call("PUT", "/stream", key, body, timeout=_WRITE_TIMEOUT)

    @operation("log_close")
    async def close(self, key: str, *, snapshot: bool = False) -> None:
        """Close the live stream: who follows it sees the end.

        With a ``snapshot`` the service stores what it has of the stream, its last 5,000 lines, as the log.
        """
        more = {"snapshot": "true"} if snapshot else {}
        await self._call("DELETE", "/stream", key, timeout=_CLOSE_TIMEOUT, more=more)

    @operation("log_upload")
    async def upload(self, key: str, body: bytes) -> None:
        """Store the whole log: at a link from the service; where that fails or must not be, at the service itself."""
        if self._indirect:
            await self._call("POST", "/blob", key, body, timeout=_UPLOAD_TIMEOUT)
            return
        try:
            reply = await self._call("POST", "/blob/link/upload", key, timeout=_OPEN_TIMEOUT)
            link = str(reply.json()["link"])
            stored = await self._transport.request("PUT", link, headers={}, body=body, timeout=_UPLOAD_TIMEOUT)
            self._check(stored, "its upload link")
        except (TransportError, LogServiceFault, KeyError, TypeError):
            await self._call("POST", "/blob", key, body, timeout=_UPLOAD_TIMEOUT)

    async def _call(
        self,
        method: str,
        path: str,
        key: str,
        body: bytes | None = None,
        *,
        timeout: float,  # noqa: ASYNC109 - the transport bounds it
        more: Mapping[str, str] | None = None,
    ) -> Reply:
        url = f"{self._base}{path}?{urlencode({'accountID': self._account_id, 'key': key, **(more or {})})}"
        reply = await self._transport.request(method, url, headers=self._headers, body=body, timeout=timeout)
        return self._check(reply, f"{self._base}{path}")

    def _check(self, reply: Reply, where: str) -> Reply:
        """The reply, unless it is an error. Only the service's own words are quoted, and never our token."""
        if not 200 <= reply.status < 300:
            words = _error_text(reply, self._headers["X-Harness-Token"])
            raise LogServiceFault(f"the log service ({where}) answered {reply.status}{words}", reply.status)
        return reply


class ServiceSink:
    """One open stream of the log service."""

    def __init__(self, service: LogService, key: str) -> None:
        self._service = service
        self._key = key

    async def write(self, lines: Sequence[LogLine]) -> None:
        """Send a batch. Where the service does not know the stream any more (it restarted), open it again first."""
        try:
            await self._service.write(self._key, lines)
        except LogServiceFault as fault:
            if fault.status != 400 or _FORGOTTEN not in str(fault):
                raise
            await self._service.open(self._key)
            await self._service.write(self._key, lines)

    async def finish(self, spool: Spool) -> Stored:
        """Upload the whole log, then close the stream: so a reader finds the one before the other ends.

        Where the upload fails, the service is asked to keep at least what it has of the stream.
        """
        stored = False
        try:
            await self._service.upload(self._key, await anyio.to_thread.run_sync(_blob, spool))
            stored = True
        finally:
            await self._close(snapshot=not stored)
        return Stored(stored=True)

    async def _close(self, *, snapshot: bool) -> None:
        try:
            await self._service.close(self._key, snapshot=snapshot)
        except (LogServiceFault, TransportError) as error:
            _log.debug("the stream %s could not be closed: %s", self._key, error)


def _error_text(reply: Reply, token: str) -> str:
    try:
        found = reply.json()
    except TransportError:
        return ""
    text = found.get("error_msg") if isinstance(found, dict) else None
    return f": {printable(text.replace(token or _NOTHING, '***')[:200])}" if isinstance(text, str) else ""


def _blob(spool: Spool) -> bytes:
    """The spool as newline-delimited JSON; what the spool had to drop is said in its first line."""
    lines = list(_all_lines(spool))
    if spool.dropped.lines:
        first = lines[0] if lines else LogLine(0, 0.0, "warn", "")
        which = "" if spool.error else "the first "  # a disk that is full takes the beginning, and not the end
        notice = f"[{which}{spool.dropped.lines} lines were dropped: {spool.shortfall}]"
        lines.insert(0, LogLine(first.position, first.time, "warn", notice))
    return b"".join(to_json(_wire_line(line, line.text)) + b"\n" for line in lines)


def _all_lines(spool: Spool) -> Iterable[LogLine]:
    position = spool.first
    while lines := spool.read(position):
        yield from lines
        position = lines[-1].position + 1


def _shortened(text: str) -> str:
    if len(text) <= _LONGEST_LINE // 4:  # no character has more than four bytes
        return text
    whole = text.encode()
    if len(whole) <= _LONGEST_LINE:
        return text
    return whole[: _LONGEST_LINE - len(_CUT)].decode("utf-8", "ignore") + _CUT


def _wire_line(line: LogLine, text: str) -> dict[str, object]:
    return {
        "level": line.level,
        "pos": line.position,
        "out": text + "\n",
        "time": datetime.fromtimestamp(line.time, UTC).isoformat().replace("+00:00", "Z"),
        "args": None,
    }
