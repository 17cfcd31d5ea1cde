"""Order, policies and what else holds for a stage of either type."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from delegate_core.pipeline.graph import GraphError
from delegate_core.pipeline.spec import FailurePolicy, Netrc, Platform, RunPolicy, Stage
from delegate_drone.compiler import Facts, clone_commands, compile_stage
from delegate_drone.manifest import Clone, Dependency, Pipeline
from delegate_drone.wire import Build, Details, Repository, System
from tests.drone.compiler.pipelines import BARE, DOCKER, EXEC, compiled, one_step, pipeline, step

TWO = "steps: [ { name: a }, { name: b } ]\n"
FACTS = Facts(
    build=Build(
        event="push", action="opened", cron="nightly", ref="refs/heads/main", target="main", deploy_to="production"
    ),
    repository=Repository(slug="octo/hello", git_http_url="https://git.example.org/octo/hello.git", timeout=60),
    system=System(host="drone.example.org"),
)


def needs(stage: Stage) -> dict[str, tuple[str, ...]]:
    return {each.name: each.depends_on for each in stage.steps}


@pytest.mark.parametrize(
    ("text", "options", "expected"),
    [
        (EXEC + TWO, {}, {"clone": (), "a": ("clone",), "b": ("a",)}),
        (EXEC + BARE + TWO, {}, {"a": (), "b": ("a",)}),
        (EXEC + TWO, {"clone": False}, {"a": (), "b": ("a",)}),
        (EXEC + TWO, {"source": "/project"}, {"a": (), "b": ("a",)}),
        (
            EXEC + "steps: [ { name: a }, { name: b, depends_on: [ a ] }, { name: c } ]\n",
            {},
            {"clone": (), "a": ("clone",), "b": ("a",), "c": ("clone",)},
        ),
        (
            EXEC + "steps: [ { name: a }, { name: b, depends_on: [ clone ] } ]\n",
            {"clone": False},
            {"a": (), "b": ()},
        ),
        (
            EXEC + "steps: [ { name: a }, { name: b, depends_on: [ clone, a ] } ]\n",
            {"clone": False},
            {"a": (), "b": ("a",)},
        ),
        (
            EXEC + BARE + "steps: [ { name: clone }, { name: b, depends_on: [ clone ] } ]\n",
            {},
            {"clone": (), "b": ("clone",)},
        ),
        (
            DOCKER + "services: [ { name: s, image: i } ]\nsteps: [ { name: a, image: i }, { name: b, image: i } ]\n",
            {},
            {"clone": (), "s": ("clone",), "a": ("s",), "b": ("a",)},
        ),
        (
            DOCKER
            + "services: [ { name: s, image: i } ]\n"
            + "steps: [ { name: a, image: i }, { name: b, image: i, depends_on: [ a ] } ]\n",
            {},
            {"clone": (), "s": ("clone",), "a": ("clone",), "b": ("a",)},
        ),
    ],
)
def test_steps_wait_for_each_other_as_drones_do(
    text: str, options: dict[str, Any], expected: dict[str, tuple[str, ...]]
) -> None:
    assert needs(compiled(text, **options)) == expected


def test_services_are_detached_and_get_names_of_their_own() -> None:
    text = "services: [ { image: i }, { name: service-1, image: i }, { image: i } ]\nsteps: [ { name: a, image: i } ]\n"
    stage = compiled(DOCKER + BARE + text)
    assert [(each.name, each.detach) for each in stage.steps] == [
        ("service-2", True),
        ("service-1", True),
        ("service-3", True),
        ("a", False),
    ]


def test_an_exec_pipeline_has_no_services() -> None:
    assert set(needs(compiled(EXEC + "services: [ { name: s } ]\n" + TWO))) == {"clone", "a", "b"}


def rebuilt(names: list[str], depends_on: str = "") -> Pipeline:
    """A pipeline that the lint would have refused."""
    found = pipeline(EXEC + TWO)
    needed = (Dependency(depends_on, found.mark),) if depends_on else ()
    return replace(found, steps=tuple(replace(found.steps[0], name=name, dependencies=needed) for name in names))


@pytest.mark.parametrize("depends_on", ["absent", "a"])
def test_a_graph_that_cannot_run_is_refused(depends_on: str) -> None:
    with pytest.raises(GraphError, match='"a" depends on'):
        compile_stage(rebuilt(["a"], depends_on), Facts())


def test_two_steps_of_one_name_are_refused() -> None:
    with pytest.raises(GraphError, match='two steps are named "a"'):
        compile_stage(rebuilt(["a", "a"]), Facts())


@pytest.mark.parametrize(
    ("written", "policy"),
    [
        ("ignore", FailurePolicy.IGNORE),
        ("Ignore", FailurePolicy.IGNORE),
        ("fast", FailurePolicy.FAST),
        ("fast-fail", FailurePolicy.FAST),
        ("Fail-Fast", FailurePolicy.FAST),
        ("always", FailurePolicy.FAIL),
        ("''", FailurePolicy.FAIL),
    ],
)
@pytest.mark.parametrize("type_", [EXEC, DOCKER])
def test_a_failure_means_what_the_step_says(type_: str, written: str, policy: FailurePolicy) -> None:
    assert one_step(f"failure: {written}", type_=type_).failure is policy


@pytest.mark.parametrize(
    ("when", "policy"),
    [
        ("{}", RunPolicy.ON_SUCCESS),
        ("{ status: [ failure ] }", RunPolicy.ON_FAILURE),
        ("{ status: [ success, failure ] }", RunPolicy.ALWAYS),
        ("{ event: [ tag ] }", RunPolicy.NEVER),
        ("{ event: [ tag ], status: [ failure ] }", RunPolicy.NEVER),
        ("{ branch: main, event: push, action: opened, cron: nightly }", RunPolicy.ON_SUCCESS),
        ("{ ref: refs/heads/*, repo: octo/*, instance: drone.example.org, target: production }", RunPolicy.ON_SUCCESS),
        ("{ instance: other }", RunPolicy.NEVER),
        ("{ target: staging }", RunPolicy.NEVER),
        ("{ repo: other/* }", RunPolicy.NEVER),
    ],
)
def test_a_step_runs_when_its_conditions_hold(when: str, policy: RunPolicy) -> None:
    assert one_step(f"when: {when}", type_=EXEC, facts=FACTS).run is policy


@pytest.mark.parametrize(
    ("options", "running"),
    [
        ({}, {"clone", "s", "a", "b"}),
        ({"include": ("a",)}, {"clone", "a"}),
        ({"include": ("a", "s")}, {"clone", "a", "s"}),
        ({"exclude": ("s", "clone")}, {"a", "b"}),
        ({"include": ("a", "b"), "exclude": ("b",)}, {"clone", "a"}),
    ],
)
def test_steps_and_services_can_be_chosen_and_the_clone_too(options: dict[str, Any], running: set[str]) -> None:
    text = "services: [ { name: s, image: i } ]\nsteps: [ { name: a, image: i }, { name: b, image: i } ]\n"
    stage = compiled(DOCKER + text, **options)
    assert {each.name for each in stage.steps if each.run is not RunPolicy.NEVER} == running


def test_the_clone_of_the_host_always_runs_gits_commands() -> None:
    clone = step(compiled(EXEC + "clone: { depth: 3 }\n" + TWO, facts=FACTS, masked_environment={"M": "m"}), "clone")
    assert clone.run is RunPolicy.ALWAYS
    assert clone.commands == clone_commands(FACTS.build, FACTS.repository, Clone(depth=3))
    assert clone.variables()["GIT_TERMINAL_PROMPT"] == "0"
    assert clone.variables()["M"] == "m"
    assert clone.container is None


def test_a_step_of_the_host_has_its_commands_and_nothing_of_a_container() -> None:
    found = one_step("commands: [ make, make test ]\ndetach: true\nuser: root\nprivileged: true", type_=EXEC)
    assert (found.commands, found.detach, found.container) == (("make", "make test"), True, None)


def test_a_stage_has_the_pipelines_frame() -> None:
    text = "platform: { os: linux, arch: arm64, variant: v8, version: '1' }\nconcurrency: { limit: 2 }\n" + TWO
    stage = compiled(EXEC + text, facts=FACTS, source="/project")
    assert stage.name == "p"
    assert stage.platform == Platform(os="linux", arch="arm64", variant="v8", version="1")
    assert (stage.concurrency, stage.timeout) == (2, 3600)
    assert stage.workspace.source == "/project"


def test_what_nobody_limits_is_unlimited() -> None:
    stage = compiled("kind: pipeline\ntype: exec\n" + TWO)
    assert (stage.name, stage.concurrency, stage.timeout, stage.netrc) == ("default", None, None, None)


def test_facts_are_what_the_server_answered() -> None:
    details = Details.model_validate(
        {
            "build": {"number": 3},
            "repository": {"slug": "o/h"},
            "netrc": {"machine": "m", "login": "l", "password": "p"},
        }
    )
    facts = Facts.of(details)
    assert (facts.build.number, facts.repository.slug) == (3, "o/h")
    assert compile_stage(pipeline(EXEC + TWO), facts).netrc == Netrc(machine="m", login="l", password="p")
