"""An engine on another machine: the system's own ssh carries each connection to it.

    ssh -T -- user@host docker system dial-stdio

So keys, agents, jump hosts and known hosts are as in everybody's ``~/.ssh/config``, and nothing of them is ours.
"""

from __future__ import annotations

import logging
import subprocess
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import anyio
from anyio.abc import ByteReceiveStream, ByteSendStream, SocketStream

__all__ = ["ssh_command", "ssh_socket"]

_log = logging.getLogger(__name__)


def ssh_command(host: str) -> list[str]:
    """The command whose standard input and output are a connection to the engine of ``ssh://[user@]host[:port]``."""
    parts = urlsplit(host)
    port = ["-p", str(parts.port)] if parts.port else []
    user = ["-l", parts.username] if parts.username else []
    return ["ssh", "-T", "-o", "BatchMode=yes", *user, *port, "--", str(parts.hostname), "docker system dial-stdio"]


@asynccontextmanager
async def ssh_socket(host: str) -> AsyncIterator[Path]:
    """A socket of this machine, each connection to which is one to the engine of that host."""
    command = ssh_command(host)

    async def carry(connection: SocketStream) -> None:
        async with connection:
            await _carry(connection, command)

    with tempfile.TemporaryDirectory(prefix="delegate-ssh-") as folder:
        path = Path(folder) / "docker.sock"
        async with await anyio.create_unix_listener(path) as listener, anyio.create_task_group() as group:
            group.start_soon(listener.serve, carry)
            yield path
            group.cancel_scope.cancel()


async def _carry(connection: SocketStream, command: list[str]) -> None:
    """Carry one connection until either end closes it."""
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
        group.start_soon(_copy_out, connection, process.stdin)
        await _copy(process.stdout, connection)
        group.cancel_scope.cancel()
        process.terminate()


async def _copy_out(source: ByteReceiveStream, target: ByteSendStream) -> None:
    await _copy(source, target)
    await target.aclose()


async def _copy(source: ByteReceiveStream, target: ByteSendStream) -> None:
    try:
        async for data in source:
            await target.send(data)
    except (anyio.BrokenResourceError, anyio.ClosedResourceError, OSError):
        pass  # the other end has gone


async def _complain(stream: ByteReceiveStream) -> None:
    """Say what ssh says: why it cannot connect."""
    async for data in stream:
        for line in data.decode("utf-8", "replace").splitlines():
            _log.warning("ssh: %s", line)
