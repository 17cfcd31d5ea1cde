"""The runner's settings for TLS and the environment's proxies reach the calls."""

from pathlib import Path

import pytest
import trustme

from delegate_core.errors import RegistrationError, SettingsError
from tests.harness.handlers import fib
from tests.harness.runners import eventually, running
from tests.harness.scripted import ScriptedManager, unauthorized
from tests.http.server import always, reply, serving
from tests.http.test_tls import server_context

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["reqwest", "httpx"])
def transport(request: pytest.FixtureRequest) -> str:
    kind: str = request.param
    return kind


async def test_a_ca_file_makes_the_manager_trusted(tmp_path: Path, transport: str) -> None:
    authority, secure = trustme.CA(), ScriptedManager()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    trusting = {"ca_files": (tmp_path / "ca.pem",), "transport": transport}
    async with secure.serve(server_context(authority)), running(secure, tmp_path, {"fib": fib}, **trusting):
        await secure.seen("task-events")


async def test_insecure_trusts_whoever_answers(tmp_path: Path, transport: str) -> None:
    secure = ScriptedManager()
    careless = {"insecure": True, "transport": transport}
    async with secure.serve(server_context(trustme.CA())), running(secure, tmp_path, {"fib": fib}, **careless):
        await secure.seen("task-events")


async def test_an_unknown_authority_is_named_with_its_cure(tmp_path: Path, transport: str) -> None:
    secure = ScriptedManager()
    async with (
        secure.serve(server_context(trustme.CA())),
        running(secure, tmp_path, {"fib": fib}, register_timeout=1.2, transport=transport) as started,
    ):
        error = await started.ended()
    assert isinstance(error, RegistrationError)
    assert "--ca-file" in str(error)
    assert secure.calls == []


async def test_our_certificate_is_shown_to_a_manager_that_wants_one(tmp_path: Path, transport: str) -> None:
    authority, secure = trustme.CA(), ScriptedManager()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    own = authority.issue_cert("runner.example")
    own.private_key_pem.write_to_path(str(tmp_path / "own.key"))
    own.cert_chain_pems[0].write_to_path(str(tmp_path / "own.pem"))
    context = server_context(authority)
    authority.configure_trust(context)
    context.verify_mode = context.verify_mode.CERT_REQUIRED
    files = {"client_certificate": tmp_path / "own.pem", "client_key": tmp_path / "own.key"}
    trusting = {"ca_files": (tmp_path / "ca.pem",), "transport": transport}
    async with secure.serve(context):
        async with running(secure, tmp_path, {"fib": fib}, **trusting, **files):
            await secure.seen("task-events")
        async with running(secure, tmp_path, {"fib": fib}, name="nobody", register_timeout=1.2, **trusting) as nobody:
            assert isinstance(await nobody.ended(), RegistrationError)


async def test_a_proxy_of_the_environment_is_used(
    tmp_path: Path, transport: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    behind = ScriptedManager()
    async with behind.serve() as address:
        monkeypatch.setenv("HTTP_PROXY", address)
        behind.url = "http://manager.invalid"
        async with running(behind, tmp_path, {"fib": fib}, transport=transport):
            call = await behind.seen("task-events")
    assert call.target.startswith("http://manager.invalid/api/")


async def test_a_server_that_is_no_manager_is_named(tmp_path: Path, transport: str) -> None:
    other = ScriptedManager()
    async with serving(always(reply(b"<html>welcome</html>", content_type="text/html"))) as server:
        other.url = server.url.removesuffix("/x")
        async with running(other, tmp_path, {"fib": fib}, register_timeout=1.2, transport=transport) as started:
            error = await started.ended()
    assert isinstance(error, RegistrationError)
    assert "HTML" in str(error)


async def test_no_server_at_all_is_named(tmp_path: Path, transport: str) -> None:
    absent = ScriptedManager()
    async with absent.serve():
        pass
    async with running(absent, tmp_path, {"fib": fib}, register_timeout=1.2, transport=transport) as started:
        error = await started.ended()
    assert isinstance(error, RegistrationError)
    assert "refused" in str(error)


@pytest.mark.parametrize("end", ["refused", "stopped", "killed"])
async def test_no_connection_outlives_the_run(scripted: ScriptedManager, tmp_path: Path, end: str) -> None:
    if end == "refused":
        scripted.on("register", unauthorized("INVALID_TOKEN"))
    async with running(scripted, tmp_path, {"fib": fib}, transport="httpx") as started:
        await scripted.seen("register" if end == "refused" else "task-events")
        if end == "killed":
            await started.kill()
    await eventually(lambda: scripted.connected == 0)


async def test_a_move_keeps_one_pool_of_connections_and_ends_it_with_the_run(tmp_path: Path) -> None:
    old, new = ScriptedManager(), ScriptedManager()
    async with old.serve(), new.serve():
        old.on("register", (200, {"resource": {"action": "MIGRATE", "migrateUrl": new.url}}))
        async with running(old, tmp_path, {"fib": fib}, transport="httpx"):
            await new.seen("task-events", 3)
            assert old.connected <= 1
        await eventually(lambda: old.connected == new.connected == 0)


async def test_a_file_that_holds_no_certificate_ends_the_run_at_once(
    scripted: ScriptedManager, tmp_path: Path, transport: str
) -> None:
    (tmp_path / "ca.pem").write_text("nothing")
    trusting = {"ca_files": (tmp_path / "ca.pem",), "transport": transport}
    async with running(scripted, tmp_path, {"fib": fib}, **trusting) as started:
        error = await started.ended()
    assert isinstance(error, SettingsError)
    assert "ca.pem" in str(error)
