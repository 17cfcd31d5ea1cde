"""``delegate run``: settings, runner, console, signals."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import anyio

from delegate_core.cli.observing import Observation
from delegate_core.console import Console, open_console
from delegate_core.errors import DelegateError, DrainIncomplete, PluginError, SettingsError
from delegate_core.installed_engines import ConfiguredEngine, configured_engines, engine_offers
from delegate_core.markers import hookimpl
from delegate_core.plugins import backend_module, contribution, settings_model_of
from delegate_core.runner import Runner
from delegate_core.settings import RunnerSettings, Settings, find_file, load

__all__ = ["Loaded", "in_event_loop", "make_runner", "run", "run_observed", "run_runner"]

_log = logging.getLogger(__name__)

_FAREWELL = 1.0
"""Seconds in which the third signal's end may be an orderly one."""

_PATIENCE = 3.0
"""Seconds, beyond the grace, that handlers have to end once the runner has stopped."""

_LEFT = "left at the third signal; start this runner again to settle what it had claimed"
_DEAF = "a handler does not heed its cancellation and was left; start this runner again to settle what it had claimed"


@dataclass(frozen=True)
class Loaded:
    """A backend's module, and the settings of the runner, of the backend, and of the engines by their names."""

    module: ModuleType
    runner: RunnerSettings
    backend: Settings | None
    engines: Mapping[str, ConfiguredEngine]


def run(*, config: Path | None, task_logs: bool, **flags: Any) -> None:
    """Run until drained; raises the `DelegateError` that it ended with."""
    loaded = _load(config, flags)
    console = open_console(loaded.runner.console, sys.stdout, environ=os.environ, task_lines=task_logs)
    observation = Observation(loaded.runner, loaded.runner.backend or "")
    runner = make_runner(loaded, console, *observation.plugins)
    try:
        in_event_loop(lambda: run_observed(runner, console, observation))
    except DelegateError as error:
        _leave_threads(runner, error)
        raise
    _leave_threads(runner, None)


class _Farewell:
    """Leaves in spite of async handlers that go on although they were cancelled: nothing can end them."""

    def __init__(self, grace: float) -> None:
        self._timer = threading.Timer(grace + _PATIENCE, _leave_now, [_DEAF])
        self._timer.daemon = True

    @hookimpl
    def runner_state(self, state: str) -> None:
        """The runner has stopped; what is left are the handlers."""
        if state == "stopped":
            self._timer.start()


def _leave_now(why: str) -> None:
    """Leave although a task has not ended. The marks of its processes are in the journal for the next start."""
    show_cursor = "\x1b[?25h" if sys.stderr.isatty() else ""
    sys.stderr.write(f"{show_cursor}delegate: {why}\n")
    sys.stderr.flush()
    os._exit(DrainIncomplete.exit_code)


def _leave_threads(runner: Runner, error: DelegateError | None) -> None:
    """Leave in spite of handlers' threads that do not end: the interpreter would wait for them."""
    if runner.snapshot().abandoned_threads == 0:
        return
    text = "threads of sync handlers did not end and were left"
    sys.stderr.write(f"delegate: {text}\n" + (f"delegate: {error}\n" if error else ""))
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(error.exit_code if error else 0)


# ---------------------------------------------------------------------- settings


def _load(config: Path | None, flags: Mapping[str, Any]) -> Loaded:
    """The settings of the core, of the backend and of the engines; warnings are printed."""
    file = find_file(config, os.environ, Path.cwd())
    first = load(RunnerSettings, flags=flags, environ=os.environ, file=file).values
    if first.backend is None:
        raise SettingsError("no backend is named; add --backend harness, or see `delegate plugins list`")
    module = backend_module(first.backend)
    model = settings_model_of(module)
    offers = engine_offers(disabled=first.disabled_plugins, named=first.plugins)
    models: list[type[Settings]] = [offer.settings for offer in offers.values() if offer.settings is not None]
    models += [model] if model is not None else []
    core = load(
        RunnerSettings,
        flags=flags,
        environ=os.environ,
        file=file,
        others=models,
        aliases=model.runner_environment if model is not None else {},
    )
    engines = configured_engines(offers, environ=os.environ, file=file, flags=flags, others=models)
    _warn([*core.warnings, *(warning for engine in engines.values() for warning in engine.warnings)])
    if model is None:
        return Loaded(module, core.values, None, engines)
    others: list[type[Settings]] = [RunnerSettings, *models]
    own = load(model, flags=flags, environ=os.environ, file=file, table=first.backend, others=others)
    _warn(own.warnings)
    return Loaded(module, core.values, own.values, engines)


def _warn(warnings: Iterable[str]) -> None:
    for warning in dict.fromkeys(warnings):
        sys.stderr.write(f"delegate: warning: {warning}\n")


async def run_observed(runner: Runner, console: Console, observation: Observation) -> None:
    """Run a runner under its console, with its status served."""
    async with observation.serving(runner):
        await run_runner(runner, console)


def make_runner(loaded: Loaded, console: Console, *observers: object) -> Runner:
    """The runner of these settings, with the installed plugins; the console observes it, and so do others."""
    backend = contribution(loaded.module, "create_backend", settings=loaded.backend)
    if backend is None:
        raise PluginError(f"{loaded.module.__name__} is no backend: it does not implement create_backend")
    farewell = _Farewell(loaded.runner.grace)
    return Runner(
        backend,
        settings=loaded.runner,
        plugins=[console, farewell, *observers],
        installed=True,
        engine_settings={name: engine.settings for name, engine in loaded.engines.items()},
    )


# ---------------------------------------------------------------------- running


def in_event_loop(work: Callable[[], Awaitable[Any]]) -> Any:
    """Run a coroutine function to its end, on uvloop where it is installed.

    Where it does not heed signals itself, SIGTERM cancels it as Ctrl-C does, so that it cleans up.
    """
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    try:
        import uvloop  # noqa: F401, PLC0415 - only to know that it is there
    except ImportError:
        return anyio.run(work)
    return anyio.run(work, backend_options={"use_uvloop": True})


async def run_runner(runner: Runner, console: Console) -> None:
    """Run a runner under its console; the first signal drains, the second cancels, the third leaves."""
    console.attach(runner)
    packages = {__name__, type(runner.plugins.backend).__module__}
    with _records_to(console.handler, {name.partition(".")[0] for name in packages}, runner.settings.log_level):
        ended: DelegateError | None = DrainIncomplete(_LEFT)
        async with console.show(), anyio.create_task_group() as group:
            group.start_soon(_heed_signals, runner, group.cancel_scope)
            try:
                await runner.run()
                ended = None
            except DelegateError as error:
                ended = error  # raised outside, where no group wraps it
            group.cancel_scope.cancel()
    if ended is not None:
        raise ended


async def _heed_signals(runner: Runner, scope: anyio.CancelScope) -> None:
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        answers = iter([runner.drain, runner.stop])
        async for received in signals:
            answer = next(answers, None)
            if answer is None:
                _log.warning("%s again: leaving now; the journal keeps what is not settled", received.name)
                scope.cancel()
                threading.Timer(_FAREWELL, _leave_now, [_LEFT]).start()
                return
            answer(f"received {received.name}")


@contextmanager
def _records_to(handler: logging.Handler, packages: Iterable[str], level: str) -> Iterator[None]:
    """Send log records to the console while it runs: ours from this level on, warnings of all others."""
    loggers = {logging.getLogger(): "WARNING", **{logging.getLogger(name): level.upper() for name in packages}}
    before = {logger: logger.level for logger in loggers}
    logging.getLogger().addHandler(handler)
    for logger, wanted in loggers.items():
        logger.setLevel(wanted)
    try:
        yield
    finally:
        logging.getLogger().removeHandler(handler)
        for logger, former in before.items():
            logger.setLevel(former)
