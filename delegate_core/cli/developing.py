"""``delegate dev``: an embedded control plane, and a runner beside it."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio

from delegate_core.cli.concealing import secrets_in
from delegate_core.cli.observing import Observation
from delegate_core.cli.recording import Recording
from delegate_core.cli.reloading import told
from delegate_core.cli.running import in_event_loop, run_observed
from delegate_core.console import lastwords, open_console
from delegate_core.control import ControlServer
from delegate_core.development import Address, DevelopmentServer, address_file
from delegate_core.development.beside import beside_a_server, development_server, runner_beside
from delegate_core.development.control import serve_control
from delegate_core.errors import DelegateError
from delegate_core.installed_engines import configured_engines, engine_offers
from delegate_core.logs.secrecy import Secrecy
from delegate_core.plugins import backend_module
from delegate_core.runner import Runner
from delegate_core.settings import RunnerSettings, find_file, load
from delegate_core.statefolder import DEVELOPMENT

__all__ = ["develop", "development_server", "runner_beside", "serving"]

_DEFAULT_BACKEND = "harness"


def develop(
    *,
    config: Path | None,
    task_logs: bool,
    no_runner: bool,
    port: int,
    option: list[str] | None,
    **flags: Any,
) -> None:
    """Serve until interrupted."""
    file = find_file(config, os.environ, Path.cwd())
    settings = load(RunnerSettings, flags=flags, environ=os.environ, file=file).values
    own = [*secrets_in([settings], os.environ)]
    lastwords.conceal(Secrecy(*own))  # plugins may print while they load
    module = backend_module(settings.backend or _DEFAULT_BACKEND)
    server = development_server(module, option or [])
    offers = engine_offers(disabled=settings.disabled_plugins, named=settings.plugins)
    engines = configured_engines(offers, environ=os.environ, file=file, flags=flags)
    observation = Observation(settings, settings.backend or _DEFAULT_BACKEND)

    async def serve() -> None:
        ended: DelegateError | None = None
        async with serving(server, settings.backend or _DEFAULT_BACKEND, port) as url:
            _announce(server, url)
            if no_runner:
                await anyio.sleep_forever()
            try:
                await run_beside()
            except DelegateError as error:
                ended = error  # raised outside, where no task group of the servers wraps it
        if ended is not None:
            raise ended

    async def run_beside() -> None:
        with tempfile.TemporaryDirectory(prefix=DEVELOPMENT) as state:
            console = open_console(
                settings.console, sys.stdout, environ=os.environ, keys=sys.stdin, task_lines=task_logs
            )
            recording = Recording(settings, console, task_logs=task_logs)

            async def reload(runner: Runner) -> Sequence[str]:
                wanted = load(RunnerSettings, flags=flags, environ=os.environ, file=file).values
                runner.secrecy.add(*secrets_in([wanted], os.environ))
                changes = await runner.reload(beside_a_server(wanted))
                recording.set_levels(runner)
                return told(changes.made, changes.left, runner.settings.handlers)

            control = ControlServer(reload)
            runner = runner_beside(
                module,
                server,
                settings,
                Path(state),
                plugins=[*recording.consoles, control, *observation.plugins],
                engine_settings={name: engine.settings for name, engine in engines.items()},
            )
            runner.secrecy.add(*own)
            lastwords.conceal(runner.secrecy)
            sys.stderr.write(f"steer its runner: delegate pause, drain, reload, top; --state-dir {state}\n")
            await run_observed(runner, recording, observation, control)

    try:
        in_event_loop(serve)
    except KeyboardInterrupt:
        sys.stderr.write("delegate: the development server has ended\n")


@asynccontextmanager
async def serving(server: DevelopmentServer, backend: str, port: int, file: Path | None = None) -> AsyncIterator[str]:
    """Serve the backend's interface and the control interface; the commands find it by its address file."""
    file = file or address_file()
    async with server.serve(port) as url:
        address = Address.new("", backend)
        async with serve_control(server, address.token) as control:
            address = address.at(control)
            address.write(file)
            try:
                yield url
            finally:
                address.remove(file)


def _announce(server: DevelopmentServer, url: str) -> None:
    """Where it is, and how a runner of one's own reaches it."""
    sys.stderr.write(f"development server: {url}\n")
    for name, value in server.environment().items():
        sys.stderr.write(f"  export {name}={value}\n")
    sys.stderr.write("queue a task: delegate submit FILE --wait\n")
    sys.stderr.flush()
