"""How fast things go: figures of the last minutes, and sparklines of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from rich.text import Text

from delegate_core.console.cells import cell, join
from delegate_core.console.durations import duration
from delegate_core.console.palette import BAD, BUSY, FAINT, GOOD
from delegate_core.console.view import Rates

__all__ = ["rates_line", "spark"]

_BLOCKS: Final = "▁▂▃▄▅▆▇█"

_MINUTE: Final = 60.0

_AROUND: Final = 59
"""Cells of the line without its sparklines."""

_SPARKS: Final = 4
_LENGTHS: Final = (30, 20, 15, 12, 10, 6, 5)
"""Cells of one sparkline: parts of sixty, so that each stands for the same number of intervals."""


def rates_line(rates: Rates, width: int) -> Text:
    """Tasks finished and failed a minute, pick-up time and log throughput, each with its last five minutes."""
    length = next((one for one in _LENGTHS if one <= (width - _AROUND) // _SPARKS), _LENGTHS[-1])
    minute = max(1, round(_MINUTE / rates.interval))
    finished, failed = (_a_minute(counts, minute) for counts in (rates.finished, rates.failed))
    return join(
        _figure("done", rates, rates.finished, length, cell(finished, 7), GOOD),
        _figure("failed", rates, rates.failed, length, cell(failed, 6), BAD),
        _figure("pick-up", rates, rates.pickup, length, cell(_pickup(rates.pickup[-minute:]), 5), BUSY),
        _figure("log", rates, rates.log_bytes, length, cell(_throughput(rates), 7), BUSY),
    )


def _figure(label: str, rates: Rates, values: Sequence[float | None], length: int, figure: Text, style: str) -> Text:
    shown = spark(values, rates.number, length)
    return Text.assemble((f"{label} ", FAINT), (shown, style), " ", figure, no_wrap=True)


def spark(values: Sequence[float | None], number: int, length: int, whole: int = 60) -> str:
    """A sparkline: the lowest block is nothing, the highest the most of what is shown; a blank is not known.

    Args:
        values: of the intervals, the latest last.
        number: of the latest interval. Which intervals share a cell depends on their numbers, not on the moment, so
            that what is drawn moves to the left and keeps its shape.
        length: cells.
        whole: intervals that all cells together stand for.
    """
    each = max(1, whole // length)
    cells: dict[int, list[float]] = {}
    for back, value in enumerate(reversed(values)):
        if value is not None:
            cells.setdefault((number - back) // each, []).append(value)
    last = number // each
    means = [_mean(cells.get(one)) for one in range(last - length + 1, last + 1)]
    most = max((mean for mean in means if mean is not None), default=0.0)
    return "".join(_block(mean, most) for mean in means)


def _mean(values: Iterable[float] | None) -> float | None:
    found = list(values or ())
    return sum(found) / len(found) if found else None


def _block(value: float | None, most: float) -> str:
    if value is None:
        return " "
    if value <= 0 or most <= 0:
        return _BLOCKS[0]
    return _BLOCKS[min(len(_BLOCKS) - 1, 1 + int(value / most * (len(_BLOCKS) - 2)))]


def _a_minute(counts: Sequence[int], minute: int) -> str:
    """How many in the last minute."""
    return f"{_short(sum(counts[-minute:]))}/min" if counts else "-"


def _pickup(lately: Sequence[float | None]) -> str:
    mean = _mean(value for value in lately if value is not None)
    if mean is None:
        return "-"
    return f"{mean * 1000:.0f}ms" if mean < 0.9995 else duration(mean)


def _throughput(rates: Rates) -> str:
    """Bytes a second over the last two intervals."""
    lately = rates.log_bytes[-2:]
    return f"{_short(sum(lately) / len(lately) / rates.interval)}B/s" if lately else "-"


def _short(number: float) -> str:
    """Three characters or so: ``7``, ``42``, ``999``, ``1.2k``, ``34k``, ``5.6M``."""
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= 0.9995 * size:
            part = number / size
            return f"{part:.0f}{unit}" if part >= 9.95 else f"{part:.1f}{unit}"
    return f"{number:.0f}" if number >= 9.5 or number == int(number) else f"{number:.1f}"
