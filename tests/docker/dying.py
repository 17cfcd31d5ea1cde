"""A program that is killed while it runs a stage: what it leaves is for the next start."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import anyio

from delegate_core.engines.contribution import EngineSetup
from delegate_core.engines.surroundings import LocalSurroundings
from delegate_core.pipeline.container import Container
from delegate_core.pipeline.spec import Stage, Step
from delegate_docker.connection import connected
from delegate_docker.engine import DockerEngine
from delegate_docker.settings import DockerSettings
from tests.docker.daemon import BOX


async def main(host: str, owner: str, folder: Path) -> None:
    settings = DockerSettings(host=host)
    step = Step(name="s", commands=("echo up", "sleep 600"), container=Container(image=BOX))

    def die(data: bytes) -> None:
        if b"\nup\n" in b"\n" + data:
            os.kill(os.getpid(), 9)

    async with connected(settings) as client:
        engine = DockerEngine(client, EngineSetup(settings=settings, owner=owner))
        async with engine.open(Stage(name="dying"), LocalSurroundings(folder)) as place:
            await place.run(step, die)


anyio.run(main, sys.argv[1], sys.argv[2], Path(sys.argv[3]))
