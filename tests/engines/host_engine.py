"""The host engine as the contract suite wants it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from delegate_core.engines.host import HostEngine
from delegate_core.pipeline.spec import Step
from delegate_core.processes import MARK_VARIABLE

PATH = "/usr/local/bin:/usr/bin:/bin"


@dataclass(frozen=True)
class HostUnderTest:
    root: Path | None = None

    @property
    def adds(self) -> frozenset[str]:
        return frozenset({MARK_VARIABLE})

    @property
    def tells_signals(self) -> bool:
        return True

    @property
    def makes_folders(self) -> bool:
        return False

    def engine(self) -> HostEngine:
        return HostEngine(root=self.root)

    def step(self, folder: Path, name: str, commands: tuple[str, ...], **settings: Any) -> Step:
        given = {"PATH": PATH, "HOME": str(self.engine().layout(folder).home)}
        environment = {**given, **settings.pop("environment", {})}
        return Step(name=name, commands=commands, environment=environment, **settings)
