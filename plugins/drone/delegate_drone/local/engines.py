"""Which engine runs a pipeline of which type: this machine itself, or the container engine that a plugin brings."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import anyio

from delegate_core.engines.engine import Engine, EngineError
from delegate_core.engines.host import HostEngine
from delegate_core.engines.mixed import MixedEngine
from delegate_core.engines.owner import ProcessOwner
from delegate_core.installed_engines import ConfiguredEngine, configured_engines, engine_offers
from delegate_core.settings import RunnerSettings, find_file, load
from delegate_drone.places import CONTAINER_ENGINE

__all__ = ["Keeping", "StepEngine", "missing_engine", "step_engines"]

_EXEC: Final = "exec"
_DOCKER: Final = "docker"
_PATIENCE: Final = 10.0
"""Seconds that a container engine has to say that it is there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Keeping:
    """Where the workspaces of failed pipelines are kept, if anywhere, and who is told of each."""

    folder: Path | None = None
    tell: Callable[[str, Path], object] = lambda _pipeline, _path: None


@dataclass(frozen=True, slots=True, kw_only=True)
class StepEngine:
    """How pipelines of one type are run here.

    Args:
        open: opens the engine, which keeps what it is told to; raises an `EngineError` where it is not there.
        places: from a stage's own folder to the options ``home`` and ``workspace`` that the compiler has to know.
    """

    open: Callable[[Keeping], AbstractAsyncContextManager[Engine]]
    places: Callable[[Path], Mapping[str, str]]


def step_engines(wanted: Collection[str]) -> dict[str, StepEngine]:
    """The engines that are installed, by the pipelines' type; plugins are asked only where a type needs one.

    Raises:
        SettingsError: those of a plugin's engine cannot be used.
    """
    engines = {_EXEC: StepEngine(open=_open_host, places=_host_places)}
    configured = _installed() if _DOCKER in wanted else None
    if configured is not None:
        engines[_DOCKER] = StepEngine(open=lambda keeping: _open_containers(configured, keeping), places=_home_alone)
    return engines


def missing_engine(type_: str) -> str:
    """Why a pipeline of this type cannot run here."""
    if type_ in {"", _DOCKER}:
        return "it is of type docker, and no container engine is installed: pip install delegate-docker"
    return f"it is of type {type_}, which no installed engine runs"


def _installed() -> ConfiguredEngine | None:
    file = find_file(None, os.environ, Path.cwd())
    runner = load(RunnerSettings, flags={}, environ=os.environ, file=file).values
    offers = engine_offers(disabled=runner.disabled_plugins, named=runner.plugins)
    if CONTAINER_ENGINE not in offers:
        return None
    only = {CONTAINER_ENGINE: offers[CONTAINER_ENGINE]}
    return configured_engines(only, environ=os.environ, file=file)[CONTAINER_ENGINE]


def _host(keeping: Keeping) -> HostEngine:
    return HostEngine(keep_failed=keeping.folder, on_kept=keeping.tell)


@asynccontextmanager
async def _open_host(keeping: Keeping) -> AsyncIterator[Engine]:
    yield _host(keeping)


@asynccontextmanager
async def _open_containers(configured: ConfiguredEngine, keeping: Keeping) -> AsyncIterator[Engine]:
    """The container engine, once it has answered and is rid of what killed runs have left.

    A clone runs beside it, with the git of this machine.
    """
    owner = str(ProcessOwner.new())
    async with configured.open(owner) as engine:
        try:
            with anyio.fail_after(_PATIENCE):
                await engine.check()
        except TimeoutError:
            raise EngineError(f"the container engine did not answer within {_PATIENCE:g}s: start it anew") from None
        with anyio.move_on_after(_PATIENCE):  # what takes longer is for the next run
            await engine.sweep(owner)
        yield MixedEngine(engine, _host(keeping))


def _host_places(folder: Path) -> dict[str, str]:
    layout = HostEngine().layout(folder)
    return {"home": str(layout.home), "workspace": str(layout.workspace)}


def _home_alone(folder: Path) -> dict[str, str]:
    """A clone on the host has a home; the steps see the paths of their containers."""
    return {"home": str(HostEngine().layout(folder).home)}
