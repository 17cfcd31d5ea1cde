"""How a runner stands: the word and the reason that its status, its console and its commands show."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from delegate_core.handlers import TaskContext
from delegate_core.markers import hookimpl
from delegate_core.model import Credentials, Registration, Session
from delegate_core.runner import Inbox, Runner
from delegate_core.runner.readiness import waiting
from delegate_core.runner.standing import WORDS, Facts, Hold, standing
from delegate_core.testing.bench import Bench
from tests.core.memory_backend import MemoryBackend, MemoryServer, MemorySession

pytestmark = pytest.mark.anyio

SECONDS = st.floats(min_value=0, max_value=1e6)
HOLDS = st.dictionaries(
    st.sampled_from(["paused", "maintenance", "disk", "backlog", "engine docker"]),
    st.builds(Hold, st.text(min_size=1), SECONDS, partial=st.booleans()),
)
FACTS = st.builds(
    Facts,
    state=st.sampled_from(["new", "registering", "running", "paused", "draining", "stopping", "stopped"]),
    reason=st.text(),
    in_state=SECONDS,
    running=st.integers(0, 3),
    used=st.integers(0, 3),
    capacity=st.integers(1, 3),
    holds=HOLDS,
    trouble=st.sampled_from(["", "polling: connection refused"]),
    refused=st.booleans(),
    since_contact=st.none() | SECONDS,
    idle=SECONDS,
    wanted=st.sampled_from(["", "exec on linux/amd64"]),
).filter(lambda facts: facts.state != "paused" or "paused" in facts.holds)


@given(FACTS)
def test_every_runner_stands_somehow_and_says_why_where_it_does_not_work(facts: Facts) -> None:
    found = standing(facts)
    assert found.word in WORDS
    if found.word in {"waiting", "held", "paused", "maintenance", "offline", "unauthorized"}:
        assert found.reason
        assert found.since is None or found.since >= 0


@given(FACTS)
def test_waiting_means_that_nothing_at_all_is_in_the_way(facts: Facts) -> None:
    if standing(facts).word == "waiting":
        assert (facts.state, facts.trouble, facts.running) == ("running", "", 0)
        assert all(hold.partial for hold in facts.holds.values())


async def nothing() -> None:
    """Do nothing."""


class Refused(Exception):
    """A server's refusal of the secret."""

    refused = True


async def until(runner: Runner, word: str) -> Any:
    with anyio.fail_after(40):
        while True:
            found = runner.snapshot().standing
            if found.word == word:
                return found
            await anyio.sleep(0.01)


@pytest.fixture
def server() -> MemoryServer:
    return MemoryServer()


async def test_a_runner_goes_through_waiting_working_full_and_is_paused_and_resumed(
    tmp_path: Path, server: MemoryServer
) -> None:
    release = anyio.Event()

    async def hold(context: TaskContext) -> None:
        await release.wait()

    async with Bench.opened(tmp_path, lambda: MemoryBackend(server)) as bench:
        runner = (await bench.start({"hold": hold}, capacity=2)).runner
        assert (await until(runner, "waiting")).reason == "no task for this runner on the server"
        server.submit("hold")
        await until(runner, "working")
        server.submit("hold")
        await until(runner, "full")
        runner.pause("paused by ops: new disk")
        assert (await until(runner, "paused")).reason == "paused by ops: new disk"
        release.set()
        runner.resume()
        await until(runner, "waiting")
        assert waiting(runner.snapshot()) == "no task for this runner on the server"


class Faulty(MemoryBackend):
    """Polls in vain while it has a fault: it raises it, or waits it out by itself and only tells."""

    def __init__(self, server: MemoryServer, *, tells: bool) -> None:
        super().__init__(server)
        self.fault: Exception | None = None
        self.tells = tells

    @hookimpl
    async def fetch_tasks(self, session: Session, inbox: Inbox) -> None:
        while self.fault is None:
            inbox.polled()
            await anyio.sleep(0.01)
        if not self.tells:
            raise self.fault
        inbox.failed(self.fault)
        await anyio.sleep(0.01)  # what it returns from is called again


@pytest.mark.parametrize("tells", [False, True])
@pytest.mark.parametrize(
    ("fault", "word", "words"),
    [
        (ConnectionError("connection refused"), "offline", "the server cannot be reached"),
        (Refused("401"), "unauthorized", "the server refuses this runner"),
    ],
)
async def test_a_server_that_is_away_or_refuses_us_is_told_from_one_that_has_no_task(
    tmp_path: Path, server: MemoryServer, fault: Exception, word: str, words: str, *, tells: bool
) -> None:
    backend = Faulty(server, tells=tells)
    async with Bench.opened(tmp_path, lambda: backend) as bench:
        runner = (await bench.start({"work": nothing})).runner
        await until(runner, "waiting")
        backend.fault = fault
        found = await until(runner, word)
        assert str(fault) in found.reason
        assert words in waiting(runner.snapshot())
        backend.fault = None
        await until(runner, "waiting")


class Pinging(MemoryBackend):
    """Of a server that is asked by heartbeats alone while the runner is full; they may fail."""

    away = False

    @hookimpl
    async def register(self, registration: Registration, credentials: Credentials) -> Session:
        session = await super().register(registration, credentials)
        session.heartbeat_interval = 0.02
        return session

    @hookimpl
    async def heartbeat(self, session: MemorySession) -> None:
        await super().heartbeat(session)
        if self.away:
            raise ConnectionError("connection refused")


async def test_a_full_runner_stays_ready_by_its_heartbeats_and_only_as_long_as_they_succeed(
    tmp_path: Path, server: MemoryServer
) -> None:
    release, backend = anyio.Event(), Pinging(server)

    async def hold(context: TaskContext) -> None:
        await release.wait()

    async with Bench.opened(tmp_path, lambda: backend) as bench:
        runner = (await bench.start({"hold": hold}, capacity=1, ready_within=2.0)).runner
        server.submit("hold")
        await until(runner, "full")
        polls = runner.snapshot().polls
        backend.away = True
        await until(runner, "offline")
        await _until_ready(runner, ready=False)
        backend.away = False
        await until(runner, "full")
        await _until_ready(runner, ready=True)
        assert runner.snapshot().polls == polls
        release.set()


async def _until_ready(runner: Runner, *, ready: bool) -> None:
    with anyio.fail_after(40):
        while runner.snapshot().ready is not ready:  # noqa: ASYNC110 - a snapshot tells nobody of changes
            await anyio.sleep(0.01)


async def test_a_hold_of_this_machine_is_named(tmp_path: Path, server: MemoryServer) -> None:
    async with Bench.opened(tmp_path, lambda: MemoryBackend(server)) as bench:
        runner = (await bench.start({"work": nothing}, min_free_disk="1000TiB")).runner
        assert "min_free_disk" in (await until(runner, "held")).reason
