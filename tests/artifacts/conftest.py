"""A cache of the test's own, and executables that run from it."""

from __future__ import annotations

import os
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import anyio
import pytest

from delegate_core import executable
from delegate_core.model import Task, TaskResult
from delegate_core.settings import RunnerSettings
from delegate_core.testing.bench import PATIENCE
from delegate_core.testing.surroundings import PrintingContext

Run = Callable[..., Coroutine[Any, Any, TaskResult]]

PROGRAM = b"#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\nfetched'\n"


@pytest.fixture(autouse=True)
def no_proxy_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def run(cache: Path) -> Run:
    """Runs the executable of a source once, with this cache."""

    async def run_it(
        source: Any, context: PrintingContext, ca_files: tuple[Path, ...] = (), **options: Any
    ) -> TaskResult:
        settings = RunnerSettings(cache_dir=cache, ca_files=ca_files)
        with anyio.fail_after(PATIENCE):
            async with executable("x", source, **options).opened(settings) as execute:
                return await execute(Task(id="t1", type="x"), context)

    return run_it


def kept(cache: Path) -> list[str]:
    """What lies in the cache: its entries, and what is half done."""
    return [path.name for kind in ("entries", "partial") for path in (cache / kind).glob("*")]
