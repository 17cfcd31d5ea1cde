"""Fixtures: a manager on a real socket with a clock of ours, and a bare delegate that calls it."""

from collections.abc import AsyncIterator

import httpx
import pytest

from delegate_harness.manager import EmbeddedManager

from .delegate import BareDelegate, Clock, http_client


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def manager(clock: Clock) -> AsyncIterator[EmbeddedManager]:
    async with EmbeddedManager(clock=clock) as manager:
        yield manager


@pytest.fixture
async def http(manager: EmbeddedManager) -> AsyncIterator[httpx.AsyncClient]:
    async with http_client(manager) as http:
        yield http


@pytest.fixture
async def delegate(manager: EmbeddedManager, http: httpx.AsyncClient) -> BareDelegate:
    delegate = BareDelegate(manager, http)
    await delegate.register()
    return delegate


@pytest.fixture
async def other(manager: EmbeddedManager, http: httpx.AsyncClient) -> BareDelegate:
    other = BareDelegate(manager, http)
    await other.register(delegateName="other", hostName="host-2")
    return other
