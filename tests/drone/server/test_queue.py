"""Which stage is offered to whom, and when."""

from collections.abc import Callable
from typing import Any

import anyio
import httpx
import pytest

from delegate_drone.server import EmbeddedDrone, Order, Rules, Stage, Wanted
from delegate_drone.server.queue import Queue, fits, has_room, reason

from .runner import ONE, BareRunner, Clock, during, http_client, manifest

pytestmark = pytest.mark.anyio

PATIENT = pytest.mark.parametrize("rules", [Rules(long_poll=10)])


async def test_a_fresh_stage_looks_as_the_real_server_writes_it(
    runner: BareRunner, drone: EmbeddedDrone, stage_id: int
) -> None:
    reply = await runner.request()
    assert reply.content == (
        b'{"id":1,"repo_id":1,"build_id":1,"number":1,"name":"s1","kind":"pipeline","type":"exec","status":"pending",'
        b'"errignore":false,"exit_code":0,"os":"linux","arch":"amd64","started":0,"stopped":0,"created":1800000000,'
        b'"updated":1800000000,"version":1,"on_success":true,"on_failure":false}\n'
    )


async def test_without_a_stage_the_request_ends_with_nothing(runner: BareRunner) -> None:
    reply = await runner.request()
    assert (reply.status_code, reply.content) == (204, b"")


async def test_a_stage_is_offered_to_each_who_asks_until_it_is_accepted(runner: BareRunner, stage_id: int) -> None:
    assert (await runner.request()).json()["id"] == stage_id
    assert (await runner.request()).json()["id"] == stage_id
    await runner.accepted(stage_id)
    assert (await runner.request()).status_code == 204


@PATIENT
async def test_a_waiting_runner_is_answered_once_a_stage_comes(runner: BareRunner, drone: EmbeddedDrone) -> None:
    async with during(runner.request(), drone, lambda parts: parts.queue.waiting) as reply:
        drone.create(Order(text=ONE))
    assert reply.get().json()["name"] == "s1"


@PATIENT
async def test_a_runner_that_goes_away_is_forgotten_at_once(runner: BareRunner, drone: EmbeddedDrone) -> None:
    async with anyio.create_task_group() as group:
        group.start_soon(runner.request)
        await drone.wait_for(lambda parts: parts.queue.waiting)
        group.cancel_scope.cancel()
    await drone.wait_for(lambda parts: not parts.queue.waiting)


async def test_a_paused_queue_offers_nothing_until_it_is_resumed(
    runner: BareRunner, http: httpx.AsyncClient, stage_id: int
) -> None:
    assert (await http.delete("/api/queue")).status_code == 204
    assert (await runner.request()).status_code == 204
    assert (await http.post("/api/queue")).status_code == 204
    assert (await runner.request()).json()["id"] == stage_id


@PATIENT
async def test_resuming_wakes_a_runner_that_waits(runner: BareRunner, drone: EmbeddedDrone) -> None:
    drone.parts.queue.pause()
    drone.create(Order(text=ONE))
    async with during(runner.request(), drone, lambda parts: parts.queue.waiting) as reply:
        drone.parts.queue.resume()
    assert reply.get().status_code == 200


async def test_without_an_occasion_stages_are_matched_all_the_same(clock: Clock) -> None:
    rules = Rules(long_poll=10, match_every=0.02)
    async with EmbeddedDrone(rules=rules, clock=clock) as drone, http_client(drone) as http:
        async with during(BareRunner(http).request(), drone, lambda parts: parts.queue.waiting) as reply:
            drone.parts.store.stages.insert(STAGE.model_copy(update={"type": "exec", "status": "pending"}))
        assert reply.get().status_code == 200


STAGE = Stage(kind="pipeline", type="docker", os="linux", arch="amd64")


@pytest.mark.parametrize(
    ("stage", "wanted", "fitting"),
    [
        ({}, {}, True),
        ({"type": ""}, {"type": "docker"}, True),
        ({"kind": ""}, {"kind": "pipeline"}, True),
        ({"type": "exec"}, {"type": "docker"}, False),
        ({"kind": "other"}, {}, False),
        ({"os": "windows"}, {}, True),
        ({"os": "windows"}, {"os": "linux", "arch": "amd64"}, False),
        ({}, {"os": "linux"}, False),
        ({}, {"variant": "v7"}, False),
        ({}, {"os": "linux", "arch": "amd64", "variant": "v7"}, True),
        ({"variant": "v7"}, {"os": "linux", "arch": "amd64"}, False),
        ({"kernel": "1803"}, {"os": "linux", "arch": "amd64", "kernel": "1803"}, True),
        ({"labels": {"a": "1"}}, {}, False),
        ({}, {"labels": {"a": "1"}}, False),
        ({"labels": {"a": "1"}}, {"labels": {"a": "1", "b": "2"}}, False),
        ({"labels": {"a": "1"}}, {"labels": {"a": "1"}}, True),
    ],
)
async def test_kind_type_platform_and_labels_decide_who_is_asked(
    stage: dict[str, Any], wanted: dict[str, Any], *, fitting: bool
) -> None:
    assert fits(STAGE.model_copy(update=stage), Wanted(**wanted)) is fitting


def stages(*given: tuple[str, str]) -> list[Stage]:
    """Stages of one repository, by name and status, each with a limit of 1."""
    return [
        Stage(id=number, repo_id=1, name=name, status=status, limit=1)
        for number, (name, status) in enumerate(given, start=1)
    ]


async def test_the_limit_counts_stages_of_the_same_name_that_are_older_or_run() -> None:
    found = stages(("a", "pending"), ("a", "pending"), ("b", "pending"), ("a", "running"))
    assert [has_room(stage, found) for stage in found] == [False, False, True, False]
    assert has_room(found[0], found[:3])


async def test_a_limit_is_one_of_its_repository() -> None:
    first, second = stages(("a", "running"), ("a", "pending"))
    assert has_room(second.model_copy(update={"repo_id": 2}), [first, second])


async def test_the_throttle_counts_all_older_stages_of_the_repository() -> None:
    found = [stage.model_copy(update={"limit": 0, "throttle": 2}) for stage in stages(*[("a", "pending")] * 3)]
    assert [has_room(stage, found) for stage in found] == [True, True, False]


async def test_the_oldest_stage_that_fits_is_offered_first(runner: BareRunner, drone: EmbeddedDrone) -> None:
    docker = ONE.replace("type: exec", "type: docker").replace("name: test,", "name: test, image: a,")
    drone.create(Order(text=docker))
    first, second = (drone.create(Order(text=ONE)) for _ in range(2))
    assert (await runner.request()).json()["build_id"] == first.id
    await runner.accepted(drone.stages_of(first.id)[0].id)
    assert (await runner.request()).json()["build_id"] == second.id


@pytest.mark.parametrize(
    ("prepare", "text"),
    [
        (lambda queue: queue.pause(), "paused"),
        (lambda queue: None, "no runner is asking for work"),
    ],
)
async def test_why_a_stage_waits_is_said(drone: EmbeddedDrone, prepare: Callable[[Queue], None], text: str) -> None:
    stage = drone.stages_of(drone.create(Order(text=ONE)).id)[0]
    prepare(drone.parts.queue)
    assert text in reason(stage, drone.parts.queue, drone.parts.store.incomplete())


@pytest.mark.parametrize(
    ("wanted", "text"),
    [
        ({"type": "docker"}, "no runner is asking for type exec"),
        ({"os": "windows", "arch": "amd64"}, "no runner is on linux/amd64"),
        ({"labels": {"gpu": "1"}}, "no runner has just its labels"),
    ],
)
async def test_why_the_waiting_runners_do_not_fit_is_said(
    drone: EmbeddedDrone, runner: BareRunner, wanted: dict[str, Any], text: str
) -> None:
    stage = drone.stages_of(drone.create(Order(text=ONE)).id)[0]
    async with anyio.create_task_group() as group:
        group.start_soon(lambda: runner.request(**wanted))
        await drone.wait_for(lambda parts: parts.queue.waiting)
        assert text in reason(stage, drone.parts.queue, drone.parts.store.incomplete())


async def test_a_limited_pipeline_waits_for_the_one_before(runner: BareRunner, drone: EmbeddedDrone) -> None:
    text = manifest("a; concurrency: {limit: 1}")
    first, second = (drone.stages_of(drone.create(Order(text=text)).id)[0] for _ in range(2))
    await runner.started(first.id)
    assert (await runner.request()).status_code == 204
    stage = drone.stage(first.id)
    await runner.put_stage(stage.encode(), status="success", steps=[])
    assert (await runner.request()).json()["id"] == second.id


async def test_the_queue_is_shown_to_users(http: httpx.AsyncClient, stage_id: int) -> None:
    assert [stage["id"] for stage in (await http.get("/api/queue")).json()] == [stage_id]
