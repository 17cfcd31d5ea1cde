"""The head of the live view: who the runner is, how it feels, and what it has done."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from rich.text import Text

from delegate_core.console.cells import DIM, OUTCOMES, bar, cell, join, spread
from delegate_core.console.durations import duration
from delegate_core.console.view import View
from delegate_core.console.visible import visible

if TYPE_CHECKING:
    from delegate_core.runner.snapshot import Snapshot

__all__ = ["header"]

_STATES: Final = {
    "registering": "yellow",
    "running": "green",
    "paused": "yellow",
    "draining": "yellow",
    "stopping": "red",
}

_SLOT_CELLS: Final = 12


def header(view: View, width: int, alerts: int) -> list[Text]:
    """Four lines, and one for each thing that an operator should know now, at most so many."""
    now = view.snapshot
    lines = [
        spread(_who(view), _state(now), width),
        spread(Text(visible(now.session) or "not registered yet", DIM), _open_ends(now), width),
        spread(join(_slots(now), _ages(now), gap="   "), Text(), width),
        spread(_outcomes(now), Text(), width),
    ]
    return lines + list(_alerts(now, width))[:alerts]


def _who(view: View) -> Text:
    return Text.assemble((visible(view.snapshot.name), "bold"), (f"  {visible(view.backend)}", DIM))


def _state(now: Snapshot) -> Text:
    colour = _STATES.get(now.state, DIM)
    # Running, but the server has not answered lately: a green light would lie.
    shown, colour = (
        ("running, not ready", "yellow") if now.state == "running" and not now.ready else (now.state, colour)
    )
    return Text.assemble(("● ", colour), (shown, f"bold {colour}"), (f"  up {duration(now.uptime)}", DIM))


def _slots(now: Snapshot) -> Text:
    slots = bar(now.used, now.capacity, _SLOT_CELLS, "cyan")
    return join(Text("slots", DIM), slots, Text(f"{now.used:,} of {now.capacity:,}"))


def _ages(now: Snapshot) -> Text:
    return join(_age("heartbeat", now.since_heartbeat), _age("poll", now.since_poll))


def _age(what: str, seconds: float | None) -> Text:
    """In whole seconds: tenths would flicker."""
    age = "none yet" if seconds is None else f"{duration(seconds) if seconds >= 10 else f'{seconds:.0f}s'} ago"
    return Text.assemble((f"{what} ", DIM), cell(age, 11))


def _outcomes(now: Snapshot) -> Text:
    shown = [_outcome(name, now.finished.get(name, 0)) for name in OUTCOMES if now.finished.get(name)]
    return join(*shown) if shown else Text("no task finished yet", DIM)


def _outcome(name: str, number: int) -> Text:
    sign, colour = OUTCOMES[name]
    return Text.assemble((f"{sign} ", colour), f"{number:,} ", (name.replace("_", " "), DIM))


def _open_ends(now: Snapshot) -> Text:
    """What is not settled: reports that the server has not got, threads and logs that go on."""
    open_ends = (
        (now.backlog, "to report", "yellow"),
        (now.undeliverable, "undeliverable", "red"),
        (now.abandoned_threads, "stuck", "red"),
        (now.logs_open, "logs open", DIM),
    )
    shown = [Text.assemble((f"{number:,} ", style), (what, DIM)) for number, what, style in open_ends if number]
    return join(*shown)


def _alerts(now: Snapshot, width: int) -> Iterator[Text]:
    """The state's reason, why nothing is taken, and the last fault; no text twice."""
    said = {""}
    for label, style, text in (
        (now.state, "yellow", now.reason),
        *(("on hold", "yellow", hold) for hold in now.holds),
        ("trouble", "red", now.trouble),
    ):
        if text not in said:
            said.add(text)
            yield spread(Text.assemble((f"{label}: ", f"bold {style}"), visible(text)), Text(), width)
