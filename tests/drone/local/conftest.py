"""A folder to work in, and the commands in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.drone.local.command import Command


@pytest.fixture
def delegate(tmp_path: Path) -> Command:
    folder, temporary = tmp_path / "project", tmp_path / "tmp"
    folder.mkdir()
    temporary.mkdir()
    return Command(folder, temporary)
