# ruff: noqa: S101 - these are tests: they assert, and each one's name is its sentence
"""What the parts of the contract suite share: fixtures, and a wait on the server."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import anyio
import pytest

from delegate_core.testing.bench import PATIENCE, Bench
from delegate_core.testing.under_test import BackendUnderTest, Verdict
from delegate_core.testing.work import Work

__all__ = ["ContractFixtures", "delivered_once", "until"]


class ContractFixtures:
    """The fixtures of every part. A subclass gives ``under_test``."""

    pytestmark = pytest.mark.anyio

    @pytest.fixture
    def anyio_backend(self) -> str:
        """The loop that runners need."""
        return "asyncio"

    @pytest.fixture
    def under_test(self) -> Any:
        """A server that runs for one test, and the backend for it: a `BackendUnderTest`, or an iterator of one."""
        pytest.fail("give a fixture `under_test`: a running server, as a BackendUnderTest")

    @pytest.fixture
    def work(self) -> Work:
        """Handlers to look into."""
        return Work()

    @pytest.fixture
    async def bench(self, under_test: BackendUnderTest, tmp_path: Path) -> AsyncIterator[Bench]:
        """Starts runners."""
        async with Bench.opened(tmp_path, under_test.backend) as bench:
            yield bench


async def until(server: BackendUnderTest, condition: Callable[[], Any]) -> None:
    """Wait until a condition on the server holds.

    Raises:
        TimeoutError: it did not in time.
    """
    with anyio.fail_after(PATIENCE):
        while not condition():
            await server.changed()


async def delivered_once(server: BackendUnderTest, task_id: str) -> Verdict:
    """The server's verdict on a task, of which it has got one final report and has nothing against it."""
    with anyio.fail_after(PATIENCE):
        verdict = await server.verdict(task_id)
    assert verdict.finals == 1, f"{task_id}: {verdict.finals} final reports took effect"
    assert not verdict.complaints, f"{task_id}: {'; '.join(verdict.complaints)}"
    return verdict
