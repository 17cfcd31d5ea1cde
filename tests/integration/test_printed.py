"""What handlers, plugins and the interpreter write beside a task's log shows no secret, in whichever command."""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path

import anyio
import pytest

from delegate_core.development.beside import development_server, runner_beside
from delegate_core.plugins import backend_module
from delegate_core.settings import RunnerSettings
from tests.integration.command import PATIENCE, Command

pytestmark = pytest.mark.anyio

SECRET = "canary-of-a-loose-tongue"

HANDLERS = """
import atexit, os, sys, threading, warnings
from delegate_core import handler

print("loaded beside", os.environ["NUMBER"])

class Unruly:
    def __init__(self, secret):
        self.secret = secret
    def __del__(self):
        raise ValueError(f"destroyed {self.secret}")

def fail(said):
    raise ValueError(said)

@handler("talk")
def talk(data: dict):
    secret = data["key"]
    print("printed", secret)
    sys.stderr.write(f"complained {secret}\\n")
    warnings.warn(f"warned {secret}")
    thread = threading.Thread(target=fail, args=[f"in a thread {secret}"])
    thread.start()
    thread.join()
    Unruly(secret)
    atexit.register(fail, f"at the end {secret}")
    return {"secret": secret, "number": 4242}
"""
SAID = ("printed", "complained", "warned", "in a thread", "destroyed", "at the end")
TASK = json.dumps({"type": "talk", "data": {"key": "${{secrets.key}}"}})


@pytest.fixture
def command(tmp_path: Path) -> Command:
    (tmp_path / "handlers.py").write_text(HANDLERS)
    (tmp_path / "key").write_text(SECRET)
    (tmp_path / "key").chmod(0o600)
    return Command(tmp_path)


GIVEN = ("--handlers", "handlers.py", "--secret", "key=file:key")


async def test_by_delegate_task_whose_result_stays_json(command: Command) -> None:
    ended = await command("task", "-", *GIVEN, "--secret", "number=env:NUMBER", "--pretty", stdin=TASK, NUMBER="4242")
    assert ended.code == 0
    for words in (*SAID, "loaded beside"):
        assert f"{words} ******" in ended.out + ended.err
    assert SECRET not in ended.out + ended.err
    assert json.loads(ended.out[ended.out.index("{") :]) == {"secret": "******", "number": 4242}


async def test_by_delegate_dev(command: Command) -> None:
    async with command.started("dev", "--backend", "harness", "--console", "plain", *GIVEN, NUMBER="42") as server:
        await server.said("queue a task")
        assert (await command("submit", "-", "--wait", stdin=TASK)).code == 0
        server.signal(signal.SIGINT)
        await server.ended()
    for words in SAID:
        assert f"{words} ******" in server.text
    assert SECRET not in server.text


async def test_by_delegate_task_to_streams_that_are_closed_nothing_and_it_ends_as_ever(command: Command) -> None:
    (command.folder / "task.json").write_text(TASK)
    task = f"{sys.executable} -m delegate_core task task.json {' '.join(GIVEN)}"
    with anyio.fail_after(PATIENCE):
        async with command.started_by("sh", "-c", f"{task} <&- >&- 2>&-; echo ended: $?", NUMBER="42") as shell:
            await shell.said("ended: 0")


ENGINE = """
from delegate_core.engines.engine import EngineError
from delegate_core.engines.contribution import StepEngine
from delegate_core.markers import hookimpl

def open_(setup):
    said = open("secrets.env").read().strip()
    print("printed", said)
    raise EngineError(f"cannot open: {said}") if "docker" in said else RuntimeError(f"cannot open: {said}")

@hookimpl
def step_engines():
    return [StepEngine(name="docker", open=open_)]
"""
MANIFEST = 'kind: pipeline\ntype: docker\nname: one\nsteps:\n- name: build\n  image: alpine\n  commands: ["true"]\n'


@pytest.mark.parametrize("key", ["docker", "other"])
async def test_by_delegate_exec_whose_engine_fails(command: Command, key: str) -> None:
    (command.folder / "engine.py").write_text(ENGINE)
    (command.folder / "secrets.env").write_text(f"{key}={SECRET}\n")
    (command.folder / ".drone.yml").write_text(MANIFEST)
    ended = await command("exec", "--secret-file", "secrets.env", "--console", "json", DELEGATE_PLUGIN="engine")
    assert ended.code in {1, 2}
    assert f"printed {key}=******" in ended.out
    assert f"cannot open: {key}=******" in ended.out + ended.err
    assert SECRET not in ended.out + ended.err


async def test_by_a_runner_beside_an_embedded_server(tmp_path: Path) -> None:
    module = backend_module("drone")
    server = development_server(module, [])
    async with server.serve(0):
        secret = server.backend_settings()["secret"]
        runner = runner_beside(module, server, RunnerSettings(name="demo"), tmp_path, installed=False)
        assert runner.secrecy.text(f"sent {secret}") == "sent ******"
