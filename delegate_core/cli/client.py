"""``delegate submit``, ``cancel``, ``logs`` and ``status``: the running development server's clients."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import TextIO

from delegate_core.cli.reading import named, read_file
from delegate_core.cli.tables import print_table, short_ids
from delegate_core.console.colours import log_text
from delegate_core.console.visible import visible
from delegate_core.development import Address, ServerTask, address_file
from delegate_core.development.client import ControlClient
from delegate_core.errors import DelegateError, SettingsError

__all__ = ["cancel", "is_there", "logs", "status", "submit"]

_SUCCEEDED = "succeeded"


def submit(file: Path, options: Mapping[str, str], *, wait: bool, timeout: float | None, as_json: bool) -> int:
    """Queue what a file describes; with ``wait`` show log and result. 1 if a task did not succeed in time."""
    text = read_file(file)
    with closing(_client()) as client:
        try:
            ids = client.submit(text, dict(options))
        except DelegateError as error:
            raise SettingsError(f"{named(file)}: {error}") from None
        if not wait:
            sys.stdout.write("".join(f"{visible(task_id)}\n" for task_id in ids))
            return 0
        deadline = time.monotonic() + (float("inf") if timeout is None else timeout)
        ended = [_watch(client, task_id, deadline, as_json=as_json) for task_id in ids]
    return 0 if all(task.outcome == _SUCCEEDED for task in ended) else 1


def _watch(client: ControlClient, task_id: str, deadline: float, *, as_json: bool) -> ServerTask:
    """Show a task's log and its result: as JSON, the log goes to standard error."""
    waiting = client.task(task_id).waiting
    if waiting:
        sys.stderr.write(f"waiting: {visible(waiting)}\n")
    _print_log(client, task_id, sys.stderr if as_json else sys.stdout, deadline - time.monotonic())
    task = client.task(task_id, wait=max(0.0, deadline - time.monotonic()))
    sys.stdout.write(json.dumps(asdict(task)) + "\n" if as_json else _describe(task))
    return task


def _describe(task: ServerTask) -> str:
    why = task.error or task.waiting
    text = f"{task.outcome or 'still ' + task.status}: {task.type} {task.id}{': ' if why else ''}{why}"
    return visible(text) + (f"\n{json.dumps(task.data, indent=2)}\n" if task.data is not None else "\n")


def _print_log(client: ControlClient, task_id: str, stream: TextIO, seconds: float) -> None:
    """The lines; in a terminal they keep their colours, and no other power over it."""
    shown = log_text(stream, os.environ)
    for text in client.log(task_id, follow=max(0.0, seconds)):
        stream.write(shown(text))
        stream.flush()


def cancel(task_id: str) -> int:
    """Cancel a task; 1 if it had ended."""
    with closing(_client()) as client:
        full = _resolve(client, task_id)
        cancelled = client.cancel(full)
    sys.stdout.write(f"cancelled {visible(full)}\n" if cancelled else f"{visible(full)} had ended already\n")
    return 0 if cancelled else 1


def logs(task_id: str, *, follow: bool) -> int:
    """Show a task's log."""
    with closing(_client()) as client:
        full = _resolve(client, task_id)
        _print_log(client, full, sys.stdout, float("inf") if follow else 0.0)
    return 0


def is_there() -> bool:
    """Whether a development server of this user runs."""
    try:
        os.kill(Address.read(address_file()).pid, 0)
    except (DelegateError, OSError):
        return False
    return True


def status(*, as_json: bool) -> int:
    """List the tasks."""
    with closing(_client()) as client:
        tasks = client.tasks()
    if as_json:
        sys.stdout.write(json.dumps([asdict(task) for task in tasks], indent=2) + "\n")
    elif not tasks:
        sys.stdout.write("no task yet; queue one with: delegate submit task.json\n")
    else:
        _print_tasks(tasks)
    return 0


def _print_tasks(tasks: Sequence[ServerTask]) -> None:
    short = short_ids([task.id for task in tasks])
    rows = [
        (short[task.id], task.type, task.outcome or task.status, visible(task.error or task.waiting)) for task in tasks
    ]
    print_table(("ID", "TYPE", "STATE", ""), rows)


def _client() -> ControlClient:
    return ControlClient(Address.read(address_file()))


def _resolve(client: ControlClient, task_id: str) -> str:
    """The full id of the one task whose id begins so."""
    matching = [task.id for task in client.tasks() if task.id.startswith(task_id)]
    if len(matching) == 1 or task_id in matching:
        return task_id if task_id in matching else matching[0]
    if not matching:
        raise SettingsError(f"no task {task_id}; see `delegate status`")
    raise SettingsError(f"{task_id} is the beginning of {len(matching)} ids; write more of it")
