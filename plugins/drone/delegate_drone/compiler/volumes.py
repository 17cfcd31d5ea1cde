"""The volumes of a docker pipeline, and what each step sees of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from delegate_core.pipeline.container import Mount
from delegate_core.pipeline.spec import HostVolume, TemporaryVolume, Volume
from delegate_drone.compiler.naming import free_name
from delegate_drone.compiler.sharing import SharedVolume
from delegate_drone.manifest import Pipeline, Step
from delegate_drone.manifest import Volume as ManifestVolume

__all__ = ["Volumes"]


@dataclass(frozen=True, slots=True)
class Volumes:
    """``declared`` by the pipeline; ``shared`` by the runner with every step, at the places of ``mounts``."""

    declared: tuple[Volume, ...]
    shared: tuple[Volume, ...]
    mounts: tuple[Mount, ...]

    @classmethod
    def of(cls, pipeline: Pipeline, runner: Iterable[SharedVolume]) -> Volumes:
        """The volumes of a pipeline, and those of the runner."""
        declared = {volume.name: volume for volume in _declared(pipeline.volumes)}
        names = set(declared)
        shared: list[HostVolume] = []
        mounts: list[Mount] = []
        for volume in runner:
            name = free_name("_runner", names)
            shared.append(HostVolume(name=name, path=volume.host_path, read_only=volume.read_only))
            mounts.append(Mount(name, volume.path, volume.read_only))
        return cls(tuple(declared.values()), tuple(shared), tuple(mounts))

    @property
    def all(self) -> tuple[Volume, ...]:
        """What the engine has to provide."""
        return (*self.declared, *self.shared)

    def mounted(self, step: Step) -> tuple[Mount, ...]:
        """What a step sees; a volume that nobody declared is left out."""
        known = {volume.name for volume in self.declared}
        return (*(Mount(mount.name, mount.path) for mount in step.volumes if mount.name in known), *self.mounts)


def _declared(volumes: tuple[ManifestVolume, ...]) -> Iterator[Volume]:
    for volume in volumes:
        if volume.host_path is not None:
            yield HostVolume(name=volume.name, path=volume.host_path)
        elif volume.temporary:
            in_memory = volume.medium == "memory"
            yield TemporaryVolume(name=volume.name, in_memory=in_memory, size_limit=volume.size_limit or None)
