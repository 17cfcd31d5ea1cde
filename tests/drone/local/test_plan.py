"""`delegate plan`: what would run, and why the rest would not."""

from __future__ import annotations

import json

from tests.drone.local.command import Command

FILE = """
kind: pipeline
type: exec
name: test
steps:
- name: build
  commands: [ make, "make check" ]
  environment: {LEVEL: "2"}
- name: publish
  commands: [ make publish ]
  when: {event: [ tag ]}
- name: tell
  commands: [ "./tell" ]
  when: {status: [ failure, success ]}
---
kind: pipeline
type: exec
name: deploy
depends_on: [ test ]
trigger: {branch: [ main, "release/*" ], event: {exclude: [ pull_request ]}}
steps:
- name: ship
  commands: [ ./ship ]
---
kind: pipeline
name: images
steps:
- name: image
  image: alpine
  commands: [ "true" ]
"""


def test_it_says_what_runs_and_why_the_rest_does_not(delegate: Command) -> None:
    delegate.write(FILE)
    ended = delegate("plan", "--branch", "topic", DELEGATE_DISABLE_PLUGIN="docker")
    assert ended.code == 0
    assert ended.out == (
        "pipeline test (exec): runs\n"
        "  step build: if all is well\n"
        "    $ make\n"
        "    $ make check\n"
        "  step publish: never: event must be tag, and this is push\n"
        "  step tell: in any case\n"
        "    after build\n"
        "    $ ./tell\n"
        "\n"
        "pipeline deploy (exec): does not run: its trigger does not match: "
        "branch must be main or release/*, and this is topic\n"
        "  step ship: if all is well\n"
        "    $ ./ship\n"
        "\n"
        "pipeline images (docker): does not run: it is of type docker, and no container engine is installed: "
        "pip install delegate-docker\n"
        "  in /drone/src\n"
        "  step image (docker.io/library/alpine:latest): if all is well\n"
        "    $ true\n"
    )


def test_another_event_changes_it(delegate: Command) -> None:
    delegate.write(FILE)
    out = delegate("plan", "--event", "tag", "--branch", "main").out
    assert "  step publish: if all is well\n    after build\n" in out
    assert "pipeline deploy (exec): runs\n  after test, if all is well\n" in out


def test_selected_steps_say_why_the_others_never_run(delegate: Command) -> None:
    delegate.write(FILE)
    assert "step tell: never: it is named by --exclude" in delegate("plan", "--exclude", "tell").out
    assert "step tell: never: it is not named by --include" in delegate("plan", "--include", "build").out


def test_variables_are_shown_when_asked_for(delegate: Command) -> None:
    delegate.write(FILE)
    assert "LEVEL" not in delegate("plan").out
    assert "    LEVEL=2\n" in delegate("plan", "--env").out


def test_variables_that_all_steps_have_are_shown_once(delegate: Command) -> None:
    delegate.write(FILE)
    out = delegate("plan", "--env", "--pipeline", "test", "--event", "tag").out
    assert out.count("    DRONE_BUILD_EVENT=tag\n") == 1
    assert out.index("  every step has\n") < out.index("DRONE_BUILD_EVENT=tag") < out.index("  step build")
    assert out.index("  step build") < out.index("    LEVEL=2\n") < out.index("  step publish")
    assert [line for line in out.splitlines() if "DRONE_STEP_NAME" in line] == [
        f"    DRONE_STEP_NAME={name}" for name in ("build", "publish", "tell")
    ]


def test_json_has_the_same(delegate: Command) -> None:
    delegate.write(FILE)
    ended = delegate("plan", "--json", "--env", "--branch", "main", DELEGATE_DISABLE_PLUGIN="docker")
    plans = json.loads(ended.out)
    assert [(one["name"], one["runs"], one["depends_on"]) for one in plans] == [
        ("test", True, []),
        ("deploy", True, ["test"]),
        ("images", False, []),
    ]
    build = plans[0]["steps"][0]
    assert (build["name"], build["run"], build["commands"]) == ("build", "on-success", ["make", "make check"])
    assert build["environment"]["LEVEL"] == "2"


def test_the_clone_is_shown_where_there_is_one(delegate: Command) -> None:
    delegate.write(FILE)
    delegate.commit()
    assert "step clone: in any case" in delegate("plan", "--clone").out


def test_nothing_is_run(delegate: Command) -> None:
    delegate.write("kind: pipeline\ntype: exec\nname: p\nsteps:\n- name: a\n  commands: [ touch ran ]\n")
    assert delegate("plan").code == 0
    assert not (delegate.folder / "ran").exists()
    assert delegate.left_behind() == []


def test_the_environment_is_the_one_that_a_run_gives(delegate: Command) -> None:
    delegate.write(
        "kind: pipeline\ntype: exec\nname: default\nsteps:\n"
        "- name: absent\n  commands: [ 'true' ]\n  when: {event: [ tag ]}\n"
        "- name: build\n  commands: [ env ]\n  environment: {DRONE_BRANCH: mine, OWN: mine}\n"
    )
    (plan,) = json.loads(delegate("plan", "--json", "--env", "--branch", "topic").out)
    planned = plan["steps"][1]["environment"]
    ran = delegate("exec", "--branch", "topic").out.splitlines()
    real = dict(
        line.removeprefix("[build] ").split("=", 1) for line in ran if line.startswith("[build] ") and "=" in line
    )
    assert {name: real[name] for name in ("DRONE_BRANCH", "OWN", "DRONE_STEP_NAME", "DRONE_STEP_NUMBER")} == {
        "DRONE_BRANCH": "topic",
        "OWN": "mine",
        "DRONE_STEP_NAME": "build",
        "DRONE_STEP_NUMBER": "1",
    }
    moving = {
        "HOME",
        "HOMEPATH",
        "USERPROFILE",
        *(name for name in real if name.endswith(("_CREATED", "_STARTED", "_FINISHED"))),
    }
    own_to_a_process = {"PWD", "OLDPWD", "SHLVL", "_", "DELEGATE_PROCESS_MARK"}
    assert {name: value for name, value in real.items() if name not in moving | own_to_a_process} == {
        name: value for name, value in planned.items() if name not in moving
    }


def test_secrets_are_hidden_wherever_they_stand(delegate: Command) -> None:
    delegate.write("TOKEN=an-invented-token\n", "secrets")
    delegate.write(
        "kind: pipeline\ntype: exec\nname: default\nsteps:\n- name: build\n"
        "  commands: [ 'login an-invented-token', 'login ${DRONE_TOKEN}' ]\n  environment: {URL: https://an-invented-token@host}\n"
    )
    for options in ((), ("--json",)):
        ended = delegate("plan", "--env", "--secret-file", "secrets", *options, DRONE_TOKEN="an-invented-token")
        assert "an-invented-token" not in ended.both
        assert "login ******" in ended.out
        assert "https://******@host" in ended.out


CONTAINERS = """
kind: pipeline
type: docker
name: default
workspace: {base: /go, path: src/hello}
services:
- {name: db, image: redis, pull: never}
steps:
- name: build
  image: golang:1.22
  volumes: [ {name: cache, path: /cache}, {name: fast, path: /fast}, {name: host, path: /srv} ]
- name: publish
  image: octo/builder:2
  settings: {repo: x}
volumes:
- {name: cache, temp: {}}
- {name: fast, temp: {medium: memory}}
- {name: host, host: {path: /srv/www}}
"""


def test_it_shows_the_images_and_what_their_containers_see(delegate: Command) -> None:
    delegate.write(CONTAINERS)
    given = ("--trusted", "--volume", "cache:/root/.cache:ro", "--privileged", "octo/builder")
    ended = delegate("plan", *given, DELEGATE_DISABLE_PLUGIN="docker")
    shared = f"    mounts {delegate.folder}/cache at /root/.cache, read-only\n"
    assert ended.code == 0
    assert ended.out.partition("\n")[2] == (
        "  in /go/src/hello\n"
        "  step db (docker.io/library/redis:latest): if all is well, detached\n"
        "    pull: never\n"
        f"{shared}"
        "  step build (docker.io/library/golang:1.22): if all is well\n"
        "    after db\n"
        "    mounts volume cache at /cache\n"
        "    mounts volume fast in memory at /fast\n"
        "    mounts /srv/www at /srv\n"
        f"{shared}"
        "  step publish (docker.io/octo/builder:2): if all is well\n"
        "    after build\n"
        "    privileged: it has the whole host\n"
        f"{shared}"
    )


def test_its_json_has_the_containers_too(delegate: Command) -> None:
    delegate.write(CONTAINERS)
    (pipeline,) = json.loads(delegate("plan", "--trusted", "--json", DELEGATE_DISABLE_PLUGIN="docker").out)
    assert pipeline["workspace"] == "/go/src/hello"
    assert [(step["name"], step["pull"], step["privileged"]) for step in pipeline["steps"]] == [
        ("db", "never", False),
        ("build", "default", False),
        ("publish", "default", False),
    ]
    assert pipeline["steps"][1]["volumes"][0] == "volume cache at /cache"


def test_what_only_a_trusted_repository_may_ask_for_is_refused_with_its_line(delegate: Command) -> None:
    delegate.write(CONTAINERS)
    ended = delegate("plan", DELEGATE_DISABLE_PLUGIN="docker")
    assert ended.code == 2
    assert ".drone.yml:17:3: error: volume `fast` needs a trusted repository: it is in the host's memory" in ended.err
    assert ".drone.yml:18:3: error: volume `host` needs a trusted repository: it is a folder of the host" in ended.err
    assert "--trusted" in ended.err
