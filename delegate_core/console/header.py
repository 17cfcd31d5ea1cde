"""The head of the live view: who the runner is, how it feels, and what it has done."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from rich.text import Text

from delegate_core.console.cells import OUTCOMES, bar, cell, join, spread
from delegate_core.console.durations import duration
from delegate_core.console.notices import Notice, notices
from delegate_core.console.palette import BAD, BUSY, FAINT, GOOD, WARN
from delegate_core.console.rates import rates_line
from delegate_core.console.view import View
from delegate_core.console.visible import visible

if TYPE_CHECKING:
    from delegate_core.runner.snapshot import Snapshot

__all__ = ["header", "notice_line", "state_text"]

_STATES: Final = {
    "registering": WARN,
    "running": GOOD,
    "paused": WARN,
    "draining": WARN,
    "stopping": BAD,
}

_STANDS: Final = {"maintenance": WARN, "offline": WARN, "unauthorized": BAD}
"""Words for a runner that is not ready, where they say more than its state does."""

_HELD: Final = "held"
"""The word for one that takes nothing for now, whether the server has answered lately or not."""

_SLOT_CELLS: Final = 12


def header(view: View, width: int, alerts: int, *, rates: bool) -> list[Text]:
    """Four lines, one of rates if wanted and known, and one for each thing that an operator should know now.

    Args:
        view: what is shown.
        width: cells.
        alerts: how many such things at most; the last line says how many more there are.
        rates: whether there is room for them.
    """
    now = view.snapshot
    lines = [
        spread(_who(view), state_text(view), width),
        spread(Text(visible(now.session) or "not registered yet", FAINT), _open_ends(now), width),
        spread(join(_slots(now), _ages(now), gap="   "), Text(), width),
        spread(_outcomes(now), Text(), width),
    ]
    if rates and view.rates is not None:
        lines.append(spread(rates_line(view.rates, width), Text(), width))
    return lines + list(_alerts(notices(view), width, alerts))


def _who(view: View) -> Text:
    return Text.assemble((visible(view.snapshot.name), "bold"), (f"  {visible(view.backend)}", FAINT))


def state_text(view: View) -> Text:
    """The state in words, with its light."""
    now = view.snapshot
    if view.lost:
        return Text.assemble(("● ", BAD), ("no answer", f"{BAD}.bold"), (f"  for {duration(view.silent)}", FAINT))
    shown, colour = now.state, _STATES.get(now.state, FAINT)
    word = now.standing.word
    if word == _HELD:
        shown, colour = _HELD, WARN
    elif not now.ready and word in _STANDS:
        shown, colour = word, _STANDS[word]
    elif now.state == "running" and not now.ready:
        # The server has not answered lately: a green light would lie.
        shown, colour = "running, not ready", WARN
    return Text.assemble(("● ", colour), (shown, f"{colour}.bold"), (f"  up {duration(now.uptime)}", FAINT))


def _slots(now: Snapshot) -> Text:
    slots = bar(now.used, now.capacity, _SLOT_CELLS, BUSY)
    return join(Text("slots", FAINT), slots, Text(f"{now.used:,} of {now.capacity:,}"))


def _ages(now: Snapshot) -> Text:
    return join(_age("heartbeat", now.since_heartbeat), _age("poll", now.since_poll))


def _age(what: str, seconds: float | None) -> Text:
    """In whole seconds: tenths would flicker."""
    age = "none yet" if seconds is None else f"{duration(seconds) if seconds >= 10 else f'{seconds:.0f}s'} ago"
    return Text.assemble((f"{what} ", FAINT), cell(age, 11))


def _outcomes(now: Snapshot) -> Text:
    shown = [_outcome(name, now.finished.get(name, 0)) for name in OUTCOMES if now.finished.get(name)]
    return join(*shown) if shown else Text("no task finished yet", FAINT)


def _outcome(name: str, number: int) -> Text:
    sign, colour = OUTCOMES[name]
    return Text.assemble((f"{sign} ", colour), f"{number:,} ", (name.replace("_", " "), FAINT))


def _open_ends(now: Snapshot) -> Text:
    """What is not settled: reports that the server has not got, threads and logs that go on."""
    open_ends = (
        (now.backlog, "to report", WARN),
        (now.undeliverable, "undeliverable", BAD),
        (now.abandoned_threads, "stuck", BAD),
        (now.logs_open, "logs open", FAINT),
    )
    shown = [Text.assemble((f"{number:,} ", style), (what, FAINT)) for number, what, style in open_ends if number]
    return join(*shown)


def _alerts(found: Sequence[Notice], width: int, most: int) -> Iterator[Text]:
    """As many as fit; the last line also says how many did not."""
    hidden = len(found) - most
    for at, notice in enumerate(found[:most], 1):
        more = f"+{hidden} more" if hidden > 0 and at == most else ""
        yield notice_line(notice, width, more)


def notice_line(notice: Notice, width: int, more: str = "") -> Text:
    """One line; what to do stays in sight where the text has no room."""
    style = BAD if notice.severe else WARN
    text = Text.assemble((f"▲ {notice.label}: ", f"{style}.bold"), visible(notice.text))
    cure = Text.assemble((f"→ {notice.cure}", "bold") if notice.cure else "", (f"  {more}" if more else "", FAINT))
    if cure and text.cell_len + 2 + cure.cell_len <= width:
        return spread(text.append("  ").append_text(cure), Text(), width)
    return spread(text, cure, width)
