"""The contract, kept by the container engine."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from delegate_core.pipeline.container import Container
from delegate_core.pipeline.spec import Step
from delegate_core.testing.engine_contract import EngineContract
from delegate_docker.engine import DockerEngine
from tests.docker.daemon import BOX


@dataclass(frozen=True)
class DockerUnderTest:
    opened: DockerEngine

    adds = frozenset({"HOSTNAME", "TINI_KILL_PROCESS_GROUP"})
    tells_signals = False
    makes_folders = True

    def engine(self) -> DockerEngine:
        return self.opened

    def step(self, folder: Path, name: str, commands: tuple[str, ...], **settings: Any) -> Step:
        environment = {"PATH": "/bin:/usr/bin", "HOME": "/root", **settings.pop("environment", {})}
        container = settings.pop("container", Container(image=BOX))
        return Step(name=name, commands=commands, environment=environment, container=container, **settings)


class TestDockerEngine(EngineContract):
    @pytest.fixture
    def under_test(self, engine: DockerEngine) -> DockerUnderTest:
        return DockerUnderTest(engine)
