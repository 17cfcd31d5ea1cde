"""From a step to the container that the engine is asked to create. Pure."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from delegate_core.pipeline.container import Container
from delegate_core.pipeline.spec import HostVolume, Limits, Stage, Step, TemporaryVolume
from delegate_docker.labels import StageNames
from delegate_docker.steptext import entrypoint

__all__ = ["DEFAULT_BASE", "StageConfiguration", "unfit"]

DEFAULT_BASE = "/workspace"
"""Where the workspace is mounted if the stage does not say."""

_ALIAS = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?")

_LONGEST_VARIABLE = 128 * 1024
"""Bytes of a variable with its name that Linux passes to a program."""

_TOGETHER = "TINI_KILL_PROCESS_GROUP"
"""Tells the engine's own init to pass the stop signal to all that the step has started, as the host engine does."""


def _alias(step: Step) -> str | None:
    """The name by which other steps reach this one; None where it is no name of a host."""
    return step.name if _ALIAS.fullmatch(step.name) else None


def unfit(step: Step) -> str | None:
    """Why no engine can run this step in a container."""
    if step.container is None:
        return "it names no image, and this engine runs containers; name one, or run it on the host"
    for number, command in enumerate(step.commands, start=1):
        if not _printable(command):
            return f"command {number} holds a zero byte or half a character; remove it"
    for name, value in step.variables().items():
        if not _printable(value) or not _printable(name) or not name or "=" in name:
            return f"the variable {name!r} has a name or a value with a zero byte, which no program can be given"
        if len(name) + len(value.encode("utf-8", "surrogateescape")) + 2 > _LONGEST_VARIABLE:
            return (
                f"the variable {name!r} is too long for a program: at most {_LONGEST_VARIABLE // 1024} KiB; use a file"
            )
    return None


@dataclass(frozen=True, slots=True)
class StageConfiguration:
    """What the containers of one stage have in common.

    Args:
        stage: the stage.
        names: of what it has on the engine.
        volumes: the engine's volume of each temporary volume of the stage, by its name there.
        workspace: the engine's volume of the workspace; None where a folder of the host is used in place.
    """

    stage: Stage
    names: StageNames
    volumes: Mapping[str, str]
    workspace: str | None

    @property
    def base(self) -> str:
        """Where the workspace is mounted."""
        return self.stage.workspace.base or DEFAULT_BASE

    @property
    def folder(self) -> str:
        """Where steps start."""
        return posixpath.join(self.base, self.stage.workspace.path)

    def container(self, step: Step, container: Container) -> dict[str, Any]:
        """What the engine is asked for.

        Raises:
            LookupError: it mounts a volume that the stage does not have; the text names it.
        """
        commands = bool(step.commands)
        return {
            "Image": container.image,
            "Env": [f"{name}={value}" for name, value in self._variables(step).items()],
            "Labels": self.names.labels(step),
            "User": container.user,
            "AttachStdout": True,
            "AttachStderr": True,
            **({"WorkingDir": directory} if (directory := self._directory(step)) else {}),
            **({"Entrypoint": entrypoint(step), "Cmd": []} if commands else _own_command(container)),
            "HostConfig": self._host(step, container),
            **self._networking(step, container),
        }

    def _variables(self, step: Step) -> dict[str, str]:
        return {**step.variables(), **({_TOGETHER: "1"} if step.commands else {})}

    def _directory(self, step: Step) -> str | None:
        if step.working_dir:
            return posixpath.join(self.folder, step.working_dir)
        return None if step.detach and not step.commands else self.folder

    def _host(self, step: Step, container: Container) -> dict[str, Any]:
        return {
            "Mounts": list(self._mounts(container)),
            "NetworkMode": container.network_mode or self.names.network,
            # A step's shell would ignore the stop signal if it was the first process, and would reap nothing.
            "Init": bool(step.commands),
            "Privileged": container.privileged,
            "Devices": [
                {"PathOnHost": each.host_path, "PathInContainer": each.path, "CgroupPermissions": "rwm"}
                for each in container.devices
            ],
            "Dns": list(container.dns),
            "DnsSearch": list(container.dns_search),
            "ExtraHosts": list(container.hosts),
            # What a step prints is read as it comes; nothing of it is kept on the engine's disk.
            "LogConfig": {"Type": "none"},
            **({"ShmSize": container.shm_size} if container.shm_size else {}),
            **_limits(step.limits),
        }

    def _networking(self, step: Step, container: Container) -> dict[str, Any]:
        if container.network_mode:
            return {}
        name = _alias(step)
        endpoint = {"Aliases": [name]} if name else {}
        return {"NetworkingConfig": {"EndpointsConfig": {self.names.network: endpoint}}}

    def _mounts(self, container: Container) -> Iterator[dict[str, Any]]:
        if self.workspace is not None:
            yield {"Type": "volume", "Source": self.workspace, "Target": self.base}
        else:
            yield {"Type": "bind", "Source": self.stage.workspace.source, "Target": self.base}
        volumes = {volume.name: volume for volume in self.stage.volumes}
        for mount in container.mounts:
            volume = volumes.get(mount.volume)
            if volume is None:
                raise LookupError(f"it mounts the volume {mount.volume!r}, which its pipeline does not have")
            yield {**self._volume(volume, read_only=mount.read_only), "Target": mount.path}

    def _volume(self, volume: TemporaryVolume | HostVolume, *, read_only: bool) -> dict[str, Any]:
        if isinstance(volume, HostVolume):
            return {"Type": "bind", "Source": volume.path, "ReadOnly": volume.read_only or read_only}
        if volume.in_memory:
            size = {"TmpfsOptions": {"SizeBytes": volume.size_limit}} if volume.size_limit else {}
            return {"Type": "tmpfs", "ReadOnly": read_only, **size}
        return {"Type": "volume", "Source": self.volumes[volume.name], "ReadOnly": read_only}


def _own_command(container: Container) -> dict[str, list[str]]:
    """What replaces the image's own; nothing where the step says nothing."""
    entry = {"Entrypoint": list(container.entrypoint)} if container.entrypoint else {}
    return {**entry, **({"Cmd": list(container.command)} if container.command else {})}


def _limits(limits: Limits) -> dict[str, int | str]:
    wanted = {
        "Memory": limits.memory,
        "MemorySwap": limits.memory_swap,
        "PidsLimit": limits.processes,
        "CpuPeriod": limits.cpu_period,
        "CpuQuota": limits.cpu_quota,
        "CpuShares": limits.cpu_shares,
        "CpusetCpus": limits.cpu_set,
    }
    return {name: value for name, value in wanted.items() if value is not None}


def _printable(text: str) -> bool:
    try:
        return b"\0" not in text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return False
