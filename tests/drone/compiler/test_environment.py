"""Every variable of Drone by name, and which one wins."""

from __future__ import annotations

from typing import Any

import pytest

from delegate_core.pipeline.states import StepState
from delegate_drone.compiler import ContainerOptions, Facts, Options, runtime_environment, substitution_variables
from delegate_drone.wire import Build, Netrc, Repository, Stage, System
from tests.drone.compiler.pipelines import BARE, DOCKER, EXEC, compiled, one_step, step

BUILD = Build(
    number=42,
    parent=41,
    trigger="octocat",
    status="running",
    event="pull_request",
    action="opened",
    link="https://git.example.org/octo/hello/pull/7",
    title="Say hello",
    message="hello\nworld",
    before="bbbb",
    after="aaaa",
    ref="refs/pull/7/head",
    source="feature",
    target="main",
    author_login="octocat",
    author_name="Octo Cat",
    author_email="octocat@example.org",
    author_avatar="https://git.example.org/octocat.png",
    deploy_to="production",
    deploy_id=5,
    debug=True,
    created=100,
    started=101,
    finished=102,
)
REPOSITORY = Repository(
    namespace="octo",
    name="hello",
    slug="octo/hello",
    scm="git",
    git_http_url="https://git.example.org/octo/hello.git",
    git_ssh_url="git@git.example.org:octo/hello.git",
    link="https://git.example.org/octo/hello",
    default_branch="trunk",
    private=True,
    visibility="private",
)
STAGE = Stage(
    number=2,
    name="p",
    kind="pipeline",
    type="docker",
    status="running",
    machine="box",
    os="linux",
    arch="arm64",
    variant="v8",
    version=3,
    started=103,
    stopped=104,
    depends_on=("x", "y"),
)
SYSTEM = System(proto="https", host="drone.example.org", version="2.0.4")
FACTS = Facts(build=BUILD, repository=REPOSITORY, stage=STAGE, system=SYSTEM)

SYSTEM_VARIABLES = {
    "CI": "true",
    "DRONE": "true",
    "DRONE_SYSTEM_PROTO": "https",
    "DRONE_SYSTEM_HOST": "drone.example.org",
    "DRONE_SYSTEM_HOSTNAME": "drone.example.org",
    "DRONE_SYSTEM_VERSION": "2.0.4",
}
REPOSITORY_VARIABLES = {
    "DRONE_REPO": "octo/hello",
    "CI_REPO": "octo/hello",
    "CI_REPO_NAME": "octo/hello",
    "DRONE_REPO_SCM": "git",
    "DRONE_REPO_OWNER": "octo",
    "DRONE_REPO_NAMESPACE": "octo",
    "DRONE_REPO_NAME": "hello",
    "DRONE_REPO_LINK": "https://git.example.org/octo/hello",
    "CI_REPO_LINK": "https://git.example.org/octo/hello",
    "DRONE_REPO_BRANCH": "trunk",
    "DRONE_REPO_VISIBILITY": "private",
    "DRONE_REPO_PRIVATE": "true",
    "CI_REPO_PRIVATE": "true",
    "DRONE_REMOTE_URL": "https://git.example.org/octo/hello.git",
    "DRONE_GIT_HTTP_URL": "https://git.example.org/octo/hello.git",
    "CI_REPO_REMOTE": "https://git.example.org/octo/hello.git",
    "CI_REMOTE_URL": "https://git.example.org/octo/hello.git",
    "DRONE_GIT_SSH_URL": "git@git.example.org:octo/hello.git",
    "DRONE_BUILD_LINK": "https://drone.example.org/octo/hello/42",
}
BUILD_VARIABLES = {
    "DRONE_BRANCH": "main",
    "DRONE_TARGET_BRANCH": "main",
    "DRONE_COMMIT_BRANCH": "main",
    "CI_COMMIT_BRANCH": "main",
    "DRONE_SOURCE_BRANCH": "feature",
    "DRONE_COMMIT": "aaaa",
    "DRONE_COMMIT_SHA": "aaaa",
    "DRONE_COMMIT_AFTER": "aaaa",
    "CI_COMMIT_SHA": "aaaa",
    "DRONE_COMMIT_BEFORE": "bbbb",
    "DRONE_COMMIT_REF": "refs/pull/7/head",
    "CI_COMMIT_REF": "refs/pull/7/head",
    "DRONE_COMMIT_LINK": "https://git.example.org/octo/hello/pull/7",
    "CI_BUILD_LINK": "https://git.example.org/octo/hello/pull/7",
    "DRONE_COMMIT_MESSAGE": "hello\nworld",
    "CI_COMMIT_MESSAGE": "hello\nworld",
    "DRONE_COMMIT_AUTHOR": "octocat",
    "DRONE_COMMIT_AUTHOR_EMAIL": "octocat@example.org",
    "DRONE_COMMIT_AUTHOR_AVATAR": "https://git.example.org/octocat.png",
    "DRONE_COMMIT_AUTHOR_NAME": "Octo Cat",
    "CI_COMMIT_AUTHOR": "octocat",
    "CI_COMMIT_AUTHOR_EMAIL": "octocat@example.org",
    "CI_COMMIT_AUTHOR_AVATAR": "https://git.example.org/octocat.png",
    "CI_COMMIT_AUTHOR_NAME": "Octo Cat",
    "DRONE_BUILD_NUMBER": "42",
    "CI_BUILD_NUMBER": "42",
    "DRONE_BUILD_PARENT": "41",
    "CI_PARENT_BUILD_NUMBER": "41",
    "DRONE_BUILD_EVENT": "pull_request",
    "CI_BUILD_EVENT": "pull_request",
    "DRONE_BUILD_ACTION": "opened",
    "DRONE_BUILD_TRIGGER": "octocat",
    "DRONE_BUILD_STATUS": "success",
    "CI_BUILD_STATUS": "running",
    "DRONE_BUILD_DEBUG": "true",
    "DRONE_BUILD_CREATED": "100",
    "CI_BUILD_CREATED": "100",
    "DRONE_BUILD_STARTED": "101",
    "CI_BUILD_STARTED": "101",
    "DRONE_BUILD_FINISHED": "102",
    "CI_BUILD_FINISHED": "102",
    "DRONE_DEPLOY_TO": "production",
    "CI_BUILD_TARGET": "production",
    "DRONE_DEPLOY_ID": "5",
    "DRONE_PULL_REQUEST": "7",
    "DRONE_PULL_REQUEST_TITLE": "Say hello",
}
STAGE_VARIABLES = {
    "DRONE_STAGE_KIND": "pipeline",
    "DRONE_STAGE_TYPE": "docker",
    "DRONE_STAGE_NAME": "p",
    "DRONE_STAGE_NUMBER": "2",
    "DRONE_STAGE_MACHINE": "box",
    "DRONE_STAGE_OS": "linux",
    "DRONE_STAGE_ARCH": "arm64",
    "DRONE_STAGE_VARIANT": "v8",
    "DRONE_STAGE_VERSION": "3",
    "DRONE_STAGE_STATUS": "success",
    "DRONE_STAGE_STARTED": "103",
    "DRONE_STAGE_FINISHED": "104",
    "DRONE_STAGE_DEPENDS_ON": "x,y",
    "DRONE_CARD_PATH": "/dev/stdout",
}
GIT_VARIABLES = {
    "GIT_AUTHOR_NAME": "Octo Cat",
    "GIT_AUTHOR_EMAIL": "octocat@example.org",
    "GIT_COMMITTER_NAME": "Octo Cat",
    "GIT_COMMITTER_EMAIL": "octocat@example.org",
    "GIT_TERMINAL_PROMPT": "0",
}
FROM_FACTS = {**SYSTEM_VARIABLES, **REPOSITORY_VARIABLES, **BUILD_VARIABLES, **STAGE_VARIABLES}


def environment(type_: str, fields: str = "environment: {}", **arguments: Any) -> dict[str, str]:
    return one_step(fields, type_=type_, **{"facts": FACTS, **arguments}).variables()


def test_a_step_on_the_host_sees_exactly_these() -> None:
    seen = environment(EXEC, host_environment={"PATH": "/bin", "USER": "ci"}, home="/h", workspace="/w")
    folders = {"HOME": "/h", "HOMEPATH": "/h", "USERPROFILE": "/h", "DRONE_HOME": "/w", "DRONE_WORKSPACE": "/w"}
    assert seen == {**FROM_FACTS, **GIT_VARIABLES, **folders, "PATH": "/bin", "USER": "ci"}


def test_a_step_in_a_container_sees_exactly_these() -> None:
    folders = {"DRONE_WORKSPACE": "/drone/src", "DRONE_WORKSPACE_BASE": "/drone/src"}
    assert environment(DOCKER, host_environment={"PATH": "/bin"}) == {**FROM_FACTS, **GIT_VARIABLES, **folders}


def test_an_existing_folder_is_the_workspace_on_the_host() -> None:
    seen = environment(EXEC, source="/project", workspace="/w")
    assert (seen["DRONE_WORKSPACE"], seen["DRONE_HOME"]) == ("/project", "/project")


@pytest.mark.parametrize(
    ("type_", "lower", "higher"),
    [
        (EXEC, "host", "runner"),
        (EXEC, "runner", "params"),
        (EXEC, "params", "step"),
        (DOCKER, "runner", "params"),
        (DOCKER, "params", "pipeline"),
        (DOCKER, "pipeline", "step"),
        (EXEC, "step", "secret"),
        (DOCKER, "step", "masked"),
        (DOCKER, "secret", "masked"),
        (EXEC, "secret", "masked"),
    ],
)
def test_the_later_layer_wins(type_: str, lower: str, higher: str) -> None:
    assert _layered(type_, "V", {lower, higher}) == higher
    assert _layered(type_, "V", {lower}) == lower


@pytest.mark.parametrize("layer", ["runner", "params", "pipeline"])
@pytest.mark.parametrize(
    "name", ["CI", "DRONE_REPO", "DRONE_COMMIT", "DRONE_STAGE_NAME", "DRONE_BUILD_LINK", "GIT_AUTHOR_NAME"]
)
def test_what_drone_sets_wins_over_layers_below_the_step(layer: str, name: str) -> None:
    for type_ in (EXEC, DOCKER):
        expected = {**FROM_FACTS, **GIT_VARIABLES}[name]
        assert _layered(type_, name, {layer}) == expected
        assert _layered(type_, name, {layer, "step"}) == "step"


@pytest.mark.parametrize("layer", ["runner", "params"])
def test_proxies_win_over_variables_of_runner_and_build(layer: str) -> None:
    assert _layered(EXEC, "http_proxy", {layer, "proxy"}) == "proxy"
    assert _layered(DOCKER, "http_proxy", {layer, "proxy"}) == "proxy"


def _layered(type_: str, name: str, layers: set[str]) -> str:
    """The variable's value where each of these layers gives it its own name."""

    def given(layer: str, key: str = name) -> dict[str, str]:
        return {key: layer} if layer in layers else {}

    of_pipeline = f"environment: {{ {name}: pipeline }}\n" if "pipeline" in layers else ""
    own = f"{name}: step" if "step" in layers else ""
    if "secret" in layers:  # one step has a variable once, so the runtime's value stands for the plain one
        own = f"{name}: {{ from_secret: s }}"
    image = "" if type_ == EXEC else "  image: i\n"
    stage = compiled(
        f"{type_}{BARE}{of_pipeline}steps:\n- name: a\n{image}  environment: {{ {own} }}\n",
        facts=Facts(
            build=BUILD.model_copy(update={"params": given("params")}),
            repository=REPOSITORY,
            stage=STAGE,
            system=SYSTEM,
        ),
        secrets={"s": "secret"},
        environment=given("runner"),
        host_environment=given("host"),
        masked_environment=given("masked"),
        proxies={"HTTP_PROXY": "proxy"} if "proxy" in layers else {},
    )
    found = step(stage)
    return (found.overlaid(given("step")) if "secret" in layers else found).variables()[name]


def test_proxies_get_both_spellings_from_the_upper_one_first() -> None:
    proxies = {"HTTP_PROXY": "u", "http_proxy": "l", "https_proxy": "s", "NO_PROXY": "", "ALL_PROXY": "a", "OTHER": "x"}
    seen = {name: value for name, value in environment(EXEC, proxies=proxies).items() if "PROXY" in name.upper()}
    assert seen == {
        "http_proxy": "u",
        "HTTP_PROXY": "u",
        "https_proxy": "s",
        "HTTPS_PROXY": "s",
        "all_proxy": "a",
        "ALL_PROXY": "a",
    }


@pytest.mark.parametrize(("type_", "expected"), [(EXEC, ""), (DOCKER, None)])
def test_an_empty_variable_reaches_a_process_but_no_container(type_: str, expected: str | None) -> None:
    assert environment(type_, 'environment: { V: "" }').get("V") == expected


def test_a_path_on_the_host_extends_the_one_it_would_have() -> None:
    seen = environment(
        EXEC,
        'environment: { PATH: "/opt:$PATH:$NONE", OTHER: "$PATH" }',
        host_environment={"PATH": "/bin"},
        environment={"PATH": "/runner"},
    )
    assert (seen["PATH"], seen["OTHER"]) == ("/opt:/runner:", "$PATH")
    assert environment(DOCKER, 'environment: { PATH: "/opt:$PATH" }')["PATH"] == "/opt:$PATH"


@pytest.mark.parametrize("name", ["", " ", "<>", "..."])
def test_git_gets_a_name_that_it_takes(name: str) -> None:
    build = BUILD.model_copy(update={"author_name": name, "author_email": ""})
    seen = environment(EXEC, facts=Facts(build=build))
    assert (seen["GIT_AUTHOR_NAME"], seen["GIT_COMMITTER_EMAIL"]) == ("drone", "noreply@drone")


def test_trace_and_unverified_certificates_are_told_to_git() -> None:
    text = f"{EXEC}clone: {{ trace: true, skip_verify: true }}\nsteps: [ {{ name: a }} ]\n"
    seen = step(compiled(text)).variables()
    assert (seen["GIT_TRACE"], seen["GIT_SSL_NO_VERIFY"]) == ("true", "true")
    assert not {"GIT_TRACE", "GIT_SSL_NO_VERIFY"} & environment(EXEC).keys()


def test_no_variable_holds_a_nul() -> None:
    assert environment(EXEC, facts=Facts(build=Build(message="a\0b")))["DRONE_COMMIT_MESSAGE"] == "ab"


def test_a_pull_requests_variables_are_for_pull_requests_alone() -> None:
    seen = environment(EXEC, facts=Facts(build=BUILD.model_copy(update={"event": "push"})))
    assert not {"DRONE_PULL_REQUEST", "DRONE_PULL_REQUEST_TITLE", "DRONE_TAG"} & seen.keys()


SEMVER = "DRONE_SEMVER"
CALVER = "DRONE_CALVER"
VERSIONS = [
    ("v1.2.3", {"": "1.2.3", "_MAJOR": "1", "_MINOR": "2", "_PATCH": "3", "_SHORT": "1.2.3"}, {}),
    (
        "1.0.0-rc.1+b7",
        {"": "1.0.0-rc.1+b7", "_MAJOR": "1", "_MINOR": "0", "_PATCH": "0", "_SHORT": "1.0.0"}
        | {"_PRERELEASE": "rc.1", "_BUILD": "b7"},
        {},
    ),
    ("vv1.2.3", {"_ERROR": "vv1.2.3 is not a semantic version"}, {}),
    ("01.2.3", {"_ERROR": "01.2.3 is not a semantic version"}, {}),
    (
        "2020.04.01-beta",
        {"_ERROR": "2020.04.01-beta is not a semantic version"},
        {"": "2020.04.01-beta", "_MAJOR": "2020", "_MINOR": "04", "_MAJOR_MINOR": "2020.04", "_MICRO": "01"}
        | {"_SHORT": "2020.04.01", "_MODIFIER": "beta"},
    ),
    (
        "v21.1.0",
        {"": "21.1.0", "_MAJOR": "21", "_MINOR": "1", "_PATCH": "0", "_SHORT": "21.1.0"},
        {"": "21.1.0", "_MAJOR": "21", "_MINOR": "1", "_MAJOR_MINOR": "21.1", "_MICRO": "0", "_SHORT": "21.1.0"},
    ),
    (
        "19.10",
        {"_ERROR": "19.10 is not a semantic version"},
        {"": "19.10", "_MAJOR": "19", "_MINOR": "10", "_MAJOR_MINOR": "19.10", "_MICRO": "", "_SHORT": "19.10"},
    ),
    ("18.1", {"_ERROR": "18.1 is not a semantic version"}, {}),
    ("2018.1", {"_ERROR": "2018.1 is not a semantic version"}, {}),
    ("9999.1", {"_ERROR": "9999.1 is not a semantic version"}, {}),
]


@pytest.mark.parametrize(("tag", "semantic", "calendar"), VERSIONS)
def test_a_tag_is_read_as_a_version(tag: str, semantic: dict[str, str], calendar: dict[str, str]) -> None:
    seen = environment(EXEC, facts=Facts(build=Build(ref=f"refs/tags/{tag}", event="tag")))
    assert seen["DRONE_TAG"] == tag
    assert {name: value for name, value in seen.items() if "VER" in name and name.startswith((SEMVER, CALVER))} == {
        **{SEMVER + name: value for name, value in semantic.items()},
        **{CALVER + name: value for name, value in calendar.items()},
    }


STEP = StepState(name="a", number=3)


def test_a_starting_step_learns_of_build_stage_and_itself() -> None:
    seen = runtime_environment(FACTS, STEP, (), now=999.9)
    assert seen == {**BUILD_VARIABLES, **STAGE_VARIABLES, "DRONE_STEP_NAME": "a", "DRONE_STEP_NUMBER": "3"}


def test_times_that_are_not_yet_are_now() -> None:
    seen = runtime_environment(Facts(), STEP, (), now=999.9)
    for name in ("DRONE_BUILD_STARTED", "DRONE_BUILD_FINISHED", "DRONE_STAGE_STARTED", "DRONE_STAGE_FINISHED"):
        assert seen[name] == "999"
    assert (seen["CI_BUILD_STARTED"], seen["CI_BUILD_FINISHED"]) == ("0", "0")


def test_failed_steps_make_build_and_stage_fail() -> None:
    seen = runtime_environment(FACTS, STEP, ("x", "y"), now=0)
    assert seen["DRONE_FAILED_STEPS"] == "x,y"
    assert {seen[name] for name in ("DRONE_BUILD_STATUS", "DRONE_STAGE_STATUS", "CI_BUILD_STATUS")} == {"failure"}
    assert not {"DRONE_FAILED_STEPS", "DRONE_FAILED_STAGES"} & runtime_environment(FACTS, STEP, (), now=0).keys()


@pytest.mark.parametrize("status", ["failure", "error", "killed"])
def test_failed_stages_make_the_build_fail(status: str) -> None:
    stages = (Stage(name="x", status=status), Stage(name="y", status="success"), Stage(name="z", status=status))
    seen = runtime_environment(Facts(build=Build(stages=stages)), STEP, (), now=0)
    assert (seen["DRONE_BUILD_STATUS"], seen["DRONE_FAILED_STAGES"]) == ("failure", "x,z")
    assert seen["DRONE_STAGE_STATUS"] == "success"


@pytest.mark.parametrize(("type_", "expected"), [("exec", ""), ("docker", None)])
def test_at_run_time_too_a_container_gets_nothing_empty(type_: str, expected: str | None) -> None:
    assert runtime_environment(Facts(stage=Stage(type=type_)), STEP, (), now=0).get("DRONE_DEPLOY_TO") == expected


NETRC = Netrc(machine="git.example.org", login="octocat", password="pa55word")
NETRC_VARIABLES = {
    "DRONE_NETRC_MACHINE": "git.example.org",
    "DRONE_NETRC_USERNAME": "octocat",
    "DRONE_NETRC_PASSWORD": "pa55word",
    "DRONE_NETRC_FILE": "machine git.example.org login octocat password pa55word",
}


def _netrc_of(text: str, name: str, **options: Any) -> dict[str, str]:
    stage = compiled(text, facts=Facts(netrc=NETRC), **options)
    assert "pa55word" not in repr(stage)
    assert "pa55word" in stage.masks()
    return {key: value for key, value in step(stage, name).variables().items() if "NETRC" in key}


def test_containers_get_the_account_for_git_as_variables() -> None:
    text = f"{DOCKER}steps: [ {{ name: a, image: i }} ]\n"
    only = ContainerOptions(netrc_clone_only=True)
    assert _netrc_of(text, "a") == _netrc_of(text, "clone") == NETRC_VARIABLES
    assert _netrc_of(text, "a", container=only) == {}
    assert _netrc_of(text, "clone", container=only) == NETRC_VARIABLES


def test_the_host_gets_the_account_for_git_as_a_file_only() -> None:
    text = f"{EXEC}steps: [ {{ name: a }} ]\n"
    assert _netrc_of(text, "a") == {}
    netrc = compiled(text, facts=Facts(netrc=NETRC)).netrc
    assert netrc is not None
    assert (netrc.machine, netrc.login, netrc.password) == ("git.example.org", "octocat", "pa55word")
    assert compiled(text, facts=Facts(netrc=Netrc())).netrc is None


def test_a_steps_own_variable_wins_over_the_account_for_git() -> None:
    seen = one_step("environment: { DRONE_NETRC_MACHINE: mine }", facts=Facts(netrc=NETRC)).variables()
    assert seen["DRONE_NETRC_MACHINE"] == "mine"


def test_in_a_manifest_parameters_win_over_drone_over_the_runner() -> None:
    build = BUILD.model_copy(update={"params": {"DRONE_BRANCH": "param", "P": "p"}})
    options = Options(
        environment={"CI": "x", "R": "r"},
        masked_environment={"M": "m"},
        host_environment={"H": "h"},
        proxies={"http_proxy": "x"},
    )
    seen = substitution_variables(Facts(build=build, repository=REPOSITORY, stage=STAGE, system=SYSTEM), options)
    assert seen == {**FROM_FACTS, "R": "r", "DRONE_BRANCH": "param", "P": "p"}
