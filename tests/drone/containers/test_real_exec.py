"""`delegate exec` with docker pipelines on a real container engine."""

from __future__ import annotations

import json
import signal

from tests.docker.neighbour import neighbour
from tests.drone.containers.conftest import RealEngine
from tests.drone.local.command import Command


def head(engine: RealEngine) -> str:
    return f"kind: pipeline\ntype: docker\nname: {engine.name}\n"


def steps(engine: RealEngine, **commands: str) -> str:
    """Steps of these names and commands, in this order."""
    lines = (f"- {{name: {name}, image: '{engine.image}', commands: [ {line} ]}}" for name, line in commands.items())
    return "steps:\n" + "\n".join(lines) + "\n"


def test_steps_run_in_containers_over_this_folder_and_leave_nothing_else(delegate: Command, engine: RealEngine) -> None:
    service = f"services:\n- {{name: web, image: '{engine.image}', commands: [ httpd -f -p 80 -h . ]}}\n"
    wait = "'for each in 1 2 3 4 5 6; do wget -q -O copied http://web/mine && exit 0; sleep 0.3; done; exit 1'"
    delegate.write(
        head(engine) + service + steps(engine, fetch=wait, look="pwd, cat copied, touch /ro/x || echo refused")
    )
    delegate.write("my work\n", "mine")
    delegate.write("", "shared/file")
    ended = delegate("exec", "--volume", "shared:/ro:ro", DOCKER_HOST=engine.host)
    assert ended.code == 0, ended.both
    assert "[look] /drone/src\n" in ended.out
    assert "[look] my work\n" in ended.out
    assert "[look] refused\n" in ended.out
    assert (delegate.folder / "copied").read_text() == "my work\n"
    assert not (delegate.folder / "shared" / "x").exists()
    assert engine.left_behind() == delegate.left_behind() == []


def test_a_failing_step_is_the_exit_status_and_its_successors_are_skipped(
    delegate: Command, engine: RealEngine
) -> None:
    delegate.write(head(engine) + steps(engine, a="exit 3", b="echo never"))
    ended = delegate("exec", DOCKER_HOST=engine.host)
    assert ended.code == 1
    assert "[a] failure in" in ended.out
    assert "exit code 3" in ended.out
    assert "never" not in ended.out.replace("echo never", "")
    assert not engine.left_behind()


def test_a_clone_has_what_is_committed_and_nothing_of_it_comes_back(delegate: Command, engine: RealEngine) -> None:
    delegate.write(
        f"{head(engine)}workspace: {{base: /go, path: src/app}}\n"
        + steps(engine, a="cat file, pwd, touch made, touch ../../shared", b="ls /go")
    )
    delegate.write("committed\n", "file")
    delegate.commit()
    delegate.write("changed\n", "file")
    ended = delegate("exec", "--clone", DOCKER_HOST=engine.host)
    assert ended.code == 0, ended.both
    assert "[a] committed\n" in ended.out
    assert "[a] /go/src/app\n" in ended.out
    assert "[b] shared\n" in ended.out
    assert not (delegate.folder / "made").exists()
    assert engine.left_behind() == delegate.left_behind() == []


def test_only_the_services_that_are_included_run(delegate: Command, engine: RealEngine) -> None:
    services = "services:\n" + "".join(
        f"- {{name: {name}, image: '{engine.image}', commands: [ echo up, sleep 1000 ]}}\n" for name in ("one", "two")
    )
    delegate.write(head(engine) + services + steps(engine, a="sleep 1", b="echo b"))
    out = delegate("exec", "--include", "a", "--include", "two", DOCKER_HOST=engine.host).out
    assert "[two] up\n" in out
    assert "[one]" not in out
    assert "[b]" not in out


def test_a_pipeline_over_its_time_is_ended_with_all_its_containers(delegate: Command, engine: RealEngine) -> None:
    delegate.write(head(engine) + steps(engine, a="echo begun, sleep 1000"))
    ended = delegate("exec", "--timeout", "2s", DOCKER_HOST=engine.host)
    assert ended.code == 124
    assert "timed out" in ended.out
    assert not engine.left_behind()


def test_ctrl_c_lets_a_step_clean_up_and_a_second_one_does_not_wait(delegate: Command, engine: RealEngine) -> None:
    polite = "'trap \"echo cleaned; exit 0\" TERM; echo begun; while true; do sleep 0.1 || true; done'"
    stubborn = (
        "'trap \"echo stubborn; (sleep 5; touch survived) &\" TERM; echo begun; while true; do sleep 0.1 || true; done'"
    )
    delegate.write(head(engine) + steps(engine, a=polite), "polite.yml")
    delegate.write(head(engine) + steps(engine, a=stubborn), "stubborn.yml")
    with delegate.started("exec", "polite.yml", DOCKER_HOST=engine.host) as running:
        running.said("[a] begun")
        running.send(signal.SIGINT)
        assert running.ended() == 130
        assert "[a] cleaned" in running.text
    with delegate.started("exec", "stubborn.yml", DOCKER_HOST=engine.host) as running:
        running.said("[a] begun")
        running.send(signal.SIGINT)
        running.said("[a] stubborn")
        running.send(signal.SIGINT)
        assert running.ended() == 130
    assert not (delegate.folder / "survived").exists()  # it had no ten seconds
    assert engine.left_behind() == delegate.left_behind() == []


def test_an_engine_that_does_not_answer_is_named_with_what_to_do_and_other_pipelines_run(delegate: Command) -> None:
    host = "kind: pipeline\ntype: exec\nname: host\nsteps:\n- {name: a, commands: [ echo here ]}\n---\n"
    after = (
        "---\nkind: pipeline\ntype: exec\nname: after\ndepends_on: [ images ]\nsteps:\n- {name: a, commands: [ x ]}\n"
    )
    docker = "kind: pipeline\nname: images\nsteps:\n- {name: a, image: i, commands: [ x ]}\n"
    delegate.write(host + docker + after)
    ended = delegate("exec", DOCKER_HOST=f"unix://{delegate.temporary}/missing.sock")
    assert ended.code == 2
    assert "missing.sock" in ended.out
    assert "[host/a] here\n" in ended.out
    assert 'after: not run: pipeline "images", which it depends on, cannot run here' in ended.out


def test_json_lines_tell_of_containers_as_of_any_step(delegate: Command, engine: RealEngine) -> None:
    delegate.write(head(engine) + steps(engine, a="echo hello"))
    ended = delegate("exec", "--console", "json", DOCKER_HOST=engine.host)
    events = [json.loads(line) for line in ended.out.splitlines()]
    assert [event["text"] for event in events if event["event"] == "line"][-1] == "hello"
    assert events[-1]["event"] == "run_over"


def test_what_a_killed_run_left_is_removed_by_the_next_and_what_a_living_one_has_is_not(
    delegate: Command, engine: RealEngine
) -> None:
    volumes = "volumes: [ {name: v, temp: {}} ]\n"
    delegate.write(head(engine) + volumes + steps(engine, a="echo begun, sleep 1000"), "long.yml")
    delegate.write(head(engine) + steps(engine, a="echo well"), "short.yml")
    with delegate.started("exec", "long.yml", DOCKER_HOST=engine.host) as killed:
        killed.said("[a] begun")
        killed.send(signal.SIGKILL)
        killed.ended()
    left = set(engine.left_behind())
    assert len(left) == 3  # container, network, volume
    with delegate.started("exec", "long.yml", DOCKER_HOST=engine.host) as living:
        living.said("[a] begun")
        assert not left & set(engine.left_behind())
        assert delegate("exec", "short.yml", DOCKER_HOST=engine.host).code == 0
        assert len(engine.left_behind()) == 3
        living.send(signal.SIGINT)
        assert living.ended() == 130
    assert engine.left_behind() == []


def test_steps_join_a_network_by_its_flag_and_one_that_is_missing_is_named(
    delegate: Command, engine: RealEngine
) -> None:
    with neighbour(engine.host, "of-the-lab") as (network, name):
        delegate.write(head(engine) + steps(engine, a=f"wget -q -O - http://{name}/"))
        ended = delegate("exec", "--network", network, DOCKER_HOST=engine.host)
        assert ended.code == 0, ended.both
        assert "[a] of-the-lab\n" in ended.out
    ended = delegate("exec", "--network", network, DOCKER_HOST=engine.host)
    assert ended.code == 1
    assert f"it cannot join the network '{network}': " in ended.out
    assert f"docker network create {network}" in ended.out
