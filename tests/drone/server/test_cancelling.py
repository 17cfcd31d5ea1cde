"""Cancelling and restarting builds, and how runners learn of it."""

import httpx
import pytest

from delegate_drone.server import Cancels, EmbeddedDrone, Hook, Order, Rules

from .runner import LOCK, NO_ROWS, ONE, START, BareRunner, Clock, during, manifest

pytestmark = pytest.mark.anyio

BUILD = "/api/repos/local/sandbox/builds/1"
PATIENT = pytest.mark.parametrize("rules", [Rules(long_poll=10)])
REDIS = pytest.mark.parametrize("rules", [Rules(long_poll=0.1, cancels=Cancels.REDIS)])


# ---------------------------------------------------------------------- watching


@PATIENT
async def test_who_watches_is_told_of_the_cancel(
    runner: BareRunner, drone: EmbeddedDrone, http: httpx.AsyncClient, stage_id: int
) -> None:
    async with during(runner.watch(1), drone, lambda parts: parts.canceller.watched) as reply:
        assert (await http.delete(BUILD)).json()["status"] == "killed"
    assert (reply.get().status_code, reply.get().content) == (200, b"")
    assert "content-type" not in reply.get().headers


async def test_a_watch_that_opens_after_the_cancel_is_never_told(
    runner: BareRunner, drone: EmbeddedDrone, stage_id: int
) -> None:
    drone.cancel(1)
    for _ in range(2):
        reply = await runner.watch(1)
        assert (reply.status_code, reply.content) == (204, b"")


async def test_an_unknown_build_is_watched_in_vain(runner: BareRunner) -> None:
    assert (await runner.watch(99)).status_code == 204


@PATIENT
async def test_a_build_that_is_gone_is_noticed_only_after_a_wake_up(runner: BareRunner, drone: EmbeddedDrone) -> None:
    async with during(runner.watch(99), drone, lambda parts: parts.canceller.watched) as reply:
        drone.parts.canceller.cancel(99)
    assert (reply.get().status_code, reply.get().text) == (500, NO_ROWS)


@REDIS
async def test_with_redis_a_late_watch_is_told_for_five_minutes(
    runner: BareRunner, drone: EmbeddedDrone, clock: Clock, stage_id: int
) -> None:
    drone.cancel(1)
    clock.now += 299
    assert (await runner.watch(1)).status_code == 200
    clock.now += 1
    assert (await runner.watch(1)).status_code == 500


@REDIS
async def test_with_redis_an_idle_watch_ends_with_500(runner: BareRunner, stage_id: int) -> None:
    reply = await runner.watch(1)
    assert (reply.status_code, reply.text) == (500, "redis: nil")


# ---------------------------------------------------------------------- cancelling


async def test_a_cancel_kills_what_runs_and_skips_what_waits(
    runner: BareRunner, drone: EmbeddedDrone, http: httpx.AsyncClient, clock: Clock
) -> None:
    drone.create(Order(text=manifest("a", "b")))
    await runner.ran(1, "one", "two")
    clock.now += 9
    reply = await http.delete(BUILD)
    found = reply.json()
    assert (reply.status_code, found["status"], found["finished"]) == (200, "killed", START + 9)
    assert [(stage["status"], stage["started"]) for stage in found["stages"]] == [
        ("killed", START),
        ("skipped", START + 9),
    ]
    steps = drone.stage(1).steps
    assert [(step.status, step.exit_code, step.stopped) for step in steps] == [
        ("killed", 130, START + 9),
        ("skipped", 130, START + 9),
    ]


async def test_after_a_cancel_every_update_has_lost_its_lock(
    runner: BareRunner, drone: EmbeddedDrone, stage_id: int
) -> None:
    stage = await runner.ran(stage_id)
    drone.cancel(1)
    assert (await runner.put_step(stage["steps"][0])).status_code == 409
    assert (await runner.put_step(stage["steps"][0], status="killed")).text.endswith(f"{LOCK}\n\n")
    assert (await runner.put_stage(stage, steps=[])).status_code == 409
    assert (await runner.put_stage(stage, status="success", steps=[])).status_code == 409
    assert drone.stage(stage_id).status == "killed"


async def test_cancelling_a_build_that_is_done_changes_nothing(
    runner: BareRunner, drone: EmbeddedDrone, http: httpx.AsyncClient, stage_id: int
) -> None:
    await runner.finish(stage_id)
    assert (await http.delete(BUILD)).json()["status"] == "success"
    assert not drone.cancel(1)


async def test_a_cancel_lets_a_limited_pipeline_run_elsewhere(runner: BareRunner, drone: EmbeddedDrone) -> None:
    text = manifest("a; concurrency: {limit: 1}")
    for _ in range(2):
        drone.create(Order(text=text))
    await runner.started(1)
    drone.cancel(1)
    assert (await runner.request()).json()["id"] == 2


@pytest.mark.parametrize(("event", "flag"), [("push", "pushes"), ("pull_request", "pull_requests")])
async def test_a_new_build_skips_the_older_waiting_ones_of_its_ref(
    drone: EmbeddedDrone, runner: BareRunner, event: str, flag: str
) -> None:
    settings = {f"auto_cancel_{flag}": True}
    for ref in ("refs/heads/a", "refs/heads/b", "refs/heads/a", "refs/heads/a"):
        drone.create(Order(text=ONE, hook=Hook(event=event, ref=ref), settings=settings))
        if drone.build(1).status == "pending":
            await runner.started(1)
    assert [drone.build(number).status for number in (1, 2, 3, 4)] == ["running", "pending", "skipped", "pending"]


async def test_a_new_build_ends_running_ones_where_that_is_set(drone: EmbeddedDrone, runner: BareRunner) -> None:
    settings = {"auto_cancel_pushes": True, "auto_cancel_running": True}
    drone.create(Order(text=ONE, settings=settings))
    await runner.started(1)
    drone.create(Order(text=ONE, settings=settings))
    assert drone.build(1).status == "skipped"
    assert drone.stage(1).status == "killed"


# ---------------------------------------------------------------------- users


async def test_a_restart_is_a_new_build_of_the_same_event(
    http: httpx.AsyncClient, runner: BareRunner, drone: EmbeddedDrone
) -> None:
    hook = Hook(message="make it so", after="a" * 40, params={"COLOUR": "red", "SIZE": "1"})
    drone.create(Order(text=ONE, hook=hook, secrets={"key": "value"}))
    await runner.finish(1)
    found = (await http.post(BUILD, params={"SIZE": "2"})).json()
    assert (found["number"], found["parent"], found["status"]) == (2, 1, "pending")
    assert (found["message"], found["after"]) == ("make it so", "a" * 40)
    assert found["params"] == {"COLOUR": "red", "SIZE": "2"}
    details = (await runner.details(found["stages"][0]["id"])).json()
    assert details["secrets"][0]["data"] == "value"


async def test_builds_are_listed_newest_first(http: httpx.AsyncClient, drone: EmbeddedDrone) -> None:
    for _ in range(2):
        drone.create(Order(text=ONE))
    found = (await http.get("/api/repos/local/sandbox/builds")).json()
    assert [build["number"] for build in found] == [2, 1]
    assert "stages" not in found[0]


async def test_a_build_is_shown_with_its_stages_and_steps(
    http: httpx.AsyncClient, runner: BareRunner, stage_id: int
) -> None:
    await runner.started(stage_id, "one", "two")
    stages = (await http.get(BUILD)).json()["stages"]
    assert [step["name"] for step in stages[0]["steps"]] == ["one", "two"]


@pytest.mark.parametrize("headers", [{"Authorization": ""}, {"Authorization": "Bearer wrong"}])
async def test_users_need_a_token(http: httpx.AsyncClient, headers: dict[str, str]) -> None:
    reply = await http.get(BUILD, headers=headers)
    assert (reply.status_code, reply.json()) == (401, {"message": "Unauthorized"})


@pytest.mark.parametrize("path", [BUILD, "/api/nothing", "/api/repos/local/other/builds"])
async def test_what_is_not_there_is_404_for_users(http: httpx.AsyncClient, path: str) -> None:
    reply = await http.get(path)
    assert reply.status_code == 404
    assert reply.json()["message"]
