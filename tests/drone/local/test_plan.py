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
    ended = delegate("plan", "--branch", "topic")
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
        "pipeline images (docker): does not run: it is of type docker, and no container engine is installed; "
        "only type exec runs here\n"
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
    plans = json.loads(delegate("plan", "--json", "--env", "--branch", "main").out)
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
