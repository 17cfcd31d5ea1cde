"""How a local run is shown, and choosing it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Literal, Protocol, TextIO

from delegate_core.console.colours import colourful, redrawn
from delegate_drone.local.events import Event
from delegate_drone.local.writing import Writer

__all__ = ["KINDS", "Kind", "View", "open_view"]

Kind = Literal["auto", "live", "plain", "json"]
"""How to show it; ``auto`` is live in a terminal and plain elsewhere."""

KINDS: tuple[str, ...] = ("auto", "live", "plain", "json")


class View(Protocol):
    """Shows one run."""

    def show(self) -> AbstractAsyncContextManager[None]:
        """Be inside while it runs."""

    def tell(self, event: Event) -> None:
        """Show what happened."""


def open_view(
    kind: str,
    stream: TextIO,
    writer: Writer,
    *,
    environ: Mapping[str, str],
    several: bool,
    clock: Callable[[], float] = time.time,
) -> View:
    """The view of this kind.

    Args:
        kind: one of `Kind`.
        stream: the terminal, for its size and what it can show.
        writer: writes to the stream.
        environ: ``TERM``, ``CI``, ``NO_COLOR`` and ``FORCE_COLOR`` count.
        several: whether more than one pipeline runs, so that its name belongs to every line.
        clock: seconds since 1970.
    """
    colour = colourful(stream, environ)
    if kind == "live" or (kind == "auto" and _can_live(stream, environ)):
        from delegate_drone.local.live import LiveView  # noqa: PLC0415 - rich is loaded only where it is needed

        return LiveView(stream, writer, colour=colour, several=several, clock=clock)
    if kind == "json":
        from delegate_drone.local.json_lines import JsonView  # noqa: PLC0415 - only one of them is needed

        return JsonView(writer)
    from delegate_drone.local.plain import PlainView  # noqa: PLC0415 - the same

    return PlainView(writer, colour=colour, several=several)


def _can_live(stream: TextIO, environ: Mapping[str, str]) -> bool:
    unicode = (getattr(stream, "encoding", None) or "utf-8").lower().replace("-", "").startswith("utf")
    return unicode and redrawn(stream, environ)
