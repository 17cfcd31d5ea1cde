"""A server to run stages for, a folder to run commands in, and a real engine."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import pytest

from delegate_docker import plugin
from delegate_docker.settings import DockerSettings
from delegate_drone.server import EmbeddedDrone, Rules
from tests.docker import daemon
from tests.docker.conftest import docker_host
from tests.drone.local.command import Command

__all__ = ["RealEngine", "docker_host"]


@dataclass(frozen=True)
class RealEngine:
    """The engine that all tests share, and what one test has on it: the name of its pipeline tells it apart."""

    host: str
    name: str = field(default_factory=lambda: f"p-{uuid4().hex}")

    image = daemon.BOX
    plugin = plugin

    @property
    def settings(self) -> DockerSettings:
        return DockerSettings(host=self.host)

    def left_behind(self) -> list[str]:
        return daemon.leftovers(self.host, f"delegate.stage.name={self.name}")

    def containers(self) -> list[str]:
        return [name for name in self.left_behind() if "-step-" in name]

    def forget(self, image: str) -> None:
        """Remove an image, where it is there."""
        with daemon.client(self.host) as http:
            http.delete(f"/images/{image}", params={"force": "true"})


@pytest.fixture
def engine(docker_host: str) -> Iterator[RealEngine]:
    engine = RealEngine(docker_host)
    yield engine
    assert engine.left_behind() == []


@pytest.fixture
async def drone() -> AsyncIterator[EmbeddedDrone]:
    async with EmbeddedDrone(rules=Rules(long_poll=1.0, match_every=0.2)) as drone:
        yield drone


@pytest.fixture
def delegate(tmp_path: Path) -> Command:
    folder, temporary = tmp_path / "project", tmp_path / "tmp"
    folder.mkdir()
    temporary.mkdir()
    return Command(folder, temporary)
