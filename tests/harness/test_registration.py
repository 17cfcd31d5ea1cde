"""Registering: what is told, and what each answer of the manager means."""

import socket
from pathlib import Path

import pytest

from delegate_core.errors import CredentialsError, RegistrationError, SettingsError, StoppedByServer
from delegate_harness.manager import EmbeddedManager, Fault, FaultKind, Submission
from tests.harness.handlers import fib
from tests.harness.runners import make_runner, running
from tests.harness.scripted import ScriptedManager, unauthorized

pytestmark = pytest.mark.anyio
QUICK = {"heartbeat_interval": 0.03}
DELETED = (200, {"resource": {"status": "DELETED"}})
ENABLED = (200, {"resource": {"status": "ENABLED"}})


# ---------------------------------------------------------------------- at the start


async def test_the_capacity_and_the_tags_are_told(manager: EmbeddedManager, tmp_path: Path) -> None:
    async with running(manager, tmp_path, {"fib": fib}, capacity=7, tags=("gpu", "west")):
        await manager.wait_for(lambda state: any(each.capacity for each in state.delegates(manager.account_id)))
        (delegate,) = manager.state.delegates(manager.account_id)
    assert delegate.capacity == 7
    assert {"gpu", "west", "builder"} <= delegate.selectors
    assert delegate.task_types == {"fib", "script"}


async def test_a_capacity_that_is_not_taken_does_not_keep_us_from_working(
    manager: EmbeddedManager, tmp_path: Path
) -> None:
    manager.faults.add(Fault("capacity", FaultKind.STATUS, times=None, status=500))
    async with running(manager, tmp_path, {"fib": fib}):
        await manager.wait_finished(manager.submit(Submission("fib", {"n": 1})))


async def test_the_host_name_carries_the_runners_name(scripted: ScriptedManager, tmp_path: Path) -> None:
    host = socket.gethostname()
    for name, told in (("two words", f"{host}-two-words"), (host, host)):
        async with running(scripted, tmp_path, {"fib": fib}, name=name):
            await scripted.seen("register")
        assert scripted.named("register")[0].json()["hostName"] == told.replace(" ", "-")
        assert scripted.named("register")[0].json()["ip"] == "127.0.0.1"
        scripted.calls.clear()


async def test_a_restart_is_the_same_delegate(manager: EmbeddedManager, tmp_path: Path) -> None:
    async with running(manager, tmp_path, {"fib": fib}) as first:
        await manager.wait_for(lambda state: state.calls["task-events"] > 0)
        await first.kill()
    async with running(manager, tmp_path, {"fib": fib}):
        await manager.wait_for(lambda state: state.calls["register"] == 2)
        assert len(manager.state.delegates(manager.account_id)) == 1


async def test_self_destruct_at_the_start_ends_the_run(manager: EmbeddedManager, tmp_path: Path) -> None:
    manager.faults.add(Fault("register", FaultKind.SELF_DESTRUCT))
    async with running(manager, tmp_path, {"fib": fib}) as started:
        error = await started.ended()
    assert isinstance(error, StoppedByServer)
    assert error.exit_code == 7
    assert (manager.state.calls["register"], manager.state.calls["task-events"]) == (1, 0)


async def test_a_migration_at_the_start_is_followed(manager: EmbeddedManager, tmp_path: Path) -> None:
    async with EmbeddedManager("old") as old:
        old.state.accounts.add(manager.account_id, manager.account_secret).moved_to = f"{manager.url}/api"
        async with running(manager, tmp_path, {"fib": fib}, backend={"endpoint": old.url}):
            await manager.wait_finished(manager.submit(Submission("fib", {"n": 1})))
        assert old.state.calls["task-events"] == 0


@pytest.mark.parametrize("url", ["nowhere", "ftp://other.example", "http://me:s3cret@other.example"])
async def test_a_migration_to_no_address_is_a_passing_fault(
    scripted: ScriptedManager, tmp_path: Path, url: str
) -> None:
    orders = (200, {"resource": {"action": "MIGRATE", "migrateUrl": url}})
    scripted.on("register", orders, (200, {"resource": {"delegateId": "dlg1"}}))
    async with running(scripted, tmp_path, {"fib": fib}) as started:
        await scripted.seen("task-events")
        assert "s3cret" not in started.runner.snapshot().trouble


async def test_a_migration_in_circles_is_given_up(manager: EmbeddedManager, tmp_path: Path) -> None:
    manager.faults.add(Fault("register", FaultKind.MIGRATE, times=None, url=manager.url))
    async with running(manager, tmp_path, {"fib": fib}, register_timeout=1.0) as started:
        assert await started.ended() is not None
    assert manager.state.calls["register"] < 20


@pytest.mark.parametrize("code", ["INVALID_TOKEN", "REVOKED_TOKEN"])
async def test_a_token_refused_at_the_start_ends_the_run(scripted: ScriptedManager, tmp_path: Path, code: str) -> None:
    scripted.on("register", unauthorized(code))
    async with running(scripted, tmp_path, {"fib": fib}) as started:
        error = await started.ended()
    assert isinstance(error, CredentialsError)
    assert error.exit_code == 4
    assert len(scripted.calls) == 1


async def test_the_wrong_secret_ends_the_run(manager: EmbeddedManager, tmp_path: Path) -> None:
    async with running(manager, tmp_path, {"fib": fib}, backend={"account_secret": "0" * 32}) as started:
        assert isinstance(await started.ended(), CredentialsError)


async def test_a_secret_that_cannot_work_fails_before_any_call(scripted: ScriptedManager, tmp_path: Path) -> None:
    async with running(scripted, tmp_path, {"fib": fib}, backend={"account_secret": "zz"}) as started:
        assert isinstance(await started.ended(), CredentialsError)
    assert scripted.calls == []


async def test_an_endpoint_that_is_none_fails_before_the_run(scripted: ScriptedManager, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="scheme"):
        make_runner(scripted, tmp_path, {"fib": fib}, backend={"endpoint": "manager.example"})


async def test_a_token_expired_at_the_start_is_renewed(manager: EmbeddedManager, tmp_path: Path) -> None:
    manager.faults.add(Fault("register", FaultKind.UNAUTHORIZED, code="EXPIRED_TOKEN"))
    async with running(manager, tmp_path, {"fib": fib}):
        await manager.wait_finished(manager.submit(Submission("fib", {"n": 1})))


async def test_a_token_that_stays_expired_is_given_up_in_time_and_without_haste(
    manager: EmbeddedManager, tmp_path: Path
) -> None:
    manager.faults.add(Fault("register", FaultKind.UNAUTHORIZED, times=None, code="EXPIRED_TOKEN"))
    async with running(manager, tmp_path, {"fib": fib}, register_timeout=1.5) as started:
        error = await started.ended()
    assert isinstance(error, RegistrationError)
    assert "clock" in str(error)
    assert manager.state.calls["register"] <= 8


@pytest.mark.parametrize("answer", [(204, ""), (200, {"resource": None})], ids=["204", "null"])
async def test_a_manager_that_does_not_take_us_is_asked_again_later(
    scripted: ScriptedManager, tmp_path: Path, answer: tuple[int, object]
) -> None:
    scripted.on("register", answer)
    async with running(scripted, tmp_path, {"fib": fib}, register_timeout=1.2) as started:
        error = await started.ended()
    assert isinstance(error, RegistrationError)
    assert "allowed" in str(error)
    assert len(scripted.named("register")) == 1


async def test_a_registration_without_an_id_is_a_passing_fault(scripted: ScriptedManager, tmp_path: Path) -> None:
    scripted.on("register", (200, {"resource": {"delegateId": None}}), (200, {"resource": {"delegateId": "d2"}}))
    async with running(scripted, tmp_path, {"fib": fib}):
        assert "/d2/" in (await scripted.seen("task-events")).target
