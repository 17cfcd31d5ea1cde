"""The contract, kept by the host engine where its steps run as another user."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from delegate_core.engines.engine import Surroundings
from delegate_core.engines.surroundings import LocalSurroundings
from delegate_core.pipeline.spec import Workspace
from delegate_core.pipeline.states import Exited
from delegate_core.testing.engine_contract import EngineContract
from delegate_core.testing.engine_contract_base import Open
from tests.engines.host_engine import HostUnderTest
from tests.other_user import needs_root, nobody, open_folder


@needs_root
class TestHostEngineAsAnotherUser(EngineContract):
    @pytest.fixture
    def tmp_path(self) -> Iterator[Path]:
        with open_folder() as folder:
            yield folder

    @pytest.fixture
    def under_test(self) -> HostUnderTest:
        return HostUnderTest()

    @pytest.fixture
    def surroundings(self) -> Callable[[Path, float], Surroundings]:
        return lambda folder, grace: LocalSurroundings(folder, grace, nobody())

    async def test_a_folder_used_in_place_stays_as_it_is(self, opened: Open, tmp_path: Path) -> None:
        """It is nobody's to give away: steps do there what their user may."""
        source = tmp_path / "source"
        source.mkdir(mode=0o755)
        (source / "file").write_text("mine\n")
        async with opened(workspace=Workspace(source=str(source))) as room:
            assert (await room.run("cat file")).own == b"mine\n"
            assert (await room.run("touch new")).ending != Exited(0)
        assert source.stat().st_uid == 0
