"""What only a trusted repository may ask for."""

from __future__ import annotations

from delegate_drone.manifest.models import Pipeline
from delegate_drone.manifest.problems import Report
from delegate_drone.manifest.steps import all_steps, entry

__all__ = ["lint_trust"]


def lint_trust(pipeline: Pipeline, report: Report) -> None:
    """Refuse what only a trusted repository may ask of a docker pipeline."""
    if pipeline.type == "exec":
        return
    for step in all_steps(pipeline):
        for key in ("privileged", "devices", "dns", "dns_search", "extra_hosts", "network_mode", "shm_size"):
            found = entry(step.node, key)
            if found and getattr(step, key):
                message = f"`{key}` of step `{step.name}` needs a trusted repository"
                report.error("untrusted", found.key.mark, message, "remove it, or have the repository trusted")
    for volume in pipeline.volumes:
        if volume.host_path is not None or volume.medium == "memory":
            message = f"volume `{volume.name}` on the host or in memory needs a trusted repository"
            report.error("untrusted", volume.mark, message, "use `temp: {}`, or have the repository trusted")
