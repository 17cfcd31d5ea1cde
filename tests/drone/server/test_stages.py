"""What becomes of a stage: accepted, detailed, started, ended, and what follows from that."""

import base64
from collections.abc import Sequence

import pytest

from delegate_drone.server import EmbeddedDrone, Hook, Order

from .runner import LOCK, NO_ROWS, ONE, START, BareRunner, Clock, manifest

pytestmark = pytest.mark.anyio


def statuses(drone: EmbeddedDrone, build_id: int = 1) -> list[str]:
    return [stage.status for stage in drone.stages_of(build_id)]


# ---------------------------------------------------------------------- accepting


async def test_accepting_gives_the_stage_to_the_machine(runner: BareRunner, stage_id: int) -> None:
    stage = (await runner.accept(stage_id, "a machine & more")).json()
    assert (stage["machine"], stage["status"], stage["version"]) == ("a machine & more", "pending", 2)


async def test_accepting_twice_is_refused_even_to_the_same_machine(runner: BareRunner, stage_id: int) -> None:
    await runner.accepted(stage_id)
    for machine in ("m1", "m2", ""):
        reply = await runner.accept(stage_id, machine)
        assert (reply.status_code, reply.text) == (409, LOCK)


async def test_an_empty_machine_name_leaves_the_stage_to_be_had(runner: BareRunner, stage_id: int) -> None:
    assert (await runner.accept(stage_id, "")).status_code == 200
    assert (await runner.request()).json()["version"] == 2


async def test_a_cancelled_stage_that_nobody_had_comes_back_to_life_when_accepted(
    runner: BareRunner, drone: EmbeddedDrone, stage_id: int
) -> None:
    drone.cancel(1)
    assert statuses(drone) == ["skipped"]
    assert (await runner.accept(stage_id)).json()["status"] == "pending"
    assert drone.build(1).status == "killed"


# ---------------------------------------------------------------------- details


async def test_the_details_are_all_that_a_runner_needs(runner: BareRunner, drone: EmbeddedDrone, stage_id: int) -> None:
    await runner.accepted(stage_id)
    found = (await runner.details(stage_id)).json()
    assert list(found) == ["build", "stage", "config", "netrc", "repository", "secrets", "system"]
    assert found["build"]["stages"][0]["machine"] == "m1"
    assert "steps" not in found["build"]["stages"][0]
    assert base64.b64decode(found["config"]["Data"]).decode() == ONE
    assert found["config"]["Hash"] is None
    assert found["netrc"] is None
    assert found["secrets"] is None
    assert found["repository"]["slug"] == "local/sandbox"
    assert found["repository"]["timeout"] == 60
    assert len(found["repository"]["secret"]) == 32
    address = drone.url.removeprefix("http://")
    assert found["system"] == {"proto": "http", "host": address, "link": drone.url, "version": "2.28.2"}


@pytest.mark.parametrize(
    ("event", "allowed", "given"),
    [("push", False, True), ("pull_request", False, False), ("pull_request", True, True)],
)
async def test_secrets_reach_pull_requests_only_where_that_is_allowed(
    runner: BareRunner, drone: EmbeddedDrone, event: str, *, allowed: bool, given: bool
) -> None:
    secrets = {"key": "s3cr3t & more"}
    drone.create(Order(text=ONE, hook=Hook(event=event), secrets=secrets, secrets_in_pull_requests=allowed))
    found = (await runner.details(1)).json()["secrets"]
    assert [(each["name"], each["data"]) for each in found or ()] == [("key", "s3cr3t & more")] * given


# ---------------------------------------------------------------------- starting


async def test_starting_gives_the_steps_their_ids_and_echoes_what_was_sent(
    runner: BareRunner, drone: EmbeddedDrone, stage_id: int
) -> None:
    await runner.accepted(stage_id)
    body = {"id": 1, "build_id": 1, "name": "s1", "status": "running", "machine": "m1", "started": 5, "version": 2}
    steps = [{"step_id": 1, "number": number, "name": f"s{number}", "status": "pending"} for number in (1, 2)]
    reply = await runner.put_stage({**body, "steps": steps})
    assert reply.text == (
        '{"id":1,"repo_id":0,"build_id":1,"number":0,"name":"s1","status":"running","errignore":false,"exit_code":0,'
        '"machine":"m1","os":"","arch":"","started":5,"stopped":0,"created":0,"updated":1800000000,"version":3,'
        '"on_success":false,"on_failure":false,"steps":['
        '{"id":1,"step_id":1,"number":1,"name":"s1","status":"pending","exit_code":0,"version":1},'
        '{"id":2,"step_id":1,"number":2,"name":"s2","status":"pending","exit_code":0,"version":1}]}\n'
    )
    assert drone.build(1).status == "running"
    assert drone.build(1).started == START


async def test_a_partial_update_blanks_what_it_leaves_out_but_never_number_and_limit(
    runner: BareRunner, drone: EmbeddedDrone
) -> None:
    drone.create(Order(text=manifest("a; concurrency: {limit: 3}")))
    await runner.accepted(1)
    await runner.put_stage({"id": 1, "build_id": 1, "status": "running", "version": 2})
    stage = drone.stage(1)
    assert (stage.os, stage.machine, stage.on_success) == ("", "", False)
    assert (stage.number, stage.name, stage.type, stage.limit) == (1, "a", "exec", 3)


async def test_starting_again_with_the_old_version_is_409(runner: BareRunner, stage_id: int) -> None:
    stage = await runner.accepted(stage_id)
    await runner.put_stage(stage, status="running")
    reply = await runner.put_stage(stage, status="running")
    assert (reply.status_code, reply.text) == (409, LOCK)


async def test_the_same_steps_again_are_500_and_the_version_has_moved(
    runner: BareRunner, drone: EmbeddedDrone, stage_id: int
) -> None:
    stage = await runner.started(stage_id)
    reply = await runner.put_stage(stage)
    assert reply.status_code == 500
    assert reply.text == "UNIQUE constraint failed: steps.step_stage_id, steps.step_number"
    assert drone.stage(stage_id).version == stage["version"] + 1


async def test_a_touch_without_steps_moves_only_the_version(
    runner: BareRunner, drone: EmbeddedDrone, stage_id: int
) -> None:
    stage = await runner.ran(stage_id)
    await runner.batch(1, "hello\n")
    reply = await runner.put_stage({**stage, "steps": []})
    assert reply.json()["version"] == stage["version"] + 1
    assert drone.stage(stage_id).steps[0].version == stage["steps"][0]["version"]
    assert (await runner.batch(1, "more\n", first=1)).status_code == 200


@pytest.mark.parametrize(("changes", "status", "text"), [({"build_id": 99}, 500, NO_ROWS), ({"id": 99}, 409, LOCK)])
async def test_an_unknown_build_is_500_and_an_unknown_stage_409(
    runner: BareRunner, stage_id: int, changes: dict[str, int], status: int, text: str
) -> None:
    stage = await runner.accepted(stage_id)
    for word in ("running", "success"):
        reply = await runner.put_stage({**stage, **changes}, status=word)
        assert (reply.status_code, reply.text) == (status, text)


async def test_error_texts_are_cut_at_500_bytes(runner: BareRunner, drone: EmbeddedDrone, stage_id: int) -> None:
    stage = await runner.accepted(stage_id)
    await runner.put_stage(stage, status="error", error="ä" * 400)
    assert drone.stage(stage_id).error == "ä" * 250


# ---------------------------------------------------------------------- ending


async def test_ending_writes_the_steps_and_finishes_the_build(
    runner: BareRunner, drone: EmbeddedDrone, clock: Clock, stage_id: int
) -> None:
    stage = await runner.started(stage_id, "one", "two")
    stage["steps"][1] |= {"status": "skipped"}
    stage["steps"][0] |= {"status": "success"}
    clock.now += 5
    reply = (await runner.put_stage(stage, status="success")).json()
    assert [step["version"] for step in reply["steps"]] == [2, 2]
    assert [step.status for step in drone.stage(stage_id).steps] == ["success", "skipped"]
    build = drone.build(1)
    assert (build.status, build.finished, build.version) == ("success", START + 5, 3)
    assert drone.parts.finals == {stage_id: 1}


async def test_a_stale_step_is_409_and_the_steps_before_it_are_written(
    runner: BareRunner, drone: EmbeddedDrone, stage_id: int
) -> None:
    stage = await runner.started(stage_id, "one", "two", "three")
    stage["steps"][1]["version"] = 7
    for step in stage["steps"]:
        step["status"] = "success"
    reply = await runner.put_stage(stage, status="success")
    assert (reply.status_code, reply.text) == (409, LOCK)
    assert [step.status for step in drone.stage(stage_id).steps] == ["success", "pending", "pending"]
    assert drone.stage(stage_id).status == "running"


async def test_a_stage_may_end_in_error_without_ever_having_started(
    runner: BareRunner, drone: EmbeddedDrone, stage_id: int
) -> None:
    stage = await runner.accepted(stage_id)
    assert (await runner.put_stage(stage, status="error", error="yaml: line 3")).status_code == 200
    assert drone.build(1).status == "error"
    assert drone.build(1).started == START


async def test_an_empty_status_counts_as_an_end(runner: BareRunner, drone: EmbeddedDrone, stage_id: int) -> None:
    stage = await runner.accepted(stage_id)
    assert (await runner.put_stage(stage, status="")).status_code == 200
    assert drone.build(1).finished


async def test_ending_twice_with_the_right_version_writes_the_build_again(
    runner: BareRunner, drone: EmbeddedDrone, clock: Clock, stage_id: int
) -> None:
    stage = await runner.accepted(stage_id)
    stage = (await runner.put_stage(stage, status="success")).json()
    clock.now += 5
    assert (await runner.put_stage(stage, status="failure")).status_code == 200
    assert (drone.build(1).status, drone.build(1).finished) == ("failure", START + 5)


@pytest.mark.parametrize(
    ("ends", "status"),
    [
        (("success", "failure"), "failure"),
        (("failure", "killed"), "failure"),
        (("killed", "failure"), "killed"),
        (("error", "failure"), "error"),
        (("skipped", "success"), "success"),
        (("skipped", "skipped"), "success"),
    ],
)
async def test_the_first_stage_that_failed_decides_the_build(
    runner: BareRunner, drone: EmbeddedDrone, ends: Sequence[str], status: str
) -> None:
    drone.create(Order(text=manifest("a", "b")))
    for stage_id, end in reversed(list(enumerate(ends, start=1))):
        await runner.finish(stage_id, end)
    assert drone.build(1).status == status


async def test_a_declined_stage_keeps_its_build_unfinished(runner: BareRunner, drone: EmbeddedDrone) -> None:
    drone.create(Order(text=manifest("a", "b")))
    store = drone.parts.store
    store.stages.update(store.stages.find(1).model_copy(update={"status": "declined"}))
    await runner.finish(2)
    assert drone.build(1).status == "pending"


# ---------------------------------------------------------------------- downstream


async def test_a_stage_waits_for_what_it_depends_on(runner: BareRunner, drone: EmbeddedDrone) -> None:
    drone.create(Order(text=manifest("a", "b", "c; depends_on: [a, b]")))
    assert statuses(drone) == ["pending", "pending", "waiting_on_dependencies"]
    await runner.finish(1)
    assert statuses(drone)[2] == "waiting_on_dependencies"
    await runner.finish(2)
    assert statuses(drone)[2] == "pending"
    assert (await runner.request()).json()["name"] == "c"


async def test_after_a_failure_only_what_asks_for_it_runs(runner: BareRunner, drone: EmbeddedDrone) -> None:
    more = ["depends_on: [a]; trigger: {status: [failure]}", "depends_on: [a]", "depends_on: [c]"]
    drone.create(Order(text=manifest("a", *(f"{name}; {each}" for name, each in zip("bcd", more, strict=True)))))
    await runner.finish(1, "failure")
    assert statuses(drone) == ["failure", "pending", "skipped", "skipped"]
    await runner.finish(2)
    assert drone.build(1).status == "failure"


async def test_after_success_what_asks_for_failures_is_skipped(runner: BareRunner, drone: EmbeddedDrone) -> None:
    drone.create(Order(text=manifest("a", "b; depends_on: [a]; trigger: {status: [failure]}")))
    await runner.finish(1)
    assert statuses(drone) == ["success", "skipped"]
    assert drone.build(1).status == "success"
