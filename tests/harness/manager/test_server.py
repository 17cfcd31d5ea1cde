"""The embedded server: waiting on it, starting it, stopping it."""

import logging
import socket
from typing import Any

import anyio
import httpx
import pytest

from delegate_core.errors import DelegateError
from delegate_harness.manager import EmbeddedManager, Fault, FaultKind, Rules, Submission, Verdict

from .delegate import BareDelegate, http_client


@pytest.fixture(params=[False, True], ids=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    """A server is tied to its loop, so both loops are tried."""
    return "asyncio", {"use_uvloop": request.param}


async def test_a_finished_task_is_waited_for_without_polling(delegate: BareDelegate) -> None:
    manager = delegate.manager
    task_id = manager.submit(Submission("fib"))

    async def work() -> None:
        await delegate.acquire(task_id)
        await delegate.answer(task_id)

    async with anyio.create_task_group() as group:
        group.start_soon(work)
        task = await manager.wait_finished(task_id)
    assert task.outcome is not None
    assert task.outcome.verdict is Verdict.SUCCEEDED


async def test_a_wait_in_vain_says_why(manager: EmbeddedManager) -> None:
    task_id = manager.submit(Submission("fib"))
    with pytest.raises(TimeoutError, match=r"is QUEUED after 0\.01 s: no delegate is connected"):
        await manager.wait_finished(task_id, 0.01)


async def test_calls_are_counted_by_endpoint(delegate: BareDelegate) -> None:
    manager = delegate.manager
    async with anyio.create_task_group() as group:
        group.start_soon(delegate.poll)
        await manager.wait_for(lambda state: state.calls["task-events"] == 1)
    assert manager.state.calls["register"] == 1


async def test_time_passes_by_itself() -> None:
    async with EmbeddedManager(rules=Rules(tick_seconds=0.01)) as manager:
        task_id = manager.submit(Submission("fib", timeout_ms=1))
        task = await manager.wait_finished(task_id)
    assert task.outcome is not None
    assert task.outcome.verdict is Verdict.NOT_ASSIGNED


async def test_it_stops_at_once_whoever_is_connected() -> None:
    """An idle connection, a call that sleeps and a reader of a stream are all open."""
    async with anyio.create_task_group() as group, EmbeddedManager() as manager:
        http = http_client(manager)
        token = (await http.get("/api/agent/delegates/logging-token")).json()["resource"]
        manager.logs.open(manager.account_id, "key")
        manager.faults.add(Fault("configuration", FaultKind.DELAY, seconds=600))
        query = {"accountID": manager.account_id, "key": "key", "X-Harness-Token": token}
        group.start_soon(_until_broken, http, "/log-service/stream", query)
        group.start_soon(_until_broken, http, "/api/agent/delegates/configuration", {})
        await manager.wait_for(lambda state: state.calls["log-tail"] == 1)
        await manager.wait_for(lambda _: len(manager.faults.fired) == 1)
    await http.aclose()


async def _until_broken(http: httpx.AsyncClient, path: str, params: dict[str, str]) -> None:
    with pytest.raises(httpx.TransportError):
        await http.get(path, params=params)


async def test_it_leaves_its_port_when_it_stops() -> None:
    async with EmbeddedManager() as first:
        port = int(first.url.rpartition(":")[2])
    async with EmbeddedManager(port=port) as second:
        assert second.url == first.url


async def test_a_port_in_use_is_named() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(DelegateError, match=f"cannot listen on 127.0.0.1:{port}"):
            await EmbeddedManager(port=port).__aenter__()


async def test_two_managers_share_nothing() -> None:
    async with EmbeddedManager() as one, EmbeddedManager() as two:
        one.submit(Submission("fib"))
        assert (len(one.state.tasks()), len(two.state.tasks())) == (1, 0)
        async with http_client(two, one.account_secret) as stranger:
            reply = await stranger.get("/api/agent/delegates/x/task-events")
        assert reply.status_code == 401


async def test_an_error_of_the_body_comes_out_as_it_is() -> None:
    with pytest.raises(KeyError, match="mine"):
        async with EmbeddedManager():
            raise KeyError("mine")


async def test_a_line_is_written_to_the_log_for_no_call(
    delegate: BareDelegate, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    delegate.manager.faults.add(Fault("task-events", FaultKind.LOSE_REQUEST))
    with pytest.raises(httpx.TransportError):
        await delegate.poll()
    await delegate.poll()
    assert [each for each in caplog.records if each.name.startswith(("uvicorn", "delegate_harness"))] == []
