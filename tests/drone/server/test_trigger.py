"""What becomes a build, and which pipelines become its stages."""

import pytest

from delegate_drone.server import EmbeddedDrone, Hook, Order, SkippedError, Stage

from .runner import START, manifest

pytestmark = pytest.mark.anyio


def stages(drone: EmbeddedDrone, text: str, **hook: object) -> list[Stage]:
    """The stages of a build for an event."""
    return drone.stages_of(drone.create(Order(text=text, hook=Hook(**hook))).id)  # type: ignore[arg-type] # test data


def names(drone: EmbeddedDrone, text: str, **hook: object) -> list[str]:
    return [stage.name for stage in stages(drone, text, **hook)]


@pytest.mark.parametrize(
    ("trigger", "hook", "matching"),
    [
        ("branch: main", {"target": "main"}, True),
        ("branch: main", {"target": "dev"}, False),
        ("branch: [main, release/*]", {"target": "release/1"}, True),
        ("branch: {exclude: [dev*]}", {"target": "dev2"}, False),
        ("branch: {include: [m*], exclude: [main]}", {"target": "main"}, False),
        ("event: [push, tag]", {"event": "tag", "ref": "refs/tags/v1"}, True),
        ("event: tag", {"event": "push"}, False),
        ("event: {exclude: [pull_request]}", {"event": "push"}, True),
        ("action: opened", {"event": "pull_request", "action": "synchronized"}, False),
        ("action: opened", {"event": "push"}, False),
        ("ref: refs/tags/**", {"ref": "refs/tags/a/b"}, True),
        ("ref: refs/tags/*", {"ref": "refs/heads/main"}, False),
        ("repo: local/*", {}, True),
        ("repo: other/*", {}, False),
        ("target: production", {"event": "promote", "deploy_to": "production"}, True),
        ("target: production", {"event": "promote", "deploy_to": "staging"}, False),
        ("cron: nightly", {"event": "cron", "cron": "nightly"}, True),
        ("cron: nightly", {"event": "push"}, False),
        ("branch: main, event: push", {"target": "main", "event": "tag"}, False),
        ("status: [failure]", {}, True),
        ("paths: [docs/*]", {}, True),
    ],
)
@pytest.mark.parametrize("kind", ["exec", "fib"])
async def test_a_trigger_s_conditions_must_all_hold(
    drone: EmbeddedDrone, trigger: str, hook: dict[str, str], kind: str, *, matching: bool
) -> None:
    text = manifest(f"a; trigger: {{{trigger}}}", "always").replace("type: exec", f"type: {kind}")
    assert names(drone, text, **hook) == ["a"] * matching + ["always"]


async def test_stages_are_numbered_from_one_among_those_that_match(drone: EmbeddedDrone) -> None:
    found = stages(drone, manifest("a", "b; trigger: {event: tag}", "c"))
    assert [(stage.number, stage.name) for stage in found] == [(1, "a"), (2, "c")]


async def test_a_stage_has_the_defaults_of_the_server(drone: EmbeddedDrone) -> None:
    found = stages(drone, "kind: pipeline\nsteps: [{name: a, image: b}]\n")[0]
    assert (found.kind, found.type, found.name) == ("pipeline", "docker", "default")
    assert (found.os, found.arch, found.variant, found.kernel) == ("linux", "amd64", "", "")
    assert (found.on_success, found.on_failure) == (True, False)
    assert (found.created, found.version, found.status) == (START, 1, "pending")


@pytest.mark.parametrize("kind", ["exec", "fib"])
async def test_a_stage_has_what_its_pipeline_says(drone: EmbeddedDrone, kind: str) -> None:
    text = manifest(
        "a; node: {gpu: '1', big: true}; concurrency: {limit: 2}; trigger: {status: [success, failure]}; "
        "platform: {os: windows, arch: arm64, variant: v8, version: '1809'}"
    ).replace("type: exec", f"type: {kind}")
    found = stages(drone, text)[0]
    assert (found.type, found.labels, found.limit) == (kind, {"gpu": "1", "big": "true"}, 2)
    assert (found.os, found.arch, found.variant, found.kernel) == ("windows", "arm64", "v8", "1809")
    assert (found.on_success, found.on_failure) == (True, True)


async def test_the_throttle_is_the_repository_s(drone: EmbeddedDrone) -> None:
    build = drone.create(Order(text=manifest("a"), settings={"throttle": 4}))
    assert drone.stages_of(build.id)[0].throttle == 4


async def test_other_kinds_are_no_stages(drone: EmbeddedDrone) -> None:
    text = "kind: secret\nname: key\ndata: abc\n---\n" + manifest("a")
    assert names(drone, text) == ["a"]


async def test_a_dependency_that_did_not_match_is_replaced_by_its_own(drone: EmbeddedDrone) -> None:
    text = manifest(
        *("a", "b; depends_on: [a]; trigger: {event: tag}", "c; depends_on: [b]; trigger: {event: tag}"),
        *("d; depends_on: [c, a]", "e; depends_on: [f]", "f; trigger: {event: tag}"),
    )
    found = stages(drone, text)
    assert [(stage.name, stage.depends_on, stage.status) for stage in found] == [
        ("a", [], "pending"),
        ("d", ["a"], "waiting_on_dependencies"),
        ("e", [], "pending"),
    ]


async def test_pipelines_that_wait_for_each_other_make_a_build_in_error(drone: EmbeddedDrone) -> None:
    build = drone.create(Order(text=manifest("a; depends_on: [b]", "b; depends_on: [a]", "c")))
    assert (build.status, bool(build.finished)) == ("error", True)
    assert "cyclical dependencies" in build.error
    assert not drone.stages_of(build.id)


@pytest.mark.parametrize("words", ["[ci skip]", "[SKIP CI]", "***no_ci***"])
@pytest.mark.parametrize("field", ["message", "title"])
async def test_the_author_can_ask_for_no_build(drone: EmbeddedDrone, words: str, field: str) -> None:
    with pytest.raises(SkippedError, match="ci skip"):
        names(drone, manifest("a"), **{field: f"docs {words}"})


@pytest.mark.parametrize("event", ["tag", "cron", "custom", "promote", "rollback"])
async def test_some_events_cannot_be_skipped(drone: EmbeddedDrone, event: str) -> None:
    assert names(drone, manifest("a"), event=event, message="[ci skip]") == ["a"]


async def test_no_match_is_no_build_and_says_which_condition_failed(drone: EmbeddedDrone) -> None:
    with pytest.raises(SkippedError, match=r"pipeline `a`: branch is main, its trigger wants dev and none of main"):
        names(drone, manifest("a; trigger: {branch: {include: [dev], exclude: [main]}}"))
    assert not drone.parts.store.builds.select()


async def test_message_and_title_are_cut(drone: EmbeddedDrone) -> None:
    build = drone.create(Order(text=manifest("a"), hook=Hook(message="m" * 3000, title="t" * 3000)))
    assert (len(build.message), len(build.title)) == (2000, 2000)


async def test_builds_are_numbered_in_each_repository(drone: EmbeddedDrone) -> None:
    found = [drone.create(Order(text=manifest("a"), slug=slug)) for slug in ("a/b", "a/c", "a/b")]
    assert [(build.id, build.number) for build in found] == [(1, 1), (2, 1), (3, 2)]
