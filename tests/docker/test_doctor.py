"""What ``delegate doctor`` says of an engine that is there: the command, with a real one."""

from __future__ import annotations

import re

import pytest

from tests.doctor.conftest import examine
from tests.doctor.examining import Examine

__all__ = ["examine"]

pytestmark = pytest.mark.anyio


async def test_an_engine_that_answers_is_well_and_its_version_is_told(docker_host: str, examine: Examine) -> None:
    given = {"DRONE_RPC_HOST": "127.0.0.1:9", "DRONE_RPC_SECRET": "invented"}
    found = await examine("--backend", "drone", "--docker-host", docker_host, **given)
    assert found.status("engine docker") == "ok"
    assert re.fullmatch(r"Docker Engine \S+, API \d+\.\d+, linux/\w+", found.text("engine docker"))


async def test_with_the_version_of_an_interface_that_it_does_not_speak_it_is_not(
    docker_host: str,
    examine: Examine,
) -> None:
    given = {"DRONE_RPC_HOST": "127.0.0.1:9", "DRONE_RPC_SECRET": "invented"}
    version = ("--docker-api-version", "1.99")
    found = await examine("--backend", "drone", "--docker-host", docker_host, *version, **given)
    assert found.status("engine docker") == "problem"
    assert "1.99" in found.text("engine docker"), found.text("engine docker")
