"""Fixtures: a scripted backend, and a bench for its runners."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from delegate_core.testing.bench import Bench
from tests.core.scripted_backend import Scripted


@pytest.fixture
def backend() -> Scripted:
    return Scripted()


@pytest.fixture
async def bench(backend: Scripted, tmp_path: Path) -> AsyncIterator[Bench]:
    async with Bench.opened(tmp_path, lambda: backend) as bench:
        yield bench
