"""The contract, kept with a backend that has no wire at all."""

from __future__ import annotations

import pytest

from delegate_core.testing.contract import BackendContract
from tests.core.memory_backend import MemoryServer


class TestMemoryBackend(BackendContract):
    @pytest.fixture
    def under_test(self) -> MemoryServer:
        return MemoryServer()
