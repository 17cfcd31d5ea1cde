"""``delegate task``: one task here, by a runner without a server."""

from __future__ import annotations

import logging
import os
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import anyio

from delegate_core.cli.concealing import secrets_in
from delegate_core.cli.onetask import OneTask
from delegate_core.cli.reading import named, read_file
from delegate_core.cli.running import in_event_loop
from delegate_core.cli.taskfile import read_task
from delegate_core.console import lastwords
from delegate_core.console.colours import log_text
from delegate_core.console.visible import visible, visible_json
from delegate_core.endsignals import ending_signals
from delegate_core.errors import DelegateError, DrainIncomplete
from delegate_core.installed_engines import configured_engines, engine_offers
from delegate_core.logs import LogLine
from delegate_core.logs.secrecy import Secrecy
from delegate_core.markers import hookimpl
from delegate_core.model import Outcome, TaskResult
from delegate_core.runner import Runner
from delegate_core.settings import RunnerSettings, find_file, load

__all__ = ["run_task"]


def run_task(
    file: Path,
    *,
    handlers: Sequence[str],
    secrets: Sequence[str],
    timeout: float | None,
    pretty: bool,
    unverified: bool,
    config: Path | None,
) -> int:
    """Run the task of a file; its log goes to standard error, its result to standard output. The exit status.

    Raises:
        DelegateError: it could not be run at all.
    """
    task = read_task(read_file(file), named(file), timeout, "any" if unverified else "verified")
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="delegate: %(levelname)s: %(message)s")
    backend = OneTask(task)
    with tempfile.TemporaryDirectory(prefix="delegate-task-") as folder:
        runner = _runner(
            backend, Path(folder), config, {"handlers": list(handlers) or None, "secrets": list(secrets) or None}
        )
        for handler in logging.getLogger().handlers:
            handler.addFilter(runner.record_filter)
        in_event_loop(lambda: _live(runner, backend))
        _print(backend.result, pretty=pretty)
        _leave_threads(runner, backend)
    return backend.status


def _runner(backend: OneTask, folder: Path, config: Path | None, flags: dict[str, Any]) -> Runner:
    file = find_file(config, os.environ, Path.cwd())
    settings = load(RunnerSettings, flags=flags, environ=os.environ, file=file).values
    lastwords.conceal(Secrecy(*secrets_in([settings], os.environ)))  # plugins and handlers may print while they load
    offers = engine_offers(disabled=settings.disabled_plugins, named=settings.plugins)
    engines = configured_engines(offers, environ=os.environ, file=file)
    runner = Runner(
        backend,
        # Whoever runs one task by hand would wait for ever where a runner waits for room.
        settings=settings.model_copy(update={"capacity": 1, "min_free_disk": 0, "min_free_memory": 0}),
        plugins=[_Lines()],
        state_dir=folder,
        installed=True,
        engine_settings={name: engine.settings for name, engine in engines.items()},
    )
    runner.secrecy.add(*secrets_in([settings, *(engine.settings for engine in engines.values())], os.environ))
    lastwords.conceal(runner.secrecy)
    return runner


class _Lines:
    """Shows the task's log as it comes; in a terminal it keeps its colours, and no other power over it."""

    @hookimpl
    def task_logged(self, line: LogLine, stream: str) -> None:
        """Print a line, with the step it is of."""
        text = f"[{stream}] {line.text}" if stream else line.text
        shown = log_text(sys.stderr, os.environ)(text)
        sys.stderr.write(f"{shown.encode(errors='replace').decode()}\n")
        sys.stderr.flush()


async def _live(runner: Runner, backend: OneTask) -> None:
    """Run it until the result is there. The first signal cancels the task, a second one leaves."""
    error: DelegateError | None = None
    async with anyio.create_task_group() as group:
        group.start_soon(_heed_signals, runner, backend)
        group.start_soon(_drain_at_end, runner, backend)
        try:
            await runner.run()
        except DrainIncomplete:
            pass  # a thread that does not heed its cancellation; its task has its result
        except DelegateError as raised:
            error = raised  # raised outside, where no group wraps it
        group.cancel_scope.cancel()
    if error is not None:
        raise error


async def _drain_at_end(runner: Runner, backend: OneTask) -> None:
    await backend.ended.wait()
    runner.drain("the task has ended")


async def _heed_signals(runner: Runner, backend: OneTask) -> None:
    with anyio.open_signal_receiver(*ending_signals()) as signals:
        async for received in signals:
            sys.stderr.write(f"delegate: {received.name}: cancelling the task; once more leaves at once\n")
            if not runner.cancel(backend.task.id):
                runner.stop(f"received {received.name}")
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            signal.signal(signal.SIGHUP, lambda *_: None)  # a terminal that is closed may say so twice
            return


def _print(result: TaskResult | None, *, pretty: bool) -> None:
    if result is None:
        return
    if result.data is not None:
        lastwords.plain_output().write(visible_json(result.data, indent=2 if pretty else None) + "\n")
    if result.error:
        how = "failed: " if result.outcome is Outcome.FAILED else ""  # the others' errors say it themselves
        sys.stderr.write(f"delegate: {how}{visible(result.error)}\n")


def _leave_threads(runner: Runner, backend: OneTask) -> None:
    """Leave in spite of a sync handler's thread that does not end: the interpreter would wait for it."""
    if runner.snapshot().abandoned_threads:
        sys.stderr.write("delegate: a thread of the handler did not end and was left\n")
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(backend.status)
