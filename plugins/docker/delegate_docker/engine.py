"""The container engine of one runner."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import anyio
from aiodocker import Docker

from delegate_core.engines.contribution import EngineDown, EngineSetup
from delegate_core.engines.engine import EngineError, Surroundings
from delegate_core.engines.netrc import netrc_line
from delegate_core.engines.owner import ProcessOwner
from delegate_core.pipeline.spec import Stage, TemporaryVolume
from delegate_docker.configuration import StageConfiguration
from delegate_docker.faults import FAULTS, fault_text, is_unreachable
from delegate_docker.images import Images
from delegate_docker.labels import OWNER, STAGE, StageNames
from delegate_docker.place import ContainerPlace
from delegate_docker.removal import label_values, remove_labelled
from delegate_docker.settings import DockerSettings

__all__ = ["DockerEngine"]

_log = logging.getLogger(__name__)

_PATIENCE = 30.0
"""Seconds for what an engine does at once, or not at all any more: it is busy, or the way to it is broken."""


class DockerEngine:
    """Runs steps in containers.

    Every container, network and volume carries labels that name this engine's owner and the stage. They are removed
    when the stage ends; what then is left, as when the engine was down or this program was killed, by `sweep`.

    Args:
        client: of the engine.
        setup: settings, owner, and whom to tell that the engine was lost.
        patience: seconds that it has to answer when a container is to end; twice that for all of a stage.
    """

    limiter: anyio.CapacityLimiter | None = None

    def __init__(self, client: Docker, setup: EngineSetup, *, patience: float = _PATIENCE) -> None:
        self._client = client
        self._settings: DockerSettings = setup.settings
        self._setup = setup
        self._patience = patience
        self._images = Images(client, self._settings)
        self._stages: set[str] = set()

    async def check(self) -> None:
        """Ask for the engine's version.

        Raises:
            EngineDown: there is no answer, or it is none of an engine.
        """
        await self.version()

    async def version(self) -> Mapping[str, Any]:
        """What the engine says of itself: ``Version``, ``ApiVersion``, ``Os``, ``Arch`` and more.

        Raises:
            EngineDown: there is no answer, or it is none of an engine.
        """
        try:
            return await self._client.version()
        except FAULTS as error:
            raise EngineDown(self._unreachable(error)) from None

    async def sweep(self, owner: str) -> None:
        """Remove what this owner has left, and what processes of this machine have that were killed.

        Raises:
            EngineError: something of this owner could not be removed.
        """
        try:
            await remove_labelled(self._client, OWNER, owner, but=self._stages.__contains__)
            owners = await label_values(self._client, OWNER)
        except FAULTS as error:
            raise EngineError(f"could not remove what was left on the container engine: {fault_text(error)}") from None
        for gone in filter(_is_gone, owners):
            await self._sweep_gone(gone)

    async def _sweep_gone(self, owner: str) -> None:
        """Several may do so at one time, and it is no business of this one's: what fails is tried at the next start."""
        try:
            await remove_labelled(self._client, OWNER, owner, but=lambda _: False)
            _log.info("removed from the container engine what a killed command had left: %s", owner)
        except FAULTS as error:
            _log.info("could not remove all that a killed command has left, %s: %s", owner, fault_text(error))

    @asynccontextmanager
    async def open(self, stage: Stage, surroundings: Surroundings) -> AsyncIterator[ContainerPlace]:
        """Make the stage's network and volumes; leaving removes them, and all containers.

        Raises:
            EngineError: they cannot be made, or the folder to be used in place is none.
        """
        self._check_source(stage)
        if stage.netrc is not None:
            netrc_line(stage.netrc)  # raises what a step could only fail of
        names = StageNames(self._setup.owner, uuid4().hex[:20], stage.name)
        self._stages.add(names.id)
        try:
            configuration = await self._set_up(stage, names)
            yield ContainerPlace(
                self._client,
                self._images,
                configuration,
                grace=lambda: surroundings.grace,
                start_timeout=self._settings.start_timeout,
                patience=self._patience,
                lost=self._setup.doubt,
            )
        finally:
            with anyio.CancelScope(shield=True):
                await self._take_down(names)

    async def _set_up(self, stage: Stage, names: StageNames) -> StageConfiguration:
        try:
            await self._client.networks.create(
                {
                    "Name": names.network,
                    "Driver": self._settings.network_driver,
                    "Options": {**self._settings.network_options, **stage.network_options},
                    "Labels": names.labels(),
                }
            )
            workspace = None if stage.workspace.source is not None else await self._volume(names, 0)
            disks = [each for each in stage.volumes if isinstance(each, TemporaryVolume) and not each.in_memory]
            volumes = {each.name: await self._volume(names, number) for number, each in enumerate(disks, start=1)}
        except FAULTS as error:
            if is_unreachable(error):
                self._setup.doubt()
                raise EngineError(self._unreachable(error)) from None
            raise EngineError(f"the container engine cannot set the stage up: {fault_text(error)}") from None
        return StageConfiguration(stage, names, volumes, workspace)

    async def _volume(self, names: StageNames, number: int) -> str:
        name = names.volume(number)
        config = {"Name": name, "Labels": names.labels()}
        await self._client.volumes.create(config)  # type: ignore[no-untyped-call]
        return name

    async def _take_down(self, names: StageNames) -> None:
        try:
            with anyio.fail_after(2 * self._patience):
                await remove_labelled(self._client, STAGE, names.id, but=lambda _: False)
        except FAULTS as error:
            self._setup.doubt()
            _log.warning(
                "could not remove all of the stage %s from the container engine: %s; "
                "it is removed when the engine is back, or at the next start",
                names.name,
                fault_text(error),
            )
        finally:
            self._stages.discard(names.id)

    def _unreachable(self, error: Exception) -> str:
        cure = "start it, or name another with --docker-host or DOCKER_HOST"
        if "Permission denied" in str(error):
            cure = "let the runner's user use its socket, as by the group docker"
        return f"cannot use the container engine at {_shown(self._settings.host)}: {fault_text(error)}; {cure}"

    def _check_source(self, stage: Stage) -> None:
        """On this machine's own engine, the folder is one of this machine."""
        source = stage.workspace.source
        if source is not None and self._settings.host.startswith("unix://") and not Path(source).is_dir():
            raise EngineError(f"the workspace {source} is no folder; name the folder in which the steps are to run")


def _is_gone(owner: str) -> bool:
    process = ProcessOwner.parse(owner)
    return process is not None and process.is_gone()


def _shown(host: str) -> str:
    """An address without a password, which does not belong there."""
    scheme, _, rest = host.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}"
