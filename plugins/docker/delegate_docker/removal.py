"""Taking away what carries a label: containers with their anonymous volumes, then networks, then volumes."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Any

from aiodocker import Docker
from aiodocker.containers import DockerContainer
from aiodocker.exceptions import DockerError
from aiodocker.networks import DockerNetwork
from aiodocker.volumes import DockerVolume

from delegate_docker.faults import is_gone
from delegate_docker.labels import STAGE

__all__ = ["label_values", "remove_labelled"]

_CONFLICT = 409
"""Somebody else is removing it already."""

_Remove = Callable[[], Awaitable[Any]]


async def label_values(client: Docker, label: str) -> set[str]:
    """What this label says on anything that has it."""
    found: list[Any] = [*await _containers(client, label), *await _networks(client, label)]
    found += await _volumes(client, label)
    return {(each["Labels"] or {}).get(label, "") for each in found}


async def remove_labelled(client: Docker, label: str, value: str, *, but: Callable[[str], bool]) -> None:
    """Remove all that has this label with this value, but what is of a stage that ``but`` says yes to.

    Raises:
        DockerError: something could not be removed; the rest was tried.
    """
    faults: list[DockerError] = []
    async for remove in _found(client, f"{label}={value}", but):
        try:
            await remove()
        except DockerError as error:
            if not is_gone(error) and error.status != _CONFLICT:
                faults.append(error)
    if faults:
        raise faults[0]


async def _found(client: Docker, label: str, but: Callable[[str], bool]) -> AsyncIterator[_Remove]:
    """How to remove each, in an order that works: what is in use cannot be removed."""
    for container in await _containers(client, label):
        if not but(_stage(container["Labels"])):
            yield partial(container.delete, force=True, v=True)
    for network in await _networks(client, label):
        if not but(_stage(network["Labels"])):
            yield DockerNetwork(client, network["Id"]).delete  # type: ignore[no-untyped-call]
    for volume in await _volumes(client, label):
        if not but(_stage(volume["Labels"])):
            yield DockerVolume(client, volume["Name"]).delete  # type: ignore[no-untyped-call]


async def _containers(client: Docker, label: str) -> list[DockerContainer]:
    return await client.containers.list(all=True, filters=json.dumps({"label": [label]}))


async def _networks(client: Docker, label: str) -> list[dict[str, Any]]:
    return await client.networks.list(filters={"label": [label]})


async def _volumes(client: Docker, label: str) -> list[dict[str, Any]]:
    listed = await client.volumes.list(filters={"label": [label]})  # type: ignore[no-untyped-call]
    return listed["Volumes"] or []


def _stage(labels: dict[str, str] | None) -> str:
    return (labels or {}).get(STAGE, "")
