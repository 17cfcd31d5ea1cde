"""Runs the steps of one stage in containers."""

from __future__ import annotations

import logging
from collections.abc import Callable
from itertools import count
from typing import Any

import anyio
from aiodocker import Docker
from aiodocker.containers import DockerContainer
from aiodocker.exceptions import DockerError

from delegate_core.engines.engine import Output
from delegate_core.pipeline.container import Container
from delegate_core.pipeline.spec import Step
from delegate_core.pipeline.states import Broken, Ending
from delegate_docker.configuration import StageConfiguration, unfit
from delegate_docker.faults import FAULTS, fault_text, is_gone, is_unreachable
from delegate_docker.images import ImageMissing, Images
from delegate_docker.platforms import platform_text
from delegate_docker.running import Running
from delegate_docker.steptext import script_archive

__all__ = ["ContainerPlace"]

_log = logging.getLogger(__name__)


class _NotJoined(Exception):
    """A network could not be joined; the text says which, and how to mend it."""


class ContainerPlace:
    """The network and the volumes of one stage, in which its steps run, any number of them at one time.

    Args:
        client: of the engine.
        images: of the engine.
        configuration: what the stage's containers have in common.
        grace: seconds from the stop signal to the kill; asked when it comes to that.
        start_timeout: seconds to create a container.
        patience: seconds that it has to answer when a container is to end.
        lost: called when the engine does not answer.
    """

    def __init__(
        self,
        client: Docker,
        images: Images,
        configuration: StageConfiguration,
        *,
        grace: Callable[[], float],
        start_timeout: float,
        patience: float,
        lost: Callable[[], object],
    ) -> None:
        self._client = client
        self._images = images
        self._configuration = configuration
        self._grace = grace
        self._start_timeout = start_timeout
        self._patience = patience
        self._lost = lost
        self._numbers = count(1)

    def failed(self) -> None:
        """Nothing is kept: a container's volumes are of no use without it."""

    async def run(self, step: Step, output: Output) -> Ending:
        """Run one step until its container is gone; see `engine.Place`."""
        if why := unfit(step):
            return Broken(why)
        assert step.container is not None  # noqa: S101 - for the type checker: `unfit` has looked
        try:
            stage = self._configuration.stage
            await self._images.provide(step.container, stage.platform, output if stage.show_pulls else _drop)
            return await self._in_container(step, step.container, output)
        except (ImageMissing, _NotJoined, LookupError) as error:
            return Broken(str(error.args[0]))
        except FAULTS as error:
            return Broken(self._text(step, error))

    def _text(self, step: Step, error: Exception) -> str:
        secrets = tuple(secret.value for secret in step.secrets)
        if is_unreachable(error):
            self._lost()
            return f"the container engine was lost: {fault_text(error, secrets)}"
        return f"its container could not be run: {fault_text(error, secrets)}"

    async def _in_container(self, step: Step, container: Container, output: Output) -> Ending:
        name = self._configuration.names.container(next(self._numbers))
        try:
            with anyio.fail_after(self._start_timeout):
                created = await self._create(name, step, container)
            return await Running(created, output, self._grace, patience=self._patience).to_its_end()
        finally:
            with anyio.CancelScope(shield=True):
                await self._remove(name)

    async def _create(self, name: str, step: Step, container: Container) -> DockerContainer:
        wanted = self._configuration.container(step, container)
        created = await self._created(name, wanted)
        if step.commands:
            archive = script_archive(step, self._configuration.stage.netrc)
            await created.put_archive("/", archive)  # type: ignore[no-untyped-call]
        if not container.network_mode:
            for network in dict.fromkeys((*self._configuration.stage.networks, *container.networks)):
                await self._join(network, created)
        return created

    async def _created(self, name: str, wanted: dict[str, Any]) -> DockerContainer:
        """Name the platform, so that no other variant of the image runs: the engine refuses what does not match.

        Source: parameter ``platform`` of ``POST /containers/create``, since version 1.41 of the Docker Engine API.
        """
        platform = platform_text(self._configuration.stage.platform)
        params = {"name": name, **({"platform": platform} if platform else {})}
        answer = await self._client._query_json(  # noqa: SLF001 - `containers.create` takes no platform
            "containers/create", method="POST", data=wanted, params=params
        )
        return self._client.containers.container(answer["Id"])

    async def _join(self, network: str, container: DockerContainer) -> None:
        """Join one that is there. Not by the step's name: other stages have steps of that name, and join it too."""
        try:
            found = await self._client.networks.get(network)
            await found.connect({"Container": container.id})
        except DockerError as error:
            if is_unreachable(error):
                raise
            cure = f"; make it (docker network create {network}), or join no such network" if is_gone(error) else ""
            raise _NotJoined(f"it cannot join the network {network!r}: {fault_text(error)}{cure}") from None

    async def _remove(self, name: str) -> None:
        """Take the container away. What is left of it when that fails, the stage's end or the next sweep removes."""
        try:
            with anyio.fail_after(self._patience):
                await self._client.containers.container(name).delete(force=True, v=True)
        except DockerError as error:
            if not is_gone(error):
                _log.warning("could not remove the container %s: %s", name, fault_text(error))
        except FAULTS as error:
            _log.warning("could not remove the container %s: %s", name, fault_text(error))


def _drop(_data: bytes) -> None:
    pass
