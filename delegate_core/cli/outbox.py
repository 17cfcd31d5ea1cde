"""``delegate outbox``: results that the server has not got, beside the running runner or after its end."""

from __future__ import annotations

import json
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import anyio

from delegate_core.cli.tables import print_table, short_ids
from delegate_core.cli.tasks import as_dict, rfc3339, when
from delegate_core.console.visible import visible
from delegate_core.control import NoRunner, Order, ask
from delegate_core.errors import DelegateError, SettingsError
from delegate_core.history import History
from delegate_core.journal import Journal
from delegate_core.model import Entry, Phase
from delegate_core.runner.outbox import LeftOutbox, Outbox, Treated, chosen
from delegate_core.statefolder import StateFolder

__all__ = ["drop", "list_outbox", "retry", "show"]

_ASIDE = "kept aside"


def list_outbox(folder: Path, *, as_json: bool) -> int:
    """Print what the server has not got, oldest first."""
    entries = History(folder).outbox()
    if as_json:
        _print_json([_facts(entry) for entry in entries])
    elif not entries:
        sys.stdout.write("nothing is undelivered\n")
    else:
        short = short_ids([entry.task_id for entry in entries])
        rows = [
            (short[one.task_id], one.type, when(one.finished or one.created), _state(one), str(one.tries), _why(one))
            for one in entries
        ]
        print_table(("ID", "TYPE", "FINISHED", "STATE", "TRIES", "REASON"), rows)
    return 0


def show(folder: Path, task_id: str, *, as_json: bool) -> int:
    """Print one result as it would be sent, and why it was not."""
    (entry,) = chosen(History(folder).outbox(), [task_id])
    facts = _facts(entry)
    if as_json:
        _print_json(facts)
        return 0
    for name, value in facts.items():
        if value not in (None, "", 0):
            text = value if isinstance(value, str) else json.dumps(value)
            sys.stdout.write(f"{name:<8}  {visible(text)}\n")
    return 0


def retry(folder: Path, ids: Sequence[str], *, everything: bool, as_json: bool) -> int:
    """Have results delivered now, or at the next start."""
    _one_of_both(ids, everything=everything)
    return _treat(folder, Order(do="retry", ids=tuple(ids)), lambda outbox: outbox.retry(ids), as_json=as_json)


def drop(folder: Path, ids: Sequence[str], *, everything: bool, yes: bool, as_json: bool) -> int:
    """Give results up, once that is confirmed."""
    _one_of_both(ids, everything=everything)
    entries = chosen(History(folder).outbox(), ids)
    if entries and not yes and not _confirmed(entries):
        sys.stderr.write("delegate: nothing was dropped\n")
        return 1
    exact = [entry.task_id for entry in entries]  # nothing that came meanwhile
    if not exact:
        return _print_treated([], as_json=as_json)
    return _treat(folder, Order(do="drop", ids=tuple(exact)), lambda outbox: outbox.drop(exact), as_json=as_json)


def _one_of_both(ids: Sequence[str], *, everything: bool) -> None:
    if bool(ids) == everything:
        raise SettingsError("which results? name their ids, or give --all; see `delegate outbox list`")


def _confirmed(entries: Sequence[Entry]) -> bool:
    if not sys.stdin.isatty():
        raise SettingsError("this gives results up for good and there is nobody to ask; add --yes")
    sys.stderr.write("the server will never get the results of these tasks:\n")
    for entry in entries:
        sys.stderr.write(f"  {visible(entry.task_id)}  {visible(entry.type)}  {_outcome(entry)}\n")
    sys.stderr.write("drop them? [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in {"y", "yes"}


def _treat(
    folder: Path, order: Order, after_its_end: Callable[[Outbox], Awaitable[list[Treated]]], *, as_json: bool
) -> int:
    """Ask the running runner; where none runs, do it in the journal."""
    History(folder)  # says what is wrong with the folder
    try:
        answer = ask(folder, order)
    except NoRunner:
        return _print_treated(anyio.run(_in_journal, folder, after_its_end), as_json=as_json)
    if answer.error:
        raise _failed(answer.error, answer.code)
    pairs = (line.partition("\t") for line in answer.said)
    return _print_treated([Treated(task_id, what) for task_id, _, what in pairs], as_json=as_json)


def _failed(text: str, code: int) -> DelegateError:
    error = DelegateError(text)
    error.exit_code = code
    return error


async def _in_journal(folder: Path, work: Callable[[Outbox], Awaitable[list[Treated]]]) -> list[Treated]:
    with StateFolder(folder) as owned, Journal(owned) as journal:
        return await work(LeftOutbox(journal))


def _print_treated(treated: Sequence[Treated], *, as_json: bool) -> int:
    if as_json:
        _print_json([{"id": one.task_id, "done": one.what} for one in treated])
    elif not treated:
        sys.stdout.write("nothing is undelivered\n")
    for one in () if as_json else treated:
        sys.stdout.write(f"{visible(one.task_id)}  {visible(one.what)}\n")
    return 0


def _print_json(value: object) -> None:
    sys.stdout.write(json.dumps(value, indent=2) + "\n")


def _facts(entry: Entry) -> dict[str, object]:
    known = as_dict(entry)
    return {
        **{name: known[name] for name in ("id", "type", "outcome", "error", "data", "account", "server")},
        "finished": rfc3339(entry.finished),
        "state": _state(entry),
        "tries": entry.tries,
        "reason": _why(entry),
    }


def _state(entry: Entry) -> str:
    return _ASIDE if entry.phase is Phase.UNDELIVERABLE else "waiting"


def _why(entry: Entry) -> str:
    return visible(entry.note if entry.phase is Phase.UNDELIVERABLE else entry.fault)


def _outcome(entry: Entry) -> str:
    return entry.result.outcome.value if entry.result else ""
