"""Calling ``delegate doctor`` and reading what it says."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio.to_thread
import pytest

from delegate_core.cli import main

__all__ = ["Examine", "Examined"]


@dataclass(frozen=True)
class Examined:
    """What it printed as JSON, and its exit status."""

    code: int
    told: Mapping[str, Any]

    @property
    def problems(self) -> list[str]:
        return [check["name"] for check in self.told["checks"] if check["status"] == "problem"]

    def status(self, name: str) -> str:
        return str(self._check(name)["status"])

    def text(self, name: str) -> str:
        """What was seen, and what to do about it."""
        check = self._check(name)
        return f"{check['seen']}; to do: {check['cure']}" if check["cure"] else str(check["seen"])

    def _check(self, name: str) -> Mapping[str, Any]:
        return next(check for check in self.told["checks"] if check["name"] == name)


@dataclass(frozen=True)
class Examine:
    """The command."""

    folder: Path
    monkeypatch: pytest.MonkeyPatch
    capsys: pytest.CaptureFixture[str]

    async def __call__(self, *arguments: str, **variables: str) -> Examined:
        """Call it with these arguments and variables."""
        code, out = await self.printed(*arguments, "--json", **variables)
        return Examined(code, json.loads(out))

    async def printed(self, *arguments: str, **variables: str) -> tuple[int, str]:
        """The same for people: the exit status and the text."""
        with self.monkeypatch.context() as patched:
            for name, value in variables.items():
                patched.setenv(name, value)
            code = await anyio.to_thread.run_sync(_call, ["doctor", *arguments])
        return code, self.capsys.readouterr().out

    async def harness(self, manager: Any, *arguments: str, **variables: str) -> Examined:
        """Look at a runner of this manager's account."""
        given = {"DELEGATE_ACCOUNT_ID": manager.account_id, "DELEGATE_ACCOUNT_SECRET": manager.account_secret}
        return await self(
            "--backend", "harness", *arguments, **{"DELEGATE_ENDPOINT": manager.url, **given, **variables}
        )

    async def drone(self, url: str, *arguments: str, secret: str = "secret", **variables: str) -> Examined:
        """Look at a runner of this Drone server. That there may be no container engine is not the tests' business."""
        given = ("--backend", "drone", "--server", url, "--disable-plugin", "docker")
        return await self(*given, *arguments, DRONE_RPC_SECRET=secret, **variables)


def _call(arguments: list[str]) -> int:
    with pytest.raises(SystemExit) as left:
        main(arguments)
    assert isinstance(left.value.code, int)
    return left.value.code
