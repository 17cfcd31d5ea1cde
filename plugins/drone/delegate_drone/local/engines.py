"""Which engine runs a pipeline of which type. A container engine adds its own entry."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from delegate_core.engines.engine import Engine
from delegate_core.engines.host import HostEngine

__all__ = ["Keeping", "StepEngine", "missing_engine", "step_engines"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Keeping:
    """Where the workspaces of failed pipelines are kept, if anywhere, and who is told of each."""

    folder: Path | None = None
    tell: Callable[[str, Path], object] = lambda _pipeline, _path: None


@dataclass(frozen=True, slots=True, kw_only=True)
class StepEngine:
    """How pipelines of one type are run here.

    Args:
        create: makes the engine, which keeps what it is told to.
        places: from a stage's own folder to the options ``home`` and ``workspace`` that the compiler has to know;
            empty where the engine's steps see other paths than the host.
    """

    create: Callable[[Keeping], Engine]
    places: Callable[[Path], Mapping[str, str]] = lambda _: {}


def step_engines() -> dict[str, StepEngine]:
    """The engines that are installed, by the pipelines' type."""
    return {"exec": StepEngine(create=_host_engine, places=_host_places)}


def _host_engine(keeping: Keeping) -> Engine:
    return HostEngine(keep_failed=keeping.folder, on_kept=keeping.tell)


def missing_engine(type_: str) -> str:
    """Why a pipeline of this type cannot run here."""
    if type_ in {"", "docker"}:
        return "it is of type docker, and no container engine is installed; only type exec runs here"
    return f"it is of type {type_}, which no installed engine runs; only type exec runs here"


def _host_places(folder: Path) -> dict[str, str]:
    layout = HostEngine().layout(folder)
    return {"home": str(layout.home), "workspace": str(layout.workspace)}
