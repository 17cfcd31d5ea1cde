"""What is said on the control socket: one line of JSON each way, an order and its answer."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict

__all__ = ["LONGEST", "SOCKET", "Answer", "Order", "at_socket", "encoded", "new_socket"]

SOCKET: Final = "control"
"""The socket's name in the state folder."""

LONGEST: Final = 256 * 1024
"""Bytes of an order: its list of ids is the only thing that can be long."""


class Order(BaseModel):
    """What is to be done.

    Attributes:
        do: the order.
        ids: for the outbox, beginnings of task ids; none: all.
        reason: why, for people.
        seconds: for maintenance, after which it ends by itself; None: it does not.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    do: Literal["status", "pause", "resume", "maintain", "end", "drain", "stop", "reload", "retry", "drop"]
    ids: tuple[str, ...] = ()
    reason: str = ""
    seconds: float | None = None


class Answer(BaseModel):
    """What was done.

    Attributes:
        said: lines for people; for the outbox a task id, a tab, and what was done about it.
        error: why nothing was done; empty: it was done.
        code: with an error, the exit code of a command that gets it.
        state: of the runner, after it.
        pid: of the runner.
        within: seconds in which a drain ends at the latest.
        ready: whether it takes tasks and the server has answered lately; None: it is of a version that does not say.
        standing: how it stands, in a word of `delegate_core.runner.standing.WORDS`.
        why: the reason.
        since: seconds for which it has stood so; None: not known.
        running: slots that are taken.
        capacity: slots.
    """

    model_config = ConfigDict(frozen=True)

    said: tuple[str, ...] = ()
    error: str = ""
    code: int = 1
    state: str = ""
    pid: int = 0
    within: float = 0.0
    ready: bool | None = None
    standing: str = ""
    why: str = ""
    since: float | None = None
    running: int = 0
    capacity: int = 0


def encoded(said: Order | Answer, *, exclude_defaults: bool = False) -> bytes:
    """The line for it. Half a surrogate pair, as in an argument that is not UTF-8, becomes a question mark."""
    value = said.model_dump(exclude_defaults=exclude_defaults)
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "replace") + b"\n"


def at_socket(folder: Path, use: Callable[[str], None]) -> None:
    """Bind or connect by a path that is short enough however long the folder's own is: a socket's may have 107 bytes.

    Raises:
        OSError: there is no such folder, or `use` failed.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        short = Path(f"/proc/self/fd/{descriptor}")
        use(str((short if short.exists() else folder) / SOCKET))
    finally:
        os.close(descriptor)


def new_socket() -> socket.socket:
    """A socket that is not connected yet."""
    return socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
