"""Where stages run, by their type: what the compiler has to know of the place, and its engine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, Protocol

import anyio

from delegate_core.engines.engine import Engine
from delegate_core.engines.host import HostEngine
from delegate_core.engines.limited import LimitedEngine
from delegate_core.engines.mixed import MixedEngine
from delegate_core.handlers import TaskContext
from delegate_core.pipeline.container import RegistryCredentials
from delegate_drone.compiler import ContainerOptions, Options

__all__ = ["CONTAINER_ENGINE", "ContainerStages", "HostStages", "StagePlaces"]

CONTAINER_ENGINE: Final = "docker"
"""The name of the engine that runs docker pipelines; a plugin of its own brings it."""

_NO_ACCOUNTS: Final[tuple[RegistryCredentials, ...]] = ()


class StagePlaces(Protocol):
    """Where the stages of one type run."""

    @property
    def pulls_images(self) -> bool:
        """Whether accounts of registries are wanted."""
        ...

    def options(self, context: TaskContext, given: Options, accounts: tuple[RegistryCredentials, ...]) -> Options:
        """What is given to every stage, with what one here has besides."""
        ...

    def engine(self, context: TaskContext) -> Engine:
        """What runs it.

        Raises:
            EngineError: there is none.
        """
        ...


@dataclass(frozen=True, slots=True)
class HostStages:
    """Exec pipelines: on this machine.

    Args:
        host: where they run.
        path: the PATH of their steps, whatever other variables say; None: the runner's own, or what these say.
    """

    host: HostEngine
    path: str | None = None
    pulls_images = False

    def options(self, context: TaskContext, given: Options, _accounts: tuple[RegistryCredentials, ...]) -> Options:
        """With the folders that the stage will have."""
        layout = self.host.layout(context.folder)
        environment = {**given.environment, "PATH": self.path} if self.path else given.environment
        return replace(given, home=str(layout.home), workspace=str(layout.workspace), environment=environment)

    def engine(self, _context: TaskContext) -> Engine:
        """The host's."""
        return self.host


@dataclass(frozen=True, slots=True)
class ContainerStages:
    """Docker pipelines: in containers, but for a clone by the host's git.

    Args:
        host: where such a clone runs.
        container: what the runner gives to the containers, with the accounts that may pull images.
        limiter: how many steps may run at one time, together with those of other engines.
    """

    host: HostEngine
    container: Callable[[tuple[RegistryCredentials, ...]], ContainerOptions]
    limiter: anyio.CapacityLimiter | None = None
    pulls_images = True

    def options(self, context: TaskContext, given: Options, accounts: tuple[RegistryCredentials, ...]) -> Options:
        """With what containers get, and the home that a clone on the host has."""
        home = str(self.host.layout(context.folder).home)
        return replace(given, home=home, container=self.container(accounts))

    def engine(self, context: TaskContext) -> Engine:
        """That of a plugin, under this runner's limit."""
        given = self.container(_NO_ACCOUNTS)
        limited = LimitedEngine(context.engine(CONTAINER_ENGINE), self.limiter)
        return MixedEngine(limited, self.host, netrc_on_host_only=given.netrc_clone_only)
