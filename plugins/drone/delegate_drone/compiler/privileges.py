"""Which plugins run privileged though nobody asked: those that build images, as long as they do nothing else."""

from __future__ import annotations

from collections.abc import Set as AbstractSet

from delegate_drone.compiler.images import PRIVILEGED_PLUGINS, is_among
from delegate_drone.compiler.options import ContainerOptions
from delegate_drone.manifest import Step
from delegate_drone.manifest.paths import hides_the_system

__all__ = ["may_be_privileged"]

_STEERING = frozenset({"DOCKER_HOST", "DOCKER_OPTS", "HOME", "PATH", "XDG_RUNTIME_DIR"})
"""Variables that would make such a plugin run something of the pipeline's choice, or reach another daemon."""


def may_be_privileged(step: Step, inherited: AbstractSet[str], options: ContainerOptions) -> bool:
    """Whether this is a trusted plugin that the pipeline cannot turn to another end.

    Args:
        step: as the manifest has it.
        inherited: names of the variables that the pipeline and the build's parameters set for all steps.
        options: which plugins are trusted.
    """
    if not is_among(step.image, (*PRIVILEGED_PLUGINS, *options.privileged_images)):
        return False
    if step.commands or step.command or step.entrypoint:
        return False
    if _STEERING & {*step.environment, *inherited}:
        return False
    if step.volumes and not options.plugin_volumes:
        return False
    return not any(hides_the_system(mount.path) for mount in step.volumes)
