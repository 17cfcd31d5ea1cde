"""A task's own folder, and what becomes of it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from delegate_core.model import JsonValue
from delegate_core.testing.bench import Bench
from tests.core.memory_backend import MemoryBackend, MemoryServer

_DEEP = "import os\nfor _ in range(3000): os.mkdir('d'); os.chdir('d')"


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    """Pytest's own cleaning up would not come to the bottom of what is left where a test fails."""
    yield tmp_path
    subprocess.run(["rm", "-rf", tmp_path / "bench"], check=True)


async def test_it_is_gone_with_its_task_whatever_the_task_made_of_it(place: Path) -> None:
    server, other = MemoryServer(), place / "other"
    other.mkdir()
    (other / "file").touch()
    async with Bench.opened(place, lambda: MemoryBackend(server)) as bench:
        await bench.start({})
        commands: list[JsonValue] = [
            f'"{sys.executable}" -c "{_DEEP}"',
            f"ln -s {other} link",
            "mkdir shut && touch shut/in && chmod 0 shut .",
        ]
        verdict = await bench.within(server.verdict(server.submit("script", {"commands": commands})))
        assert verdict.error == ""
        assert list((place / "bench" / "tasks").iterdir()) == []
        assert (other / "file").exists()
