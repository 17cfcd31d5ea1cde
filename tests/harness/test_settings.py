"""What the backend's settings say, and where they come from."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from delegate_core.settings import RunnerSettings
from delegate_harness import HarnessBackend, HarnessSettings
from delegate_harness.auth import MadeTokens, ReadyToken
from tests.harness.handlers import fib
from tests.harness.runners import running
from tests.harness.scripted import ACCOUNT, SECRET, ScriptedManager, unauthorized
from tests.harness.test_auth import ENCRYPTED, VECTORS

pytestmark = pytest.mark.anyio
WHERE: dict[str, Any] = {"endpoint": "https://manager.example", "account_id": ACCOUNT}


@pytest.mark.parametrize(
    "proof", [{}, {"account_secret": SECRET, "token": ENCRYPTED}, {"token": ENCRYPTED, "token_file": "/t"}]
)
def test_exactly_one_proof_is_wanted(proof: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="exactly one") as caught:
        HarnessSettings.model_validate({**WHERE, **proof})
    assert SECRET not in str(caught.value)
    assert ENCRYPTED not in str(caught.value)


async def test_an_empty_secret_is_none() -> None:
    """As a variable that is set to nothing is."""
    backend = HarnessBackend(**WHERE, account_secret="", token=ENCRYPTED)
    assert isinstance(await backend.authenticate(RunnerSettings()), ReadyToken)


async def test_two_backends_share_nothing() -> None:
    one, two = (HarnessBackend(**WHERE, account_secret=SECRET) for _ in range(2))
    first, second = [await each.authenticate(RunnerSettings()) for each in (one, two)]
    assert isinstance(first, MadeTokens)
    assert first is not second


async def test_a_ready_token_from_a_file_is_sent_and_read_again(scripted: ScriptedManager, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(ENCRYPTED)
    newer = VECTORS["valid"][1]["token"]

    def until_newer(call: Any) -> tuple[int, Any]:
        return (200, {}) if newer in call.headers["authorization"] else unauthorized("EXPIRED_TOKEN")

    proof = {"account_secret": None, "token_file": file}
    async with running(scripted, tmp_path, {"fib": fib}, backend=proof) as started:
        await scripted.seen("task-events")
        assert scripted.named("task-events")[0].headers["authorization"] == f"Delegate {ENCRYPTED}"
        file.write_text(newer)
        scripted.on("task-events", until_newer)
        polls = len(scripted.named("task-events"))
        await scripted.seen("task-events", polls + 6)
        assert started.runner.state == "running"


async def test_a_ready_token_that_expires_in_mid_run_ends_the_run_with_what_to_do(
    scripted: ScriptedManager, tmp_path: Path
) -> None:
    proof = {"account_secret": None, "token": ENCRYPTED}
    async with running(scripted, tmp_path, {"fib": fib}, backend=proof) as started:
        await scripted.seen("task-events")
        scripted.on("task-events", unauthorized("EXPIRED_TOKEN"))
        error = await started.ended()
    assert error is not None
    assert error.exit_code == 4
    assert "get a new one" in str(error)


async def test_a_token_file_that_vanishes_does_not_matter_until_it_is_needed(
    scripted: ScriptedManager, tmp_path: Path
) -> None:
    """Also where the delegate has to register again."""
    file = tmp_path / "token"
    file.write_text(ENCRYPTED)
    scripted.on("heartbeat", (200, {"resource": {"status": "DELETED"}}), (200, {"resource": {"status": "ENABLED"}}))
    proof = {"account_secret": None, "token_file": file, "heartbeat_interval": 0.1}
    async with running(scripted, tmp_path, {"fib": fib}, backend=proof) as started:
        await scripted.seen("register")
        file.unlink()
        await scripted.seen("register", 2)
        await scripted.seen("heartbeat", 3)
        assert started.runner.state == "running"
