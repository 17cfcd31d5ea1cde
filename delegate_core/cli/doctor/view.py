"""How findings are shown: a table that fills in a terminal, lines where they are piped, or JSON."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import asdict
from typing import Any, Final, TextIO

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from delegate_core.console.colours import redrawn
from delegate_core.console.printing import terminal_of
from delegate_core.console.visible import visible, visible_json
from delegate_core.diagnosis import Checked, Finding

__all__ = ["View", "open_view"]

_COLOURS: Final = {"ok": "green", "warning": "yellow", "problem": "bold red", "skipped": "dim"}
_NARROWEST: Final = 20


class View(ABC):
    """Shows checks and what they found. What comes before the end is for eyes only, and most views show none of it."""

    def showing(self, names: Sequence[str]) -> AbstractContextManager[None]:  # noqa: ARG002 - not every view shows them
        """Show that these are under way, while the body runs."""
        return nullcontext()

    def tell(self, checked: Checked) -> None:  # noqa: B027 - see above
        """One is over."""

    @abstractmethod
    def end(self, checked: Sequence[Checked], backend: str, code: int) -> None:
        """All are over."""


def open_view(out: TextIO, environ: Mapping[str, str], *, as_json: bool) -> View:
    """The view that suits what is written to."""
    if as_json:
        return _Json(out)
    if redrawn(out, environ):
        return _Terminal(terminal_of(out, environ, moving=True))
    return _Plain(terminal_of(out, environ))


class _Json(View):
    """One object, at the end. Fields are added to it and never changed."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def end(self, checked: Sequence[Checked], backend: str, code: int) -> None:
        rows = [_row(one) for one in checked]
        told = {"schema_version": 1, "backend": backend, "status": _worst(checked), "exit_code": code, "checks": rows}
        self._out.write(visible_json(told, indent=2) + "\n")


def _row(one: Checked) -> dict[str, Any]:
    finding = asdict(one.finding)
    del finding["code"]
    return {"name": one.name, **finding, "seconds": round(one.seconds, 3)}


class _Plain(View):
    """A line each, in their order, and one about all of them."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def end(self, checked: Sequence[Checked], backend: str, code: int) -> None:  # noqa: ARG002 - the base's
        width = max(len(one.name) for one in checked)
        for one in checked:
            finding = one.finding
            cure = f"; to do: {finding.cure}" if finding.cure else ""
            rest = f" {one.name:<{width}}  {visible(finding.seen + cure)}"
            self._print(Text.assemble((f"{finding.status:<8}", _COLOURS[finding.status]), rest))
        self._print(Text(_summary(checked), _COLOURS[_worst(checked)]))

    def _print(self, line: Text) -> None:
        self._console.print(line, soft_wrap=True)


class _Terminal(View):
    """A table whose rows fill in as checks end."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._found: dict[str, Finding | None] = {}
        self._live: Live | None = None

    @contextmanager
    def showing(self, names: Sequence[str]) -> Iterator[None]:
        self._found = dict.fromkeys(names)
        # Until the end only as much as fits: a live picture cannot scroll.
        with Live(self._table(), console=self._console, transient=True, refresh_per_second=10) as self._live:
            yield

    def tell(self, checked: Checked) -> None:
        self._found[checked.name] = checked.finding
        if self._live is not None:
            self._live.update(self._table())

    def end(self, checked: Sequence[Checked], backend: str, code: int) -> None:  # noqa: ARG002 - the base's
        self._found = {one.name: one.finding for one in checked}
        self._console.print(self._table())
        self._console.print(Text(f"\n{_summary(checked)}", _COLOURS[_worst(checked)]))

    def _table(self) -> Table:
        table = Table(box=None, pad_edge=False, show_header=False)
        table.add_column(no_wrap=True)
        table.add_column(no_wrap=True)
        table.add_column(overflow="fold", min_width=_NARROWEST)
        for name, finding in self._found.items():
            status = finding.status if finding else "..."
            table.add_row(Text(status, _COLOURS.get(status, "dim")), Text(name, "bold"), _told(finding))
        return table


def _told(finding: Finding | None) -> Text:
    if finding is None:
        return Text("checking", "dim")
    told = Text(visible(finding.seen), "dim" if finding.status == "skipped" else "")
    if finding.cure:
        told.append(f"\nto do: {visible(finding.cure)}", _COLOURS[finding.status])
    return told


def _worst(checked: Sequence[Checked]) -> str:
    found = {one.finding.status for one in checked}
    return next((status for status in ("problem", "warning") if status in found), "ok")


def _summary(checked: Sequence[Checked]) -> str:
    """How many there are of each kind, in words."""
    counts = {status: sum(one.finding.status == status for one in checked) for status in _COLOURS}
    fine = f"{counts['ok']} {'check is' if counts['ok'] == 1 else 'checks are'} ok"
    were = "was" if counts["skipped"] == 1 else "were"
    skipped = f", {counts['skipped']} {were} skipped" if counts["skipped"] else ""
    named = [
        f"{number} {word if number == 1 else f'{word}s'}"
        for word, number in (("problem", counts["problem"]), ("warning", counts["warning"]))
        if number
    ]
    return f"{' and '.join(named) or 'nothing is in the way'}; {fine}{skipped}"
