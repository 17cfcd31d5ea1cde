"""The host engine where a runner uses it: within a task, whose processes share the task's mark."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from delegate_core.engines.engine import Surroundings
from delegate_core.model import Task
from delegate_core.testing.engine_contract import EngineContract, EngineUnderTest
from delegate_core.testing.surroundings import PrintingContext
from tests.engines.host_engine import HostUnderTest


class TestHostEngineInATask(EngineContract):
    @pytest.fixture
    def under_test(self) -> EngineUnderTest:
        return HostUnderTest()

    @pytest.fixture
    def surroundings(self) -> Callable[[Path, float], Surroundings]:
        return lambda folder, grace: PrintingContext(Task(id="t", type="x"), folder, grace=grace)
