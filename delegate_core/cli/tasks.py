"""``delegate tasks list``, ``show`` and ``logs``: what a runner's journal says."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from delegate_core.cli.folders import folder_of
from delegate_core.cli.tables import print_table, short_ids
from delegate_core.console.colours import log_text
from delegate_core.console.visible import visible
from delegate_core.history import History
from delegate_core.logs import LogLine
from delegate_core.model import LOG_KEPT_HERE, Entry, Phase

__all__ = ["as_dict", "list_tasks", "open_history", "rfc3339", "show_log", "show_task", "when"]


def open_history(state_dir: Path | None, backend: str | None, name: str | None) -> History:
    """The history in the state folder that a runner of these settings would use."""
    return History(folder_of(state_dir, backend, name))


def list_tasks(history: History, limit: int, *, as_json: bool) -> int:
    """Print the newest entries."""
    entries = history.entries(limit)
    if as_json:
        sys.stdout.write(json.dumps([as_dict(entry) for entry in entries], indent=2) + "\n")
    elif not entries:
        sys.stdout.write("no task yet\n")
    else:
        _print_entries(entries)
    return 0


def _print_entries(entries: Sequence[Entry]) -> None:
    short = short_ids([entry.task_id for entry in entries])
    rows = [
        (short[one.task_id], one.type, when(one.created), one.phase.value, *_outcome(one), _log_state(one))
        for one in entries
    ]
    print_table(("ID", "TYPE", "CLAIMED", "PHASE", "OUTCOME", "ERROR", "LOG"), rows)


def _outcome(entry: Entry) -> tuple[str, str]:
    if entry.result is None:
        return "", ""
    return entry.result.outcome.value, visible(entry.result.error or entry.note)


def _log_state(entry: Entry) -> str:
    """Where the log is: with the server, or only here."""
    if entry.log in {None, LOG_KEPT_HERE}:
        return "here"
    return "stored" if entry.log == "" else "not stored"


def show_task(history: History, task_id: str, *, as_json: bool) -> int:
    """Print all that the journal knows of one task."""
    known = as_dict(history.find(task_id))
    if as_json:
        sys.stdout.write(json.dumps(known, indent=2) + "\n")
        return 0
    width = max(map(len, known))
    for name, value in known.items():
        if value not in {None, ""} if isinstance(value, str | None) else True:
            text = value if isinstance(value, str) else json.dumps(value)
            sys.stdout.write(f"{name:<{width}}  {visible(text)}\n")
    return 0


def show_log(history: History, task_id: str) -> int:
    """Print a task's log as far as it is on this machine, and those of its steps behind it."""
    entry = history.find(task_id)
    _print_lines("", *history.log(entry))
    for step, missing, lines in history.steps(entry):
        _print_lines(f"{visible(step)} | ", missing, lines)
    return 0


def _print_lines(prefix: str, missing: int, lines: Iterable[LogLine]) -> None:
    if missing:
        sys.stderr.write(f"{prefix}[the first {missing} lines were dropped: the log is larger than its limit]\n")
    shown = log_text(sys.stdout, os.environ)
    for line in lines:
        sys.stdout.write(shown(f"{prefix}{line.text}\n"))


def as_dict(entry: Entry) -> dict[str, object]:
    """An entry for a program: times as RFC 3339, None where it has not come so far."""
    return {
        "id": entry.task_id,
        "type": entry.type,
        "phase": entry.phase.value,
        "outcome": entry.result.outcome.value if entry.result else None,
        "error": entry.result.error if entry.result else None,
        "data": entry.result.data if entry.result else None,
        "account": entry.session.account,
        "server": entry.session.server,
        "runner": entry.session.runner_id,
        "intended": rfc3339(entry.created),
        "claimed": rfc3339(entry.claimed),
        "started": rfc3339(entry.started),
        "finished": rfc3339(entry.finished),
        "settled": rfc3339(entry.delivered),
        "delivery": _delivery(entry),
        "log": {"here": "on this machine only", "stored": "stored by the server"}.get(
            _log_state(entry), f"not stored: {entry.log}"
        ),
    }


def _delivery(entry: Entry) -> str:
    if entry.phase is Phase.DELIVERED:
        return entry.note or "delivered"
    if entry.phase in {Phase.UNDELIVERABLE, Phase.DROPPED}:
        return f"never: {entry.note}"
    return "owed"


def rfc3339(seconds: float | None) -> str | None:
    """A time for a program."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")


def when(seconds: float) -> str:
    """A time for a table."""
    return datetime.fromtimestamp(seconds, UTC).astimezone().strftime("%m-%d %H:%M:%S")
