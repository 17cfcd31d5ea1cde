"""An engine that is not there, said in the words of the operating system. Needs no engine."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from delegate_core.engines.contribution import EngineSetup
from delegate_core.engines.engine import EngineError
from delegate_docker.connection import connected
from delegate_docker.engine import DockerEngine
from delegate_docker.settings import DockerSettings


async def trouble(host: str) -> str:
    settings = DockerSettings(host=host)
    async with connected(settings) as client:
        with pytest.raises(EngineError) as refused:
            await DockerEngine(client, EngineSetup(settings=settings, owner="tests")).check()
    return str(refused.value)


async def test_a_socket_that_is_not_there_is_named_with_the_systems_word_and_the_cure(tmp_path: Path) -> None:
    said = await trouble(f"unix://{tmp_path}/nobody")
    assert said.startswith(f"cannot use the container engine at unix://{tmp_path}/nobody: No such file or directory; ")
    assert "start it, or name another with --docker-host or DOCKER_HOST" in said


async def test_a_port_where_nobody_listens_is_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    said = await trouble(f"tcp://127.0.0.1:{port}")
    assert f"at tcp://127.0.0.1:{port}: Connect" in said
    assert "ssl:" not in said
