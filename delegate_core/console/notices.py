"""What an operator should know now: why tasks wait, what needs somebody, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from delegate_core.console.durations import duration
from delegate_core.console.view import View
from delegate_core.runner.readiness import waiting

if TYPE_CHECKING:
    from delegate_core.runner.snapshot import Snapshot

__all__ = ["Notice", "idle_reason", "notices"]

_ENDED_BY: Final = {"paused": "delegate resume", "maintenance": "delegate maintenance off"}
"""By an operator's order, and what takes it back."""


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing. ``cure`` says what to do, empty where waiting is all; ``severe``: it does not pass by itself."""

    label: str
    text: str
    cure: str = ""
    severe: bool = False


def notices(view: View) -> list[Notice]:
    """All of them, the most urgent first; no text twice."""
    said = {""}
    found = []
    for notice in _all(view):
        if notice.text not in said:
            said.add(notice.text)
            found.append(notice)
    return found


def _all(view: View) -> Iterator[Notice]:
    now = view.snapshot
    if view.lost:
        yield Notice("no answer", view.lost, "waiting for it; q leaves" if view.elsewhere else "", severe=True)
    for obstacle in now.obstacles:
        yield Notice("in the way", obstacle, severe=True)
    if now.trouble and not now.ready:
        yield _trouble(now)
    yield from _state(now)
    yield from _needs(now)
    for hold in now.holds:
        if hold != now.reason:
            yield Notice("on hold", hold)
    if now.trouble and now.ready:
        yield _trouble(now)
    for advice in now.advice:
        yield Notice(advice.about, advice.text, advice.cure)


def _state(now: Snapshot) -> Iterator[Notice]:
    """Why it is in its state."""
    if now.state in {"draining", "stopping"}:
        yield _ending(now)
    elif now.standing.word in _ENDED_BY and not now.ready:
        yield Notice(now.standing.word, now.standing.reason, _ENDED_BY[now.standing.word])
    elif now.reason:
        yield Notice(now.state, now.reason, "delegate resume" if now.state == "paused" else "")


def _ending(now: Snapshot) -> Notice:
    """What is still to be done before it leaves, and how long that may take."""
    parts = [
        f"{number:,} {what}"
        for number, what in ((len(now.running), "running"), (now.backlog, "to report"), (now.logs_open, "logs open"))
        if number
    ]
    left = f"; {duration(now.drain_left)} left" if now.drain_left is not None else ""
    rest = f" ({', '.join(parts)}{left})" if parts else ""
    return Notice(now.state, f"{now.reason}{rest}")


def _trouble(now: Snapshot) -> Notice:
    """The last fault; where the server has not answered for long, since when."""
    if now.standing.word == "unauthorized":
        return Notice("unauthorized", now.trouble, "delegate doctor", severe=True)
    if now.ready or now.since_contact is None:
        return Notice("trouble", now.trouble)
    return Notice(f"no contact for {duration(now.since_contact)}", now.trouble, "delegate doctor", severe=True)


def _needs(now: Snapshot) -> Iterator[Notice]:
    """What waits for somebody."""
    if now.undeliverable:
        results = "1 result" if now.undeliverable == 1 else f"{now.undeliverable:,} results"
        yield Notice("kept aside", f"{results} can never be delivered", "delegate outbox list", severe=True)
    if now.abandoned_threads:
        threads = "1 thread" if now.abandoned_threads == 1 else f"{now.abandoned_threads:,} threads"
        yield Notice(
            "stuck", f"slots taken by handlers that do not end: {threads}", "a restart frees them", severe=True
        )
    for problem in now.problems:
        yield Notice("left out", problem, "delegate plugins list", severe=True)


def idle_reason(view: View) -> str:
    """Why nothing runs, where nothing does."""
    now = view.snapshot
    if view.lost:
        return "nothing was running"
    asked = f", asked {now.since_poll:.0f}s ago" if now.ready and not now.holds and now.since_poll is not None else ""
    return f"nothing: {waiting(now)}{asked}"
