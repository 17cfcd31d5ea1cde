"""An engine on another machine: the system's own ssh carries each connection to it.

    ssh -T -- user@host docker system dial-stdio

So keys, agents, jump hosts and known hosts are as in everybody's ``~/.ssh/config``, and nothing of them is ours.
"""

from __future__ import annotations

import asyncio
import logging
import subprocess
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import anyio
from anyio.abc import ByteReceiveStream, ByteSendStream, TaskGroup

__all__ = ["ssh_command", "ssh_socket"]

_log = logging.getLogger(__name__)

_GONE = (anyio.BrokenResourceError, anyio.ClosedResourceError, OSError)
"""What is raised where the other end has gone."""

_CHUNK = 65536


def ssh_command(host: str) -> list[str]:
    """The command whose standard input and output are a connection to the engine of ``ssh://[user@]host[:port]``."""
    parts = urlsplit(host)
    port = ["-p", str(parts.port)] if parts.port else []
    user = ["-l", parts.username] if parts.username else []
    return ["ssh", "-T", "-o", "BatchMode=yes", *user, *port, "--", str(parts.hostname), "docker system dial-stdio"]


@asynccontextmanager
async def ssh_socket(host: str) -> AsyncIterator[Path]:
    """A socket of this machine, each connection to which is one to the engine of that host."""
    with tempfile.TemporaryDirectory(prefix="delegate-ssh-") as folder:
        path = Path(folder) / "docker.sock"
        async with anyio.create_task_group() as group:
            carriers = _Carriers(ssh_command(host), group)
            server = await asyncio.start_unix_server(carriers.take, path)
            try:
                yield path
            finally:
                server.close()
                carriers.end()


class _Carriers:
    """What carries each connection. None falls with another, or with who is cancelled: that has to clean up by them."""

    def __init__(self, command: list[str], group: TaskGroup) -> None:
        self._command = command
        self._group = group
        self._scopes: set[anyio.CancelScope] = set()

    def take(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        """Carry one connection until either end closes it."""
        scope = anyio.CancelScope(shield=True)
        self._scopes.add(scope)
        self._group.start_soon(self._carry, scope, source, target)

    def end(self) -> None:
        """Break all of them."""
        for scope in self._scopes:
            scope.cancel()

    async def _carry(
        self, scope: anyio.CancelScope, source: asyncio.StreamReader, target: asyncio.StreamWriter
    ) -> None:
        try:
            with scope:
                await _carry(source, target, self._command)
        except Exception as error:  # noqa: BLE001 - the other connections go on, whatever it was
            _log.warning("a connection by ssh broke: %r", error)
        finally:
            self._scopes.discard(scope)
            target.close()


async def _carry(source: asyncio.StreamReader, target: asyncio.StreamWriter, command: list[str]) -> None:
    try:
        process = await anyio.open_process(command, stderr=subprocess.PIPE, start_new_session=True)
    except OSError as error:
        _log.warning("cannot start ssh: %s", error.strerror)
        return
    async with process, anyio.create_task_group() as group:
        assert process.stdin is not None  # noqa: S101 - for the type checker, as the next
        assert process.stdout is not None  # noqa: S101
        assert process.stderr is not None  # noqa: S101
        group.start_soon(_complain, process.stderr)
        group.start_soon(_copy_out, source, process.stdin)
        await _copy_in(process.stdout, target)
        group.cancel_scope.cancel()
        with suppress(ProcessLookupError):  # it has ended by itself, and all that it said has been read
            process.terminate()


async def _copy_in(source: ByteReceiveStream, target: asyncio.StreamWriter) -> None:
    with suppress(*_GONE):
        async for data in source:
            target.write(data)
            await target.drain()


async def _copy_out(source: asyncio.StreamReader, target: ByteSendStream) -> None:
    with suppress(*_GONE):
        while data := await source.read(_CHUNK):
            await target.send(data)
    await target.aclose()


async def _complain(stream: ByteReceiveStream) -> None:
    """Say what ssh says: why it cannot connect."""
    async for data in stream:
        for line in data.decode("utf-8", "replace").splitlines():
            _log.warning("ssh: %s", line)
