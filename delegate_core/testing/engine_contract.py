"""The contract suite for engines: what a stage may rely on, wherever its steps run.

Subclass it in a test module, and give one fixture, an adapter of your engine::

    class TestMyEngine(EngineContract):
        @pytest.fixture
        def under_test(self):
            return MyAdapter()  # see EngineUnderTest

The suite needs pytest with anyio's plugin, which comes with anyio, and where the steps run a POSIX shell, and the
programs env, cat, head, tr, mkfifo, sleep and flock (BusyBox has them all).
"""

from __future__ import annotations

from delegate_core.testing.engine_contract_base import EngineUnderTest
from delegate_core.testing.engine_contract_ending import EndingContract
from delegate_core.testing.engine_contract_output import OutputContract
from delegate_core.testing.engine_contract_place import PlaceContract
from delegate_core.testing.engine_contract_steps import StepContract

__all__ = ["EngineContract", "EngineUnderTest"]


class EngineContract(StepContract, OutputContract, EndingContract, PlaceContract):
    """Every test that an engine has to pass."""
