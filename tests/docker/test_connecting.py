"""Ways to the engine: tcp, TLS, ssh; and what happens when one breaks."""

from __future__ import annotations

import os
import ssl
import sys
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import psutil
import pytest
import trustme
from pydantic import ValidationError

import delegate_docker.plugin
from delegate_core import TaskContext
from delegate_core.engines.contribution import EngineDown, EngineSetup
from delegate_core.engines.surroundings import LocalSurroundings
from delegate_core.errors import SettingsError
from delegate_core.handlers import Handler
from delegate_core.markers import hookimpl
from delegate_core.model import Settled
from delegate_core.pipeline.container import Container
from delegate_core.pipeline.spec import Stage, Step
from delegate_core.pipeline.states import Exited
from delegate_core.runner import Runner
from delegate_core.settings import RunnerSettings
from delegate_core.testing.engine_contract_base import PATIENCE, Printed
from delegate_docker.connection import connected
from delegate_docker.engine import DockerEngine
from delegate_docker.settings import DockerSettings
from delegate_docker.ssh import ssh_socket
from tests.core.scripted_backend import Scripted
from tests.docker import daemon
from tests.docker.daemon import BOX
from tests.docker.relay import Relay

pytestmark = pytest.mark.anyio


@pytest.fixture
def socket(docker_host: str) -> str:
    if not docker_host.startswith("unix://"):
        pytest.skip("the relay passes on to a socket")
    return docker_host


@asynccontextmanager
async def opened(settings: DockerSettings) -> AsyncIterator[DockerEngine]:
    async with connected(settings) as client:
        yield DockerEngine(client, EngineSetup(settings=settings, owner="connecting"))


async def assert_runs(settings: DockerSettings, folder: Path) -> None:
    printed = Printed()
    async with opened(settings) as engine:
        with anyio.fail_after(PATIENCE):
            await engine.check()
            async with engine.open(Stage(name="s"), LocalSurroundings(folder)) as place:
                step = Step(name="s", commands=("echo there",), container=Container(image=BOX))
                assert await place.run(step, printed.write) == Exited(0)
    assert printed.text == "+ echo there\nthere\n"


async def test_an_engine_is_reached_over_tcp(socket: str, tmp_path: Path) -> None:
    async with Relay(socket).on_tcp() as relay:
        await assert_runs(DockerSettings(host=relay.host), tmp_path)


async def test_an_engine_is_reached_over_tls_by_who_has_a_certificate(socket: str, tmp_path: Path) -> None:
    authority, stranger = trustme.CA(), trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED
    good, bad = tmp_path / "good", tmp_path / "bad"
    for folder, trusted in ((good, authority), (bad, stranger)):
        folder.mkdir()
        trusted.cert_pem.write_to_path(folder / "ca.pem")
        own = authority.issue_cert("client@example.com")
        own.private_key_pem.write_to_path(folder / "key.pem")
        own.cert_chain_pems[0].write_to_path(folder / "cert.pem")
    async with Relay(socket).on_tcp(context) as relay:
        await assert_runs(DockerSettings(host=relay.host, tls_verify=True, cert_path=good), tmp_path)
        async with opened(DockerSettings(host=relay.host, tls_verify=True, cert_path=bad)) as engine:
            with pytest.raises(EngineDown, match="certificate verify failed"):
                await engine.check()


_SSH = """#!{python}
import os, socket, sys, threading
with open({log!r}, "a") as log:
    log.write(" ".join(sys.argv[1:]) + "\\n")
far = socket.socket(socket.AF_UNIX)
far.connect({engine!r})
def out():
    while data := os.read(0, 65536):
        far.sendall(data)
    far.shutdown(socket.SHUT_WR)
threading.Thread(target=out, daemon=True).start()
while data := far.recv(65536):
    os.write(1, data)
"""


async def test_an_engine_is_reached_over_the_system_s_ssh(
    socket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program, log = tmp_path / "ssh", tmp_path / "log"
    text = _SSH.format(python=sys.executable, log=str(log), engine=socket.removeprefix("unix://"))
    program.write_text(text)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    await assert_runs(DockerSettings(host="ssh://builder@example.com:2222"), tmp_path / "own")
    line = log.read_text().splitlines()[0]
    assert line == "-T -o BatchMode=yes -l builder -p 2222 -- example.com docker system dial-stdio"


_BRIEF_SSH = """#!{python}
import os
os.write(1, b"x" * 250000)
"""


async def test_an_ssh_that_ends_by_itself_takes_no_other_connection_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "ssh"
    program.write_text(_BRIEF_SSH.format(python=sys.executable))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with anyio.fail_after(PATIENCE):
        async with ssh_socket("ssh://example.com") as path:
            for _ in range(2):
                async with await anyio.connect_unix(path) as connection:
                    await connection.send_eof()
                    first = await connection.receive()
                    while psutil.Process().children():  # noqa: ASYNC110 - it ends while its output waits for us
                        await anyio.sleep(0.01)
                    assert len(first) + len(b"".join([data async for data in connection])) == 250_000


async def test_whoever_is_cancelled_can_still_use_its_connection_to_clean_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "ssh"
    program.write_text("#!/bin/sh\nexec cat\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    answers = []
    with anyio.fail_after(PATIENCE), anyio.CancelScope() as scope:
        async with ssh_socket("ssh://example.com") as path, await anyio.connect_unix(path) as connection:
            scope.cancel()
            with anyio.CancelScope(shield=True):
                await connection.send(b"remove it")
                answers.append(await connection.receive())
    assert answers == [b"remove it"]


async def test_a_cancelled_step_ends_though_the_engine_never_answers_again(socket: str, tmp_path: Path) -> None:
    relay, printed = Relay(socket), Printed()
    step = Step(name="s", commands=("echo up", "sleep 600"), container=Container(image=BOX))
    async with relay.on_socket(tmp_path / "sock"):
        settings = DockerSettings(host=relay.host)
        async with connected(settings) as client:
            engine = DockerEngine(client, EngineSetup(settings=settings, owner="stalled"), patience=0.3)
            with anyio.fail_after(PATIENCE):
                async with (
                    engine.open(Stage(name="s"), LocalSurroundings(tmp_path, grace=0.1)) as place,
                    anyio.create_task_group() as group,
                ):
                    group.start_soon(place.run, step, printed.write)
                    await printed.until("up")
                    relay.stall()
                    group.cancel_scope.cancel()
    async with connected(DockerSettings(host=socket)) as client:
        await DockerEngine(client, EngineSetup(settings=DockerSettings(host=socket), owner="other")).sweep("stalled")


async def test_certificates_that_are_not_there_are_named(tmp_path: Path) -> None:
    settings = DockerSettings(host="tcp://127.0.0.1:1", tls_verify=True, cert_path=tmp_path)
    with pytest.raises(SettingsError, match=r"docker-cert-path .*must hold ca\.pem"):
        async with connected(settings):
            pass


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"host": "localhost:2375"}, "unix:///path/to.sock"),
        ({"host": "ftp://x"}, "ssh://user@host"),
        ({"api_version": "newest"}, "as 1.41"),
        ({"host": "tcp://h:1", "tls_verify": True}, "DOCKER_CERT_PATH"),
    ],
)
def test_settings_that_cannot_work_say_what_to_write(given: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        DockerSettings(**given)


class Boxes:
    """A task type whose tasks run a step."""

    def __init__(self) -> None:
        self.printed = Printed()

    @hookimpl
    def task_handlers(self) -> Iterable[Handler[..., Any]]:
        return [Handler("box", self._run, engine="docker")]

    async def _run(self, context: TaskContext) -> str:
        step = Step(name="s", commands=("echo up", "sleep 600"), container=Container(image=BOX))
        async with context.engine("docker").open(Stage(name="s"), context) as place:
            return str(await place.run(step, self.printed.write))


async def until(condition: Callable[[], Any]) -> None:
    with anyio.fail_after(PATIENCE):
        while not condition():  # noqa: ASYNC110 - a snapshot tells nobody of changes
            await anyio.sleep(0.02)


async def test_a_runner_waits_for_its_engine_and_goes_on_when_it_is_back(socket: str, tmp_path: Path) -> None:
    relay, backend, boxes = Relay(socket), Scripted(), Boxes()
    relay.cut()
    async with relay.on_socket(tmp_path / "sock"), anyio.create_task_group() as group:
        runner = Runner(
            backend,
            plugins=[delegate_docker.plugin, boxes],
            settings=RunnerSettings(grace=0.2, drain_timeout=5),
            state_dir=tmp_path / "state",
            engine_settings={"docker": DockerSettings(host=relay.host)},
        )
        group.start_soon(runner.run)
        await until(lambda: any("cannot use the container engine" in hold for hold in runner.snapshot().holds))
        assert await backend.offer("box", "1") is Settled.NO_ROOM
        assert not runner.snapshot().ready
        relay.restore()
        await until(lambda: runner.snapshot().ready)
        assert await backend.offer("box", "1") is Settled.CLAIMED
        await boxes.printed.until("up")
        relay.cut()
        result = await backend.result("1")
        assert "the container engine was lost" in str(result.data)
        await until(lambda: not runner.snapshot().ready)
        assert daemon.leftovers(socket, "delegate.stage.name=s")
        relay.restore()
        await until(lambda: runner.snapshot().ready)
        assert runner.engines.troubles == {}
        runner.stop()
