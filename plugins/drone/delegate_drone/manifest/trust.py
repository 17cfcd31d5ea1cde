"""What only a trusted repository may ask for."""

from __future__ import annotations

from delegate_drone.manifest.models import Pipeline, Step, Volume
from delegate_drone.manifest.problems import Report
from delegate_drone.manifest.steps import all_steps, entry

__all__ = ["lint_trust"]

_CURE = "remove it, or have the repository trusted; on your own machine: --trusted"

_POWERS = {
    "privileged": "gives the container the whole host",
    "devices": "opens devices of the host",
    "dns": "changes whom the container asks for names",
    "dns_search": "changes how the container finds names",
    "extra_hosts": "changes what names mean in the container",
    "network_mode": "takes the container out of its own network",
    "shm_size": "takes memory that no limit counts",
}
"""What each key of a step would do."""


def lint_trust(pipeline: Pipeline, report: Report) -> None:
    """Refuse what only a trusted repository may ask of a docker pipeline."""
    if pipeline.type == "exec":
        return
    for step in all_steps(pipeline):
        _refuse_powers(step, report)
    for volume in pipeline.volumes:
        _refuse_volume(volume, report)


def _refuse_powers(step: Step, report: Report) -> None:
    for key, power in _POWERS.items():
        found = entry(step.node, key)
        if found and getattr(step, key):
            message = f"`{key}` of step `{step.name}` needs a trusted repository: it {power}"
            report.error("untrusted", found.key.mark, message, _CURE)


def _refuse_volume(volume: Volume, report: Report) -> None:
    if volume.host_path is not None:
        message = f"volume `{volume.name}` needs a trusted repository: it is a folder of the host"
        report.error("untrusted", volume.mark, message, f"use `temp: {{}}`; {_CURE}")
    elif volume.medium == "memory":
        message = f"volume `{volume.name}` needs a trusted repository: it is in the host's memory"
        report.error("untrusted", volume.mark, message, f"leave out `medium`; {_CURE}")
