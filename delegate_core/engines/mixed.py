"""Two engines for one stage: its containers on the one, and the steps that have none on this host.

Both see one workspace: a folder of the host engine's, mounted in the containers. So the engine of the containers has to
be on this machine. A stage of containers alone is left to their engine as it is.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import anyio

from delegate_core.engines.engine import Engine, Output, Place, Surroundings
from delegate_core.engines.host import HostEngine
from delegate_core.pipeline.spec import RunPolicy, Stage, Step, Workspace
from delegate_core.pipeline.states import Ending

__all__ = ["MixedEngine"]


@dataclass(frozen=True, slots=True)
class MixedEngine:
    """Runs each step where it belongs.

    Attributes:
        containers: where steps with a container run.
        host: where the others run; its limiter does not count.
        netrc_on_host_only: the containers do not get the account for git.
    """

    containers: Engine
    host: HostEngine
    netrc_on_host_only: bool = False

    @property
    def limiter(self) -> anyio.CapacityLimiter | None:
        """That of the containers' engine, for all steps."""
        return self.containers.limiter

    @asynccontextmanager
    async def open(self, stage: Stage, surroundings: Surroundings) -> AsyncIterator[Place]:
        """Open both places, that of the host first; see `Engine.open`."""
        if not any(_is_for_the_host(step) for step in stage.steps):
            async with self.containers.open(stage, surroundings) as place:
                yield place
            return
        workspace = stage.workspace
        own = self.host.layout(surroundings.folder).workspace if workspace.source is None else None
        on_host = replace(stage, workspace=Workspace(source=workspace.source))
        netrc = None if self.netrc_on_host_only else stage.netrc
        in_containers = replace(stage, workspace=replace(workspace, source=workspace.source or str(own)), netrc=netrc)
        async with self.host.open(on_host, surroundings) as host:
            if own is not None:
                # For the users of all images. Nobody else of this host gets there: the folder around it is private.
                await anyio.Path(own).chmod(0o777)
            async with self.containers.open(in_containers, surroundings) as containers:
                yield _MixedPlace(containers, host)


@dataclass(frozen=True, slots=True)
class _MixedPlace:
    containers: Place
    host: Place

    async def run(self, step: Step, output: Output) -> Ending:
        """Run it where it belongs."""
        place = self.host if step.container is None else self.containers
        return await place.run(step, output)

    def failed(self) -> None:
        """Tell both."""
        self.containers.failed()
        self.host.failed()


def _is_for_the_host(step: Step) -> bool:
    return step.container is None and step.run is not RunPolicy.NEVER
