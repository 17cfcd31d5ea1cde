"""Settings of shared volumes: texts, tables of a settings file, and ready ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator

from delegate_drone.compiler.sharing import SharedVolume

__all__ = ["SharedVolumes"]


def _volumes(value: Any) -> tuple[SharedVolume, ...]:
    if isinstance(value, Mapping):
        value = [f"{host}:{path}" for host, path in value.items()]
    parts = value.split(",") if isinstance(value, str) else value
    if not isinstance(parts, list | tuple):
        raise ValueError("give HOST:CONTAINER or HOST:CONTAINER:ro, a comma between two")  # noqa: TRY004 - pydantic's
    return tuple(_volume(part) for part in parts if part)


def _volume(part: Any) -> SharedVolume:
    return part if isinstance(part, SharedVolume) else SharedVolume.parse(str(part))


SharedVolumes = Annotated[tuple[SharedVolume, ...], BeforeValidator(_volumes)]
"""Folders of the host in every container. One folder may stand at several places."""
