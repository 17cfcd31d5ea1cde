"""What ``delegate doctor`` looks at for this engine: whether it answers, and what it is."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from delegate_core.diagnosis import Check, Diagnosis, Finding
from delegate_core.engines.contribution import EngineDown, EngineSetup
from delegate_docker.connection import connected
from delegate_docker.engine import DockerEngine
from delegate_docker.settings import DockerSettings

__all__ = ["checks_of"]


def checks_of(settings: DockerSettings, diagnosis: Diagnosis) -> list[Check]:
    """The check, which stands in the place of the core's own of every engine."""
    types = diagnosis.needed.get("docker", frozenset())
    return [Check(name="engine docker", run=partial(_look, settings, types), timeout=2 * diagnosis.patience)]


async def _look(settings: DockerSettings, types: frozenset[str]) -> Finding:
    try:
        async with connected(settings) as client:
            version = await DockerEngine(client, EngineSetup(settings=settings)).version()
    except EngineDown as error:
        return Finding.of_engine_down(str(error), types)
    platform = f"{version.get('Os', '?')}/{version.get('Arch', '?')}"
    return Finding.ok(
        f"{_name(version)} {version.get('Version', '?')}, API {version.get('ApiVersion', '?')}, {platform}"
    )


def _name(version: Mapping[str, Any]) -> str:
    """Docker's own, or that of what speaks as Docker does: Podman names itself among the components."""
    components = version.get("Components") or ()
    names = [str(each.get("Name", "")) for each in components if isinstance(each, Mapping)]
    return "Podman" if any("podman" in name.lower() for name in names) else "Docker Engine"
