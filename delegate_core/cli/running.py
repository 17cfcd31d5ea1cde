"""``delegate run``: settings, runner, console, signals."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio

from delegate_core.beside import beside
from delegate_core.cli.checkup import Checkup
from delegate_core.cli.concealing import close_to_others, remove_from_environment, secret_values, secret_variables
from delegate_core.cli.loading import AllSettings, load_all, print_warnings
from delegate_core.cli.observing import Observation
from delegate_core.cli.recording import Recording
from delegate_core.cli.reloading import Reloading
from delegate_core.cli.shown_settings import listed
from delegate_core.cli.signals import heed_hangups, heed_signals, ignore_signals
from delegate_core.cli.takeover import await_folder
from delegate_core.console import lastwords, open_console
from delegate_core.console.visible import visible_lines
from delegate_core.control import ControlServer
from delegate_core.endsignals import end_as_by_ctrl_c
from delegate_core.errors import DelegateError, DrainIncomplete, PluginError, SettingsError
from delegate_core.logs.secrecy import Secrecy
from delegate_core.markers import hookimpl
from delegate_core.plugins import contribution
from delegate_core.runner import Runner
from delegate_core.service import Notifier
from delegate_core.settings import RunnerSettings
from delegate_core.telemetry import SECRET_VARIABLES, Asked, asked

if TYPE_CHECKING:
    from delegate_core.cli.doctor.patient import Patient

__all__ = ["in_event_loop", "make_runner", "run", "run_observed", "run_runner"]

_log = logging.getLogger(__name__)

_LOOK = 5.0
"""Seconds that a look at the network may take."""

_FAREWELL = 1.0
"""Seconds in which the third signal's end may be an orderly one."""

_PATIENCE = 3.0
"""Seconds, beyond the grace, that handlers have to end once the runner has stopped."""

_LEFT = "left at the third signal; start this runner again to settle what it had claimed"
_DEAF = "a handler does not heed its cancellation and was left; start this runner again to settle what it had claimed"


def run(*, config: Path | None, task_logs: bool, **flags: Any) -> None:
    """Run until drained; raises the `DelegateError` that it ended with."""
    close_to_others()
    environ = dict(os.environ)
    loaded = load_all(config, flags, environ)
    remove_from_environment(secret_variables(loaded))
    lastwords.conceal(Secrecy(*secret_values(loaded, environ)))
    print_warnings(loaded.warnings)
    _run(loaded, config, flags, environ, task_logs=task_logs)


def _run(
    loaded: AllSettings, config: Path | None, flags: Mapping[str, Any], environ: Mapping[str, str], *, task_logs: bool
) -> None:
    telemetry = _telemetry(loaded.runner, environ)
    console = open_console(loaded.runner.console, sys.stdout, environ=os.environ, keys=sys.stdin, task_lines=task_logs)
    recording = Recording(loaded.runner, console, task_logs=task_logs)
    reloading = Reloading(loaded, config, flags, environ, recording)
    observation = Observation(
        loaded.runner, loaded.runner.backend or "", lambda runner: listed(reloading.in_effect(runner)), telemetry
    )
    remove_from_environment(SECRET_VARIABLES)
    control, notifier = ControlServer(reloading.reload), Notifier.of(os.environ)
    farewell = _Farewell(loaded.runner.grace, recording.release)
    runner = make_runner(loaded, farewell, *recording.consoles, control, notifier, *observation.plugins)
    runner.secrecy.add(*secret_values(loaded, environ))
    lastwords.conceal(runner.secrecy)
    await_folder(runner.state_dir, loaded.runner)

    async def work() -> None:
        checkup = Checkup(lambda: _patient(loaded, runner, environ))
        async with beside(notifier.feed), beside(checkup.keep):
            await _run_controlled(runner, recording, observation, control, reloading, farewell)

    try:
        try:
            in_event_loop(work)
        finally:
            ignore_signals()
    except DelegateError as error:
        _leave_threads(runner, error)
        raise
    _leave_threads(runner, None)


def _patient(loaded: AllSettings, runner: Runner, environ: Mapping[str, str]) -> Patient:
    from delegate_core.cli.doctor.patient import Patient  # noqa: PLC0415 - not needed to start

    return Patient(environ, _LOOK, loaded, runner=runner)


def _telemetry(settings: RunnerSettings, environ: Mapping[str, str]) -> Asked:
    """What is to be sent over OpenTelemetry, as far as it can be."""
    found = asked(environ)
    if found.problems and settings.strict:
        raise SettingsError("\n".join(found.problems))
    print_warnings(found.problems)
    return found


class _Farewell:
    """Leaves in spite of async handlers that go on although they were cancelled: nothing can end them."""

    def __init__(self, grace: float, release: Callable[[], None]) -> None:
        self._timer = threading.Timer(grace + _PATIENCE, _leave_now, [_DEAF, release])
        self._timer.daemon = True

    @hookimpl
    def runner_state(self, state: str) -> None:
        """The runner has stopped; what is left are the handlers."""
        if state == "stopped":
            self._timer.start()

    def call_off(self) -> None:
        """All handlers have ended."""
        self._timer.cancel()


def _leave_now(why: str, release: Callable[[], None]) -> None:
    """Leave although a task has not ended. The marks of its processes are in the journal for the next start."""
    release()
    sys.stderr.write(f"delegate: {why}\n")
    sys.stderr.flush()
    os._exit(DrainIncomplete.exit_code)


def _leave_threads(runner: Runner, error: DelegateError | None) -> None:
    """Leave in spite of handlers' threads that do not end: the interpreter would wait for them."""
    if runner.snapshot().abandoned_threads == 0:
        return
    text = "threads of sync handlers did not end and were left"
    reason = f"delegate: {visible_lines(lastwords.shown(str(error)))}\n" if error else ""
    sys.stderr.write(f"delegate: {text}\n{reason}")
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(error.exit_code if error else 0)


async def _run_controlled(
    runner: Runner,
    recording: Recording,
    observation: Observation,
    control: ControlServer,
    reloading: Reloading,
    farewell: _Farewell,
) -> None:
    async with observation.serving(runner), control.serving(runner):
        await run_runner(runner, recording, observation, reloading, farewell.call_off)


async def run_observed(runner: Runner, recording: Recording, observation: Observation, control: ControlServer) -> None:
    """Run a runner under its consoles, with its status served and orders taken."""
    async with observation.serving(runner), control.serving(runner):
        await run_runner(runner, recording, observation)


def make_runner(loaded: AllSettings, *observers: object) -> Runner:
    """The runner of these settings, with the installed plugins, and observed by these."""
    backend = contribution(loaded.module, "create_backend", settings=loaded.backend)
    if backend is None:
        raise PluginError(f"{loaded.module.__name__} is no backend: it does not implement create_backend")
    return Runner(
        backend,
        settings=loaded.runner,
        plugins=[*observers],
        installed=True,
        engine_settings={name: engine.settings for name, engine in loaded.engines.items()},
    )


# ---------------------------------------------------------------------- running


def in_event_loop(work: Callable[[], Awaitable[Any]]) -> Any:
    """Run a coroutine function to its end, on uvloop where it is installed.

    An error of ours is raised as it is, without the groups of tasks that it came through.

    Where it does not heed signals itself, SIGTERM and the end of the terminal cancel it as Ctrl-C does, so that it
    cleans up. A shell without job control starts what ends with ``&`` deaf to Ctrl-C; that would make it deaf to
    SIGTERM too.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    end_as_by_ctrl_c()
    try:
        import uvloop  # noqa: F401, PLC0415 - only to know that it is there
    except ImportError:
        options = {}
    else:
        options = {"use_uvloop": True}
    try:
        return anyio.run(work, backend_options=options)
    except BaseExceptionGroup as group:
        if group.split(DelegateError)[1] is not None:
            raise
        raise _first(group) from None


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    first = group.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first


async def run_runner(
    runner: Runner,
    recording: Recording,
    observation: Observation,
    reloading: Reloading | None = None,
    ran: Callable[[], object] = lambda: None,
) -> None:
    """Run a runner, its log kept; the first signal drains, the second cancels, the third leaves; SIGHUP reloads.

    ``ran`` is called once it has stopped and its handlers have ended, before what is left to send is sent.
    """
    ended: DelegateError | None = DrainIncomplete(_LEFT)

    def leave() -> None:
        group.cancel_scope.cancel()
        threading.Timer(_FAREWELL, _leave_now, [_LEFT, recording.release]).start()

    async with recording.kept(runner, observation), anyio.create_task_group() as group:
        group.start_soon(heed_signals, runner, leave, lambda: ended.exit_code if ended else 0)
        if reloading is not None:
            group.start_soon(heed_hangups, runner, reloading)
        try:
            async with observation.sending():
                try:
                    await runner.run()
                finally:
                    ran()
            ended = None
        except DelegateError as error:
            ended = error  # raised outside, where no group wraps it
        group.cancel_scope.cancel()
    if ended is not None:
        raise ended
