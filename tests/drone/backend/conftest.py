"""A server to run stages for."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from delegate_drone.server import EmbeddedDrone, Rules


@pytest.fixture
async def drone() -> AsyncIterator[EmbeddedDrone]:
    async with EmbeddedDrone(rules=Rules(long_poll=1.0, match_every=0.2)) as drone:
        yield drone
