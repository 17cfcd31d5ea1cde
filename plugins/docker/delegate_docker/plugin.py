"""The engine as a plugin: glue. What it runs on is imported when it is opened."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, cast

from delegate_core.engines.contribution import EngineSetup, OpenEngine, StepEngine
from delegate_core.markers import hookimpl
from delegate_docker.settings import DockerSettings

if TYPE_CHECKING:
    from delegate_core.diagnosis import Check, Diagnosis

__all__ = ["diagnostics", "step_engines"]


@hookimpl
def step_engines() -> Iterable[StepEngine]:
    """The engine ``docker``."""
    return [StepEngine(name="docker", open=_opened, settings=DockerSettings)]


@hookimpl
def diagnostics(diagnosis: Diagnosis) -> Iterable[Check]:
    """What ``delegate doctor`` looks at."""
    from delegate_docker.diagnosis import checks_of  # noqa: PLC0415 - a runner needs no doctor

    return checks_of(cast("DockerSettings", diagnosis.engines["docker"]), diagnosis)


@asynccontextmanager
async def _opened(setup: EngineSetup) -> AsyncIterator[OpenEngine]:
    from delegate_docker.connection import connected  # noqa: PLC0415 - a command without an engine needs no client
    from delegate_docker.engine import DockerEngine  # noqa: PLC0415 - the same

    async with connected(setup.settings) as client:
        yield DockerEngine(client, setup)
