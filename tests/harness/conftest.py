"""Fixtures: managers on real sockets, the embedded one and one that says what a test wants."""

from collections.abc import AsyncIterator

import pytest

from delegate_harness.manager import EmbeddedManager, Rules
from tests.harness.scripted import ScriptedManager


@pytest.fixture
async def manager() -> AsyncIterator[EmbeddedManager]:
    async with EmbeddedManager(rules=Rules(rounds=None, tick_seconds=0.1)) as manager:
        yield manager


@pytest.fixture
async def scripted() -> AsyncIterator[ScriptedManager]:
    scripted = ScriptedManager()
    async with scripted.serve():
        yield scripted


@pytest.fixture(autouse=True)
def no_proxy_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
