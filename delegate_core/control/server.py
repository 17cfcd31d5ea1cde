"""The socket in the state folder on which a running runner takes orders."""

from __future__ import annotations

import asyncio
import logging
import os
import pwd
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Final

import anyio
from pydantic import ValidationError

from delegate_core.control.wire import LONGEST, SOCKET, Answer, Order, at_socket, encoded, new_socket
from delegate_core.errors import DelegateError
from delegate_core.markers import hookimpl
from delegate_core.runner import Runner
from delegate_core.runner.outbox import Treated
from delegate_core.statefolder import FileIdentity

__all__ = ["ControlServer"]

_log = logging.getLogger(__name__)

_PATIENCE: Final = 5.0
"""Seconds that a caller has to say what it wants, and to take the answer."""

_RETRY: Final = 1.0
"""Seconds until the next try where the system has no descriptor for a caller."""

_CALLERS: Final = 16
"""Connections at one time; more are closed at once."""


class ControlServer:
    """Takes orders while its runner owns the state folder: a plugin of that runner, and a server beside it.

    Args:
        reload: reads a runner's settings again, and says in lines what that has changed.
    """

    def __init__(self, reload: Callable[[Runner], Awaitable[Sequence[str]]]) -> None:
        self._reload = reload
        self._runner: Runner | None = None
        self._owned = asyncio.Event()
        self._socket: FileIdentity | None = None
        self._callers = 0

    @hookimpl
    def runner_state(self, state: str) -> None:
        """The folder is the runner's own from its first state to its last."""
        if state != "stopped":
            self._owned.set()
        elif self._socket is not None:
            self._socket.remove()

    @asynccontextmanager
    async def serving(self, runner: Runner) -> AsyncIterator[None]:
        """Serve while the runner runs in the body."""
        self._runner = runner
        ended: DelegateError | None = None
        async with anyio.create_task_group() as group:
            group.start_soon(self._serve, runner)
            try:
                yield
            except DelegateError as error:
                ended = error  # raised outside, where no group wraps it
            group.cancel_scope.cancel()
        if ended is not None:
            raise ended

    async def _serve(self, runner: Runner) -> None:
        await self._owned.wait()
        try:
            listening = _bound(runner)
        except OSError as error:
            _log.warning("no orders can be given to this runner: %s/%s: %s", runner.state_dir, SOCKET, error.strerror)
            return
        self._socket = FileIdentity(runner.state_dir / SOCKET)
        with listening:
            async with anyio.create_task_group() as callers:
                async for connection in _accepted(listening):
                    callers.start_soon(self._meet, connection)

    async def _meet(self, connection: socket.socket) -> None:
        """One caller, one order."""
        reader, writer = await asyncio.open_unix_connection(sock=connection, limit=LONGEST)
        self._callers += 1
        try:
            if self._callers <= _CALLERS and (caller := _caller(connection)) in {0, os.geteuid()}:
                answer = await self._answer(await _line(reader), _name_of(caller))
                writer.write(encoded(answer))
                with anyio.move_on_after(_PATIENCE):
                    await writer.drain()
        except (OSError, ValueError):
            pass  # it has gone, or says too much
        finally:
            self._callers -= 1
            writer.close()

    async def _answer(self, line: bytes, by: str) -> Answer:
        try:
            order = Order.model_validate_json(line)
        except ValidationError:
            return Answer(error="this is no order that this version knows", code=2)
        try:
            said = await self._do(order, by)
        except DelegateError as error:
            return self._stamped(Answer(error=str(error), code=error.exit_code))
        except Exception as error:  # noqa: BLE001 - the caller gets an answer whatever it is
            _log.exception("the order to %s failed", order.do)
            return self._stamped(Answer(error=f"the runner failed: {type(error).__name__}: {error}"))
        return self._stamped(Answer(said=tuple(said)))

    def _stamped(self, answer: Answer) -> Answer:
        runner = self._here
        within = runner.settings.drain_timeout + runner.settings.grace
        snapshot = runner.snapshot()
        told = {
            "state": runner.state,
            "pid": os.getpid(),
            "within": within,
            "ready": snapshot.ready,
            "standing": snapshot.standing.word,
            "why": snapshot.standing.reason,
            "since": snapshot.standing.since,
            "running": snapshot.used,
            "capacity": snapshot.capacity,
        }
        return answer.model_copy(update=told)

    @property
    def _here(self) -> Runner:
        assert self._runner is not None  # noqa: S101 - for the type checker: it serves one
        return self._runner

    async def _do(self, order: Order, by: str) -> Sequence[str]:
        runner = self._here
        match order.do:
            case "pause":
                runner.pause(f"paused by {by}{_why(order)}")
            case "resume":
                runner.resume()
            case "maintain":
                runner.maintain(order.reason, by=by, seconds=order.seconds)
            case "end":
                runner.end_maintenance()
            case "drain":
                runner.drain(f"asked to drain by {by}{_why(order)}")
            case "stop":
                runner.stop(f"asked to stop by {by}{_why(order)}")
            case "reload":
                return await self._reload(runner)
            case "retry":
                return _lines(await runner.outbox.retry(order.ids))
            case "drop":
                return _lines(await runner.outbox.drop(order.ids))
        return ()


async def _accepted(listening: socket.socket) -> AsyncIterator[socket.socket]:
    """Callers without end. One that there is no descriptor for has to wait until there is."""
    failing = False
    while True:
        try:
            connection, _ = await asyncio.get_running_loop().sock_accept(listening)
        except OSError as error:
            if not failing:
                _log.warning("no orders can be taken for now: %s; trying again every second", error.strerror)
            failing = True
            await anyio.sleep(_RETRY)
        else:
            failing = False
            yield connection


async def _line(reader: asyncio.StreamReader) -> bytes:
    """What the caller says; nothing, if it takes too long for that."""
    with anyio.move_on_after(_PATIENCE):
        return await reader.readline()
    return b""


def _lines(treated: Sequence[Treated]) -> list[str]:
    return [f"{one.task_id}\t{one.what}" for one in treated]


def _bound(runner: Runner) -> socket.socket:
    """The socket, 0600 from its first moment. What an earlier life left is no obstacle: the folder is ours alone."""
    with suppress(FileNotFoundError):
        (runner.state_dir / SOCKET).unlink()
    listening = new_socket()
    before = os.umask(0o177)
    try:
        at_socket(runner.state_dir, listening.bind)
    except OSError:
        listening.close()
        raise
    finally:
        os.umask(before)
    listening.listen(_CALLERS)
    listening.setblocking(False)
    return listening


def _caller(connection: socket.socket) -> int:
    """The user who calls. Besides the socket's mode: only the runner's own user, or root, is heard."""
    if not hasattr(socket, "SO_PEERCRED"):
        return os.geteuid()
    _, user, _ = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    return int(user)


def _name_of(user: int) -> str:
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return f"user {user}"


def _why(order: Order) -> str:
    return f": {order.reason}" if order.reason else ""
