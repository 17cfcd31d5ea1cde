"""The command, in a folder of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.command import Command


@pytest.fixture
def delegate(tmp_path: Path) -> Command:
    return Command(tmp_path)
