"""Rules for the volumes and the workspace of a docker pipeline."""

from __future__ import annotations

from collections.abc import Iterator

from delegate_drone.manifest.models import Pipeline, Step, Volume, VolumeMount
from delegate_drone.manifest.nodes import Mark
from delegate_drone.manifest.paths import DEFAULT_WORKSPACE, hides_the_system, is_below, workspace_folders
from delegate_drone.manifest.problems import Report
from delegate_drone.manifest.steps import all_steps, entry

__all__ = ["lint_mounts", "lint_volumes", "lint_workspace"]

_RESERVED_NAMES = frozenset({"workspace", "_workspace", "_docker_socket"})
_RESERVED_FOLDERS = ("/run/drone", "/var/run/drone")
"""The second one is the first, where ``/var/run`` is a link as in most images."""


def lint_volumes(pipeline: Pipeline, report: Report) -> None:
    """A volume needs a name of its own and a place."""
    seen: dict[str, Mark] = {}
    for volume in _volumes(pipeline):
        if not volume.name:
            report.error("volume", volume.mark, "a volume has no name", "add `name: ...`")
        elif volume.name in seen:
            message = f"the volume `{volume.name}` of line {seen[volume.name].line} is replaced by this one"
            report.warning("volume", volume.mark, message, "give each volume a name of its own")
        seen.setdefault(volume.name, volume.mark)
        _refuse_reserved(volume.name, volume.mark, report)
        _check_place(volume, report)


def lint_mounts(pipeline: Pipeline, report: Report) -> None:
    """A step can mount what is declared, where a container has room for it."""
    declared = {volume.name for volume in pipeline.volumes}
    for step, mount in _mounts(pipeline):
        _refuse_reserved(mount.name, mount.mark, report)
        _check_mount_path(step, mount, pipeline, report)
        if mount.name not in declared and mount.name not in _RESERVED_NAMES:
            message = f"volume `{mount.name}` is not declared, so nothing is mounted"
            report.warning("volume", mount.mark, message, "declare it under the pipeline's `volumes`")


def lint_workspace(pipeline: Pipeline, report: Report) -> None:
    """A workspace that would hide the container's system is not made there, which nobody expects."""
    found = entry(pipeline.node, "workspace")
    if pipeline.type == "exec" or found is None:
        return
    folders = workspace_folders(pipeline.workspace.base, pipeline.workspace.path)
    hiding = next((folder for folder in folders if hides_the_system(folder)), None)
    if hiding is not None:
        message = f"a workspace at {hiding} would hide the container's own files, so it is at {DEFAULT_WORKSPACE}"
        report.warning("workspace", found.key.mark, message, "choose another folder, such as /work")


def _volumes(pipeline: Pipeline) -> tuple[Volume, ...]:
    return () if pipeline.type == "exec" else pipeline.volumes


def _mounts(pipeline: Pipeline) -> Iterator[tuple[Step, VolumeMount]]:
    if pipeline.type != "exec":
        for step in all_steps(pipeline):
            yield from ((step, mount) for mount in step.volumes)


def _refuse_reserved(name: str, mark: Mark, report: Report) -> None:
    if name in _RESERVED_NAMES:
        report.error("volume", mark, f"the volume name `{name}` is reserved", "rename it")


def _check_place(volume: Volume, report: Report) -> None:
    if volume.host_path is None and not volume.temporary:
        message = f"volume `{volume.name}` is neither `temp` nor `host`, so nothing is mounted"
        report.warning("volume", volume.mark, message, "add `temp: {}`")
    elif volume.host_path is not None and not volume.host_path:
        report.error("volume", volume.mark, f"volume `{volume.name}` has no path on the host", "add `path: /...`")


def _check_mount_path(step: Step, mount: VolumeMount, pipeline: Pipeline, report: Report) -> None:
    if pipeline.platform.os == "windows":
        return
    if not mount.path.startswith("/"):
        message = f"volume `{mount.name}` of step `{step.name}` is mounted at no absolute path"
        report.error("volume", mount.mark, message, "add `path: /...`, a folder of the container")
    elif any(is_below(mount.path, folder) for folder in _RESERVED_FOLDERS):
        report.error("volume", mount.mark, f"nothing may be mounted at {_RESERVED_FOLDERS[0]}", "mount it elsewhere")
