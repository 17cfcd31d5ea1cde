"""Fixtures: an engine for the whole session, shared by all workers, and an opened `DockerEngine` on it."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from uuid import uuid4

import pytest

from delegate_core.engines.contribution import EngineSetup
from delegate_docker.connection import connected
from delegate_docker.engine import DockerEngine
from delegate_docker.settings import DockerSettings
from tests.docker import daemon


@pytest.fixture(scope="session")
def docker_host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    shared = tmp_path_factory.getbasetemp().parent if "PYTEST_XDIST_WORKER" in os.environ else None
    try:
        with daemon.engine(shared or tmp_path_factory.getbasetemp()) as host:
            yield host
    except daemon.NoEngine as error:
        text = daemon.missing_text(str(error))
        if daemon.is_required(os.environ):
            pytest.fail(text)
        pytest.skip(text)


@pytest.fixture
def owner() -> str:
    return f"tests-{uuid4().hex}"


@pytest.fixture
async def engine(docker_host: str, owner: str) -> AsyncIterator[DockerEngine]:
    settings = DockerSettings(host=docker_host)
    async with connected(settings) as client:
        yield DockerEngine(client, EngineSetup(settings=settings, owner=owner))
    assert daemon.leftovers(docker_host, f"delegate.owner={owner}") == []
