"""A server to run stages for, and a folder to run commands in."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from delegate_drone.server import EmbeddedDrone, Rules
from tests.drone.local.command import Command


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
