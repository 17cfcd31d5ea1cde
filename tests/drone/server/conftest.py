"""Fixtures: a server on a real socket with a clock of ours, and a bare runner that calls it."""

from collections.abc import AsyncIterator

import httpx
import pytest

from delegate_drone.server import EmbeddedDrone, Order, Rules

from .runner import ONE, BareRunner, Clock, http_client


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def rules() -> Rules:
    """A module, or a test by its parameters, has others."""
    return Rules(long_poll=0.2)


@pytest.fixture
async def drone(rules: Rules, clock: Clock) -> AsyncIterator[EmbeddedDrone]:
    async with EmbeddedDrone(rules=rules, clock=clock) as drone:
        yield drone


@pytest.fixture
async def http(drone: EmbeddedDrone) -> AsyncIterator[httpx.AsyncClient]:
    async with http_client(drone) as http:
        yield http


@pytest.fixture
def runner(http: httpx.AsyncClient) -> BareRunner:
    return BareRunner(http)


@pytest.fixture
def stage_id(drone: EmbeddedDrone) -> int:
    """A pending stage of a fresh build."""
    return drone.stages_of(drone.create(Order(text=ONE)).id)[0].id
