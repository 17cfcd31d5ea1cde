"""``delegate top``: the live view of a runner that runs elsewhere on this machine, or at an address."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

import anyio

from delegate_core.beside import beside
from delegate_core.cli.folders import folder_of
from delegate_core.cli.running import in_event_loop
from delegate_core.console.events import LogEvent
from delegate_core.console.screen import Screen
from delegate_core.console.view import View
from delegate_core.status import StatusAddress
from delegate_core.status.client import RemoteStatus, StatusUnavailable, Target, target, view_of

__all__ = ["show_top"]

_INTERVAL: Final = 0.5
"""Seconds between two questions: as often as the view is drawn."""

_WARNINGS_EACH: Final = 4
"""Questions between two for the runner's log."""


def show_top(url: str | None, state_dir: Path | None, backend: str | None, name: str | None) -> int:
    """Show it until Ctrl-C; where nobody watches, once. Returns the exit status."""
    where = target(url, os.environ) if url else _local(folder_of(state_dir, backend, name))
    with suppress(KeyboardInterrupt):
        in_event_loop(partial(_watch if sys.stdout.isatty() else _print_once, where))
    return 0


def _local(state_dir: Path) -> Target:
    found = StatusAddress.of(state_dir)
    return Target(found.url, found.token)


async def _print_once(where: Target) -> None:
    async with RemoteStatus(where) as remote:
        view = view_of(await remote.report(), await remote.warnings())
    screen = Screen(sys.stdout, colour=False)
    screen.print_view(view)
    await screen.settle()


async def _watch(where: Target) -> None:
    async with RemoteStatus(where) as remote:
        shown = _Shown(view_of(await remote.report(), await remote.warnings()))
        screen = Screen(sys.stdout, colour=not os.environ.get("NO_COLOR"))
        live = screen.open()
        try:
            with live:
                async with beside(partial(screen.draw, live, lambda: shown.view)):
                    await _follow(remote, shown)
        finally:
            await screen.settle()


class _Shown:
    """What is drawn next."""

    def __init__(self, view: View) -> None:
        self.view = view
        self.warnings: tuple[LogEvent, ...] = view.records


async def _follow(remote: RemoteStatus, shown: _Shown) -> None:
    """Ask again and again. A runner that does not answer is waited for, and that is said."""
    number = 0
    while True:
        await anyio.sleep(_INTERVAL)
        number += 1
        try:
            if number % _WARNINGS_EACH == 0:
                shown.warnings = await remote.warnings()
            shown.view = view_of(await remote.report(), shown.warnings)
        except StatusUnavailable as error:
            gone = replace(shown.view.snapshot, ready=False, trouble=str(error))
            shown.view = replace(shown.view, snapshot=gone)
