"""Mistakes that parse: what cannot run is refused, what is silently wrong is warned of."""

import pytest

from delegate_drone.manifest import Problem, Severity, load_manifest

EXEC = "kind: pipeline\ntype: exec\nname: p\nsteps:\n- name: a\n  commands: [ x ]\n"
DOCKER = "kind: pipeline\nname: p\nsteps:\n- name: a\n  image: i\n"


def problems(text: str, code: str) -> list[Problem]:
    return [problem for problem in load_manifest(text, trusted=False).problems if problem.code == code]


TABLE = [
    (EXEC + "- name: a\n", "duplicate-step", 7, Severity.ERROR),
    (EXEC + "- name: clone\n", "duplicate-step", 7, Severity.ERROR),
    (EXEC + "- commands: [ y ]\n", "missing-name", 7, Severity.ERROR),
    (EXEC + f"- name: {'n' * 101}\n", "long-name", 7, Severity.ERROR),
    (EXEC + "  depends_on: [ b ]\n", "unknown-step", 7, Severity.ERROR),
    (EXEC + "  depends_on: [ a ]\n", "step-cycle", 7, Severity.ERROR),
    (
        EXEC + "  depends_on: [ b ]\n- name: b\n  depends_on: [ c ]\n- name: c\n  depends_on: [ a ]\n",
        "step-cycle",
        7,
        Severity.ERROR,
    ),
    (EXEC + "  image: i\n", "image", 7, Severity.ERROR),
    (DOCKER + "- name: b\n", "image", 6, Severity.ERROR),
    (EXEC + "  settings: {a: b}\n", "ignored-key", 7, Severity.WARNING),
    (EXEC + "services: []\n", "ignored-key", 7, Severity.WARNING),
    (DOCKER + "  settings:\n    when: {event: push}\n", "misplaced", 7, Severity.WARNING),
    (DOCKER + "  settings: {a: [ {from_secret: s} ]}\n", "nested-secret", 6, Severity.WARNING),
    (EXEC + "trigger: {ref: [ refs/head/main ]}\n", "never-matches", 7, Severity.WARNING),
    (EXEC + "  when: {status: [ changed ]}\n", "never-matches", 7, Severity.WARNING),
    (EXEC + "  when: {event: {include: [ tag ], exclude: [ tag ]}}\n", "never-matches", 7, Severity.WARNING),
    (EXEC + "  failure: alway\n", "unknown-value", 7, Severity.WARNING),
    (EXEC + '  environment: { "${X}": y }\n', "variable-in-key", 7, Severity.WARNING),
    (DOCKER + "  privileged: true\n", "untrusted", 6, Severity.ERROR),
    *(
        (DOCKER + f"  {asks}\n", "untrusted", 6, Severity.ERROR)
        for asks in (
            "devices: [ {name: /dev/a, path: /dev/b} ]",
            "dns: [ 1.1.1.1 ]",
            "dns_search: [ example.org ]",
            "extra_hosts: [ 'a:1.2.3.4' ]",
            "network_mode: host",
            "shm_size: 1m",
        )
    ),
    (DOCKER + "services:\n- name: s\n  image: i\n  privileged: true\n", "untrusted", 9, Severity.ERROR),
    (DOCKER + "volumes: [ {name: v, host: {path: /x}} ]\n", "untrusted", 6, Severity.ERROR),
    (DOCKER + "volumes: [ {name: v, temp: {medium: memory}} ]\n", "untrusted", 6, Severity.ERROR),
    (DOCKER + "volumes:\n- {name: v, temp: {}}\n- {name: v, temp: {}}\n", "volume", 8, Severity.WARNING),
    (DOCKER + "volumes: [ {name: v, host: {}} ]\n", "volume", 6, Severity.ERROR),
    (DOCKER + "volumes: [ {name: v} ]\n", "volume", 6, Severity.WARNING),
    (DOCKER + "  volumes: [ {name: workspace, path: /x} ]\n", "volume", 6, Severity.ERROR),
    (DOCKER + "  volumes: [ {name: v, path: /x/../var/run/drone} ]\n", "volume", 6, Severity.ERROR),
    (DOCKER + "  volumes: [ {name: v, path: x} ]\n", "volume", 6, Severity.ERROR),
    (DOCKER + "  volumes: [ {name: v} ]\n", "volume", 6, Severity.ERROR),
    (DOCKER + "workspace: {path: /etc}\n", "workspace", 6, Severity.WARNING),
    (DOCKER + "workspace: {base: /go, path: ../usr/bin}\n", "workspace", 6, Severity.WARNING),
    (DOCKER + "volumes: [ {name: _workspace, temp: {}} ]\n", "volume", 6, Severity.ERROR),
    (DOCKER + "  volumes: [ {name: v, path: /run/drone/x} ]\n", "volume", 6, Severity.ERROR),
    (EXEC + "depends_on: [ q ]\n", "unknown-pipeline", 7, Severity.ERROR),
    (EXEC + "---\n" + EXEC, "duplicate-pipeline", 8, Severity.ERROR),
    (EXEC + "---\n" + DOCKER, "duplicate-pipeline", 8, Severity.WARNING),
    ("kind: pipeline\ntype: exec\n", "no-steps", 1, Severity.WARNING),
    ("pipeline:\n  build:\n    image: go\n", "legacy", 1, Severity.ERROR),
    ("build:\n  image: go\n", "legacy", 1, Severity.ERROR),
    ("name: x\nsteps: []\n", "no-kind", 1, Severity.ERROR),
    ("define: &x 1\n", "no-kind", 1, Severity.WARNING),
    ("kind: Pipeline\nsteps: []\n", "unknown-kind", 1, Severity.WARNING),
    ("kind: pipeline\ntype: dcoker\n", "unknown-type", 2, Severity.WARNING),
    ("- a\n", "no-map", 1, Severity.ERROR),
    ("kind: secret\nname: s\n", "empty-secret", 1, Severity.WARNING),
]


@pytest.mark.parametrize(("text", "code", "line", "severity"), TABLE)
def test_every_rule_finds_its_mistake(text: str, code: str, line: int, severity: Severity) -> None:
    found = problems(text, code)

    assert found, load_manifest(text).problems
    assert (found[0].line, found[0].severity) == (line, severity)
    assert found[0].cure


def test_a_shell_variable_eaten_by_substitution_is_warned_of_at_its_place() -> None:
    text = EXEC.replace("[ x ]", "|\n").replace("|\n", "") + "  - |\n    ci_fail=1\n    exit ${ci_fail:-0}\n"
    [problem] = problems(text, "eaten-variable")

    assert (problem.line, problem.column) == (9, 10)
    assert "always" in problem.message or "not seen" in problem.message
    assert "$${ci_fail}" in problem.cure


@pytest.mark.parametrize("text", ["${DRONE_TAG##v}", "$X", "$${X}", "${CI_COMMIT_SHA:0:8}", "${CI}"])
def test_variables_of_the_build_and_of_the_shell_are_fine(text: str) -> None:
    assert not problems(EXEC.replace("[ x ]", f"[ 'echo {text}' ]"), "eaten-variable")


def test_a_parameter_of_the_build_is_no_eaten_variable() -> None:
    text = EXEC.replace("[ x ]", "[ 'echo ${TARGET} ${OTHER}' ]")
    found = load_manifest(text, variables={"TARGET": "t"}).problems

    assert ["OTHER" in problem.message for problem in found] == [True]


def test_cycles_between_pipelines_are_refused_on_each_of_them() -> None:
    text = EXEC + "depends_on: [ q ]\n---\n" + EXEC.replace("name: p", "name: q") + "depends_on: [ p ]\n"

    assert [problem.message for problem in problems(text, "pipeline-cycle")] == [
        "pipelines wait for each other: p -> q -> p",
        "pipelines wait for each other: q -> p -> q",
    ]


def test_forward_references_and_clone_are_fine() -> None:
    text = EXEC + "  depends_on: [ b, clone ]\n- name: b\n  commands: [ y ]\n"

    assert not load_manifest(text).problems


def test_a_broken_pipeline_still_counts_as_a_name() -> None:
    text = EXEC + "depends_on: [ q ]\n---\nkind: pipeline\ntype: exec\nname: q\nsteps: x\n"

    assert [pipeline.name for pipeline in load_manifest(text).pipelines] == ["p"]


def test_a_trusted_repository_may_ask_for_everything() -> None:
    step = "  privileged: true\n  network_mode: host\n  shm_size: 1m\n  volumes: [ {name: v, path: /v} ]\n"
    volumes = "volumes:\n- {name: v, host: {path: /srv}}\n- {name: m, temp: {medium: memory}}\n"

    assert not load_manifest(DOCKER + step + volumes, trusted=True).problems


@pytest.mark.parametrize("path", ["/run/drone-cache", "/run", "/srv/run/drone"])
def test_only_the_runners_own_folder_is_reserved(path: str) -> None:
    text = DOCKER + f"  volumes: [ {{name: v, path: {path}}} ]\nvolumes: [ {{name: v, temp: {{}}}} ]\n"

    assert not problems(text, "volume")


def test_a_windows_pipeline_mounts_where_windows_has_folders() -> None:
    text = DOCKER + "  volumes: [ {name: v, path: 'C:\\v'} ]\nvolumes: [ {name: v, temp: {}} ]\n"
    text += "platform: {os: windows}\n"

    assert not problems(text, "volume")
