"""The sources that settings name."""

from __future__ import annotations

from pathlib import Path

import anyio
import pytest

from delegate_core.settings import load
from delegate_drone.external import open_sources
from delegate_drone.settings import DroneSettings
from tests.drone.external.builds import details, document
from tests.drone.external.extension import TOKEN, Answer, answering


@pytest.fixture(autouse=True)
def no_proxy_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "ALL_PROXY", "http_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)


async def test_the_settings_of_a_drone_runner_name_all_its_sources(tmp_path: Path) -> None:
    (tmp_path / "env").write_text("FROM_FILE=1\n")
    async with answering(lambda question: Answer.of({"data": "1"} if "path" in question else [])) as extension:
        environ = {"DRONE_RPC_HOST": "drone.example", "DRONE_RPC_SECRET": "x", "DRONE_RUNNER_SECRETS": "own:2"}
        environ["DRONE_RUNNER_ENV_FILE"] = str(tmp_path / "env")
        for kind in ("SECRET", "ENV", "REGISTRY"):
            environ |= {f"DRONE_{kind}_PLUGIN_ENDPOINT": extension.url, f"DRONE_{kind}_PLUGIN_TOKEN": TOKEN}
        settings = load(DroneSettings, flags={}, environ=environ, file=None).values
        with anyio.fail_after(60):
            async with open_sources(settings) as sources:
                secrets = await sources.secrets.resolve(["a", "own"], [document("a", path="p")], details())
                variables = await sources.environment.resolve(details())
                accounts = await sources.registries.resolve(details())
        assert len(extension.questions) == 3
    assert secrets.values == {"a": "1", "own": "2"}
    assert variables.plain == {"FROM_FILE": "1"}
    assert accounts.accounts == ()


async def test_without_extensions_there_are_the_runner_s_own_alone() -> None:
    environ = {"DRONE_RPC_HOST": "drone.example", "DRONE_RPC_SECRET": "x", "DRONE_RUNNER_ENVIRON": "A:1"}
    settings = load(DroneSettings, flags={}, environ=environ, file=None).values
    async with open_sources(settings) as sources:
        assert (await sources.environment.resolve(details())).plain == {"A": "1"}
        assert (await sources.secrets.resolve(["a"], [document("a", path="p")], details())).missing == ("a",)
