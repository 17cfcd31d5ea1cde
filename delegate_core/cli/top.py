"""``delegate top``: the live view of a runner that runs elsewhere on this machine, or at an address."""

from __future__ import annotations

import os
import sys
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

import anyio

from delegate_core.beside import beside
from delegate_core.cli.finding import running_runner
from delegate_core.cli.running import in_event_loop
from delegate_core.console.colours import redrawn
from delegate_core.console.events import LogEvent
from delegate_core.console.look import Look
from delegate_core.console.printing import print_view
from delegate_core.console.screen import Screen
from delegate_core.console.view import ShownLine, View
from delegate_core.errors import DelegateError
from delegate_core.status import StatusAddress
from delegate_core.status.client import RemoteStatus, Target, target, view_of

__all__ = ["show_top"]

_INTERVAL: Final = 0.5
"""Seconds between two questions: as often as the view is drawn."""

_PATIENT_INTERVAL: Final = 2.0
"""The same where nobody has answered."""

_WARNINGS_EACH: Final = 4
"""Questions between two for the runner's log."""

_LINES: Final = 500
"""Lines of a log that are kept, as many as the runner itself keeps."""

Where = Callable[[], Target]
"""Where to ask; anew after each failure, as a runner that was started again may be elsewhere."""


def show_top(url: str | None, state_dir: Path | None, backend: str | None, name: str | None) -> int:
    """Show it until Ctrl-C or q; into a pipe, a CI system's log or a dumb terminal, once. Returns the exit status."""
    where: Where = (
        partial(target, url, os.environ) if url else partial(_local, running_runner(state_dir, backend, name))
    )
    where()  # a mistake in it is said before anything is drawn
    watched = redrawn(sys.stdout, os.environ)
    with suppress(KeyboardInterrupt):
        in_event_loop(partial(_watch if watched else _print_once, where))
    return 0


def _local(state_dir: Path) -> Target:
    found = StatusAddress.of(state_dir)
    return Target(found.url, found.token)


async def _print_once(where: Where) -> None:
    async with RemoteStatus(where()) as remote:
        view = view_of(await remote.report(), await remote.warnings())
    print_view(view, sys.stdout, os.environ)


async def _watch(where: Where) -> None:
    """Show it until somebody leaves. Who cannot be reached at the start is an error; later that is waited out."""
    async with RemoteStatus(where()) as remote:
        shown = _Shown(view_of(await remote.report(), await remote.warnings()))
    screen = Screen(sys.stdout, os.environ, sys.stdin)
    try:
        async with screen.showing(shown.view), beside(partial(_keep_following, where, shown, screen)):
            await screen.left()
    finally:
        await screen.settle()


async def _keep_following(where: Where, shown: _Shown, screen: Screen) -> None:
    """Follow for ever. A runner that does not answer is waited for, and that is said."""
    while True:
        try:
            async with RemoteStatus(where()) as remote:
                await _follow(remote, shown, screen)
        except DelegateError as error:
            shown.lose(str(error))
        await anyio.sleep(_PATIENT_INTERVAL)


async def _follow(remote: RemoteStatus, shown: _Shown, screen: Screen) -> None:
    """Ask again and again.

    Raises:
        StatusUnavailable: there was no answer.
    """
    number = 0
    while True:
        if number % _WARNINGS_EACH == 0:
            shown.warnings = await remote.warnings()
        shown.take(view_of(await remote.report(), shown.warnings))
        await _follow_log(remote, shown, screen.look)
        number += 1
        with anyio.move_on_after(_INTERVAL):
            await screen.turned()


async def _follow_log(remote: RemoteStatus, shown: _Shown, look: Look) -> None:
    if look.page != "log":
        return
    tail = shown.tail_of(look.selected)
    lines = await remote.lines(tail.task_id, tail.next)
    if lines is not None:
        tail.take(lines)


class _Tail:
    """The last lines of one task, as far as they have come."""

    def __init__(self, task_id: str) -> None:
        self.task_id = task_id
        self.known = False
        self.lines: deque[ShownLine] = deque(maxlen=_LINES)

    @property
    def next(self) -> int:
        """The number of the first line that is missing."""
        return self.lines[-1].number + 1 if self.lines else 0

    def take(self, lines: tuple[ShownLine, ...]) -> None:
        """Add lines."""
        self.known = True
        self.lines.extend(lines)


class _Shown:
    """What is drawn next."""

    def __init__(self, view: View) -> None:
        self.warnings: tuple[LogEvent, ...] = view.records
        self._view = view
        self._tail = _Tail("")
        self._heard = anyio.current_time()

    def view(self, look: Look) -> View:
        """It, for who looks at this."""
        view = self._view
        if view.lost:
            view = replace(view, silent=anyio.current_time() - self._heard)
        tail = self._tail
        if look.page == "log" and tail.known and tail.task_id == look.selected:
            view = replace(view, log=tuple(tail.lines))
        return view

    def take(self, view: View) -> None:
        """The runner has answered."""
        self._view, self._heard = view, anyio.current_time()

    def lose(self, why: str) -> None:
        """It has not; what was last heard of it stays."""
        self._view = replace(self._view, lost=why)

    def tail_of(self, task_id: str) -> _Tail:
        """The log that is looked at now."""
        if self._tail.task_id != task_id:
            self._tail = _Tail(task_id)
        return self._tail
