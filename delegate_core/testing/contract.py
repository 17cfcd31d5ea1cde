"""The contract suite: the promises of the core, kept with your backend.

Subclass it in a test module, and give one fixture, an adapter of your server::

    class TestMyBackend(BackendContract):
        @pytest.fixture
        async def under_test(self):
            async with MyServer() as server:
                yield MyAdapter(server)  # see delegate_core.testing.under_test.BackendUnderTest

Where the server can be reached from another process, subclass `KilledContract` as well: there, runners are ended by
SIGKILL. The suite needs pytest with anyio's plugin, which comes with anyio.
"""

from __future__ import annotations

from delegate_core.testing.contract_ending import EndingContract, LeavingContract
from delegate_core.testing.contract_faults import FaultContract
from delegate_core.testing.contract_recovery import KilledContract, RecoveryContract
from delegate_core.testing.contract_tasks import TaskContract
from delegate_core.testing.under_test import BackendUnderTest, Breakage, Call, Recipe, Verdict

__all__ = ["BackendContract", "BackendUnderTest", "Breakage", "Call", "KilledContract", "Recipe", "Verdict"]


class BackendContract(TaskContract, FaultContract, EndingContract, LeavingContract, RecoveryContract):
    """Every test that a backend has to pass."""
