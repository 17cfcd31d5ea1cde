"""Telling systemd how the runner is, by sd_notify(3): ready, stopping, and that its loop goes round."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import MutableMapping
from typing import Self

import anyio

from delegate_core.markers import hookimpl

__all__ = ["Notifier"]

_SOCKET, _WATCHDOG, _WATCHED = "NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"
_READY = frozenset({"running", "paused"})
_LEAVING = frozenset({"draining", "stopping", "stopped"})


class Notifier:
    """A plugin of one runner. Without a service manager it does nothing.

    The watchdog is fed by a task of the runner's own event loop, whatever the server does: an outage of the control
    plane must not end builds that run.

    Args:
        address: of the service manager's socket; None: there is none.
        watchdog: seconds after which the manager ends a runner that has not been heard of; None: never.
    """

    def __init__(self, address: str | None, watchdog: float | None = None) -> None:
        self._address = "\0" + address[1:] if address and address.startswith("@") else address
        self._watchdog = watchdog
        self._ready = False
        self._leaving = False

    @classmethod
    def of(cls, environ: MutableMapping[str, str]) -> Self:
        """What systemd has said to this process. The variables are taken out: no child is to speak for the runner."""
        address, wait, pid = (environ.pop(name, None) for name in (_SOCKET, _WATCHDOG, _WATCHED))
        meant = pid is None or pid == str(os.getpid())
        usable = meant and wait is not None and wait.isdecimal() and int(wait) > 0
        return cls(address, int(wait) / 1e6 if usable and wait else None)

    @hookimpl
    def runner_state(self, state: str, reason: str) -> None:
        """Ready once it is registered, stopping as soon as it drains; the rest is for ``systemctl status``."""
        lines = [f"STATUS={state}: {' '.join(reason.split())}" if reason else f"STATUS={state}"]
        if state in _READY and not self._ready:
            self._ready = True
            lines.append("READY=1")
        if state in _LEAVING and not self._leaving:
            self._leaving = True
            lines.append("STOPPING=1")
        self._send(*lines)

    async def feed(self) -> None:
        """Feed the watchdog, twice as often as needed. Ends by cancellation."""
        while self._watchdog is not None:
            self._send("WATCHDOG=1")
            await anyio.sleep(self._watchdog / 2)

    def _send(self, *lines: str) -> None:
        """A message is lost where nobody listens, or reads too slowly: the runner does not wait for it."""
        if self._address is None:
            return
        with (
            contextlib.suppress(OSError),
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as out,
        ):
            out.setblocking(False)
            out.connect(self._address)
            out.send("\n".join(lines).encode())
