"""What the servers say to whom: secrets, accounts, clocks, what waits; and pages that are no server's."""

from __future__ import annotations

import time
from collections.abc import Callable

import jwt
import pytest

from delegate_drone.server import EmbeddedDrone, Order
from delegate_harness.manager import EmbeddedManager, Submission
from tests.doctor.examining import Examine, Examined
from tests.http.server import always, reply, serving

pytestmark = pytest.mark.anyio

REFUSED = 4
PAGE = reply(b"<html><title>Please log in</title></html>", content_type="text/html")
ELSEWHERE = reply(b"", "302 Found", location="https://login.example/")


def ahead(seconds: float) -> Callable[[], float]:
    return lambda: time.time() + seconds


# ---------------------------------------------------------------------- Harness


async def test_all_is_well_with_a_manager_that_knows_the_account_and_it_learns_of_no_delegate(examine: Examine) -> None:
    async with EmbeddedManager() as manager:
        task_id = manager.submit(Submission("script", {"commands": ["true"]}))
        found = await examine.harness(manager)
        assert found.problems == []
        assert found.code == 0
        assert f"takes the token of account {manager.account_id}" in found.text("manager")
        assert manager.state.calls == {"configuration": 1}
        assert manager.task(task_id).delegate_id is None


@pytest.mark.parametrize("wrong", [{"DELEGATE_ACCOUNT_ID": "other"}, {"DELEGATE_ACCOUNT_SECRET": "ab" * 16}])
async def test_a_wrong_account_or_secret_is_a_problem_of_the_token_and_not_of_the_way(
    examine: Examine, wrong: dict[str, str]
) -> None:
    async with EmbeddedManager() as manager:
        found = await examine.harness(manager, **wrong)
    assert found.problems == ["manager"]
    assert "check the account id and the account secret" in found.text("manager")
    assert found.code == REFUSED


async def test_an_account_id_of_an_unusual_length_is_pointed_at(examine: Examine) -> None:
    async with EmbeddedManager() as manager:
        found = await examine.harness(manager, DELEGATE_ACCOUNT_ID="other")
    assert "usually has 22 characters, this one 5" in found.text("manager")


async def test_a_secret_of_the_wrong_form_fails_before_any_call(examine: Examine) -> None:
    async with EmbeddedManager() as manager:
        found = await examine.harness(manager, DELEGATE_ACCOUNT_SECRET="my password")
        assert manager.state.calls == {}
    assert found.problems == ["token"]
    assert "32 hexadecimal digits" in found.text("token")
    assert "my password" not in str(found.told)
    assert found.code == REFUSED


async def test_a_ready_token_whose_time_is_over_is_named(examine: Examine) -> None:
    token = jwt.encode({"exp": int(time.time()) - 60}, "k" * 32, algorithm="HS256")
    async with EmbeddedManager() as manager:
        given = {"DELEGATE_ENDPOINT": manager.url, "DELEGATE_ACCOUNT_ID": "acc", "DELEGATE_TOKEN": token}
        found = await examine("--backend", "harness", **given)
    assert "has expired at" in found.text("token")
    assert token not in str(found.told)
    assert found.code == REFUSED


async def test_a_revoked_secret_is_named(examine: Examine) -> None:
    async with EmbeddedManager() as manager:
        manager.state.accounts.revoke_token(manager.account_id)
        found = await examine.harness(manager)
    assert "was revoked" in found.text("manager")
    assert found.code == REFUSED


async def test_an_account_that_was_deleted_is_told_from_a_wrong_one(examine: Examine) -> None:
    async with EmbeddedManager() as manager:
        account = manager.state.accounts.get(manager.account_id)
        assert account is not None
        account.deleted = True
        found = await examine.harness(manager)
    assert "the account was deleted" in found.text("manager")


async def test_a_clock_that_is_far_behind_is_named_beside_the_token_that_it_spoils(examine: Examine) -> None:
    async with EmbeddedManager(clock=ahead(3600)) as manager:
        found = await examine.harness(manager)
    assert found.problems == ["manager", "clock"]
    assert "behind the server's" in found.text("clock")
    assert "set this machine's clock" in found.text("clock")


@pytest.mark.parametrize(("seconds", "words"), [(120, "behind"), (-120, "ahead of")])
async def test_a_clock_that_is_minutes_off_is_a_warning(examine: Examine, seconds: float, words: str) -> None:
    async with EmbeddedManager(clock=ahead(seconds)) as manager:
        found = await examine.harness(manager)
    assert found.status("clock") == "warning"
    assert f"{words} the server's" in found.text("clock")
    assert found.code == 0


async def test_a_log_service_that_is_not_there_is_a_problem_of_its_own(examine: Examine) -> None:
    async with EmbeddedManager() as manager:
        found = await examine.harness(manager, "--log-url", "http://logs.invalid")
    assert found.problems == ["logs name"]


# ---------------------------------------------------------------------- Drone


async def of_drone(examine: Examine, drone: EmbeddedDrone, *arguments: str, **variables: str) -> Examined:
    return await examine.drone(drone.url, *arguments, secret=drone.keys.rpc, **variables)


async def test_all_is_well_with_a_server_that_takes_the_secret_and_nothing_was_asked_for(examine: Examine) -> None:
    async with EmbeddedDrone() as drone:
        stage = drone.stages_of(drone.create(Order(text="kind: pipeline\ntype: exec\nname: a\n")).id)[0]
        found = await of_drone(examine, drone)
        assert found.problems == []
        assert found.code == 0
        assert f"Drone {drone.rules.version}" in found.text("secret")
        assert drone.parts.calls == {"ping": 1}
        assert drone.stage(stage.id).machine == ""


async def test_a_wrong_secret_is_told_from_a_server_that_is_away(examine: Examine) -> None:
    async with EmbeddedDrone() as drone:
        found = await examine.drone(drone.url, secret="wrong")
    assert found.problems == ["secret"]
    assert "is DRONE_RPC_SECRET here the same as the server's?" in found.text("secret")
    assert found.code == REFUSED


async def test_what_waits_cannot_be_asked_with_the_runners_secret_and_that_is_said(examine: Examine) -> None:
    async with EmbeddedDrone() as drone:
        found = await of_drone(examine, drone)
    assert found.status("queue") == "skipped"
    assert "DRONE_TOKEN" in found.text("queue")


@pytest.mark.parametrize(
    ("manifest", "reason"),
    [
        ("type: fib", "is of type fib, which nothing here serves"),
        ("type: exec\nplatform: {arch: riscv64}", "asks for arch riscv64"),
        ("type: exec\nnode: {gpu: a}", "has the labels gpu=a, and this runner none"),
    ],
)
async def test_an_admins_token_shows_why_what_waits_does_not_come_here(
    examine: Examine, manifest: str, reason: str
) -> None:
    async with EmbeddedDrone() as drone:
        drone.create(Order(text=f"kind: pipeline\nname: a\n{manifest}\n"))
        found = await of_drone(examine, drone, DRONE_TOKEN=drone.keys.user)
    assert found.status("queue") == "warning"
    assert reason in found.text("queue")


async def test_what_waits_for_this_runner_is_counted(examine: Examine) -> None:
    async with EmbeddedDrone() as drone:
        drone.create(Order(text="kind: pipeline\ntype: exec\nname: a\nplatform: {arch: amd64}\nnode: {gpu: a}\n"))
        drone.create(Order(text="kind: pipeline\ntype: fib\nname: a\n"))
        given = ("--label", "gpu:a", "--platform-arch", "amd64")
        found = await of_drone(examine, drone, *given, DRONE_TOKEN=drone.keys.user)
    assert "1 of 2 stages that wait on the server are for this runner" in found.text("queue")


async def test_a_users_token_goes_to_no_server_but_the_one_that_is_named_beside_it(examine: Examine) -> None:
    async with EmbeddedDrone() as drone:
        token = {"DRONE_TOKEN": drone.keys.user}
        elsewhere = await of_drone(examine, drone, DRONE_SERVER="https://drone.example", **token)
        here = await of_drone(examine, drone, DRONE_SERVER=drone.url, **token)
    assert (elsewhere.status("queue"), here.status("queue")) == ("skipped", "ok")


async def test_a_token_that_is_no_admins_is_named(examine: Examine) -> None:
    async with EmbeddedDrone() as drone:
        found = await of_drone(examine, drone, DRONE_TOKEN="mine")
    assert "does not show its queue to DRONE_TOKEN (status 401)" in found.text("queue")


async def test_variables_that_mean_nothing_here_are_named(examine: Examine) -> None:
    async with EmbeddedDrone() as drone:
        found = await of_drone(examine, drone, DRONE_ACME_ENABLED="true")
    assert "DRONE_ACME_ENABLED" in found.text("variables")


# ---------------------------------------------------------------------- neither


@pytest.mark.parametrize("answer", [PAGE, ELSEWHERE, reply(b"gone", "404 Not Found")], ids=["page", "redirect", "404"])
async def test_what_is_no_server_of_this_kind_is_told_from_one_that_is_away(examine: Examine, answer: bytes) -> None:
    async with serving(always(answer)) as other:
        url = f"http://127.0.0.1:{other.port}"
        drone = await examine.drone(url)
        given = {"DELEGATE_ACCOUNT_ID": "acc", "DELEGATE_ACCOUNT_SECRET": "ab" * 16}
        harness = await examine("--backend", "harness", "--endpoint", url, **given)
    assert (drone.problems, harness.problems) == (["secret"], ["manager"])
    assert (drone.status("server connection"), harness.status("server connection")) == ("ok", "ok")
    for text in (drone.text("secret"), harness.text("manager")):
        assert any(word in text for word in ("HTML", "leads", "answered 404"))
        assert "to do:" in text
