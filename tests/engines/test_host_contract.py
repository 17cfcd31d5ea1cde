"""The contract, kept by the host engine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from delegate_core.testing.engine_contract import EngineContract
from tests.engines.host_engine import HostUnderTest


class TestHostEngine(EngineContract):
    @pytest.fixture
    def under_test(self) -> HostUnderTest:
        return HostUnderTest()


class TestHostEngineWithARoot(EngineContract):
    @pytest.fixture
    def under_test(self, tmp_path: Path) -> Iterator[HostUnderTest]:
        root = tmp_path / "runner root"
        yield HostUnderTest(root)
        assert not root.exists() or list(root.iterdir()) == []
