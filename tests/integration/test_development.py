"""``delegate dev``, ``demo``, ``submit``, ``cancel``, ``logs``, ``status`` and ``plugins`` as a newcomer uses them."""

from __future__ import annotations

import json
import signal
import stat
import sys
from pathlib import Path

import anyio
import pytest

from delegate_harness.manager import EmbeddedManager
from tests.integration.command import PATIENCE, Command, environment

pytestmark = pytest.mark.anyio

HANDLERS = """
from pydantic import BaseModel
from delegate_core import TaskContext, handler

class Fib(BaseModel):
    n: int

@handler("fib")
async def fib(params: Fib, context: TaskContext) -> int:
    context.log(f"computing fib({params.n})")
    a, b = 0, 1
    for _ in range(params.n):
        a, b = b, a + b
    return a
"""


async def test_a_server_in_the_background_of_a_script_ends_by_sigterm(delegate: Command) -> None:
    """A shell without job control lets what it starts with ``&`` ignore SIGINT."""
    script = 'trap "" INT; exec "$0" -m delegate_core dev --no-runner'
    async with delegate.started_by("sh", "-c", script, sys.executable) as server:
        await server.said("queue a task")
        server.signal(signal.SIGTERM)
        await server.ended()
    assert "the development server has ended" in server.text


async def test_the_demo_ends_as_it_declares(delegate: Command) -> None:
    ended = await delegate("demo", COLUMNS="200")
    assert ended.code == 0, ended.out + ended.err
    assert ended.out.count(" yes ") == 7 + 9
    assert " NO " not in ended.out
    assert list((delegate.folder).rglob("journal*")) == []


async def test_the_demo_says_what_its_runner_lacks_and_how_to_mend_it(delegate: Command) -> None:
    line = f"ulimit -f 8; exec {sys.executable} -B -m delegate_core demo --backend harness"  # -B: no module cut short
    async with delegate.started_by("sh", "-c", line) as demo:
        assert await demo.ended() == 6
    assert "cannot be used: disk I/O error; free some disk space" in demo.text
    assert "ExceptionGroup" not in demo.text


async def test_the_demo_bears_a_reader_who_leaves_early(tmp_path: Path) -> None:
    line = f"{sys.executable} -m delegate_core demo | head -1"
    with anyio.fail_after(PATIENCE):
        ended = await anyio.run_process(
            ["bash", "-o", "pipefail", "-c", line], check=False, cwd=tmp_path, env=environment(tmp_path)
        )
    assert (ended.returncode, ended.stderr.decode()) == (0, "")
    assert ended.stdout.startswith(b"embedded harness server")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_the_demo_leaves_nothing_behind_when_it_is_interrupted(delegate: Command, number: signal.Signals) -> None:
    async with delegate.started("demo") as demo:
        await demo.said("+ sleep 60")
        demo.signal(number)
        assert await demo.ended() == 130
    assert "Exception Group" not in demo.text
    assert list(delegate.folder.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_server_without_a_runner_ends_by_a_signal(delegate: Command, number: signal.Signals) -> None:
    async with delegate.started("dev", "--no-runner") as server:
        await server.said("queue a task")
        server.signal(number)
        assert await server.ended() == 0
    assert "Traceback" not in server.text
    assert not (delegate.folder / "state" / "delegate" / "development.json").exists()


async def test_a_handler_is_developed_with_dev_and_submit(delegate: Command) -> None:
    (delegate.folder / "my_handlers.py").write_text(HANDLERS)
    async with delegate.started("dev", "--handlers", "my_handlers.py", "--console", "plain") as server:
        await server.said("registered")
        ended = await delegate("submit", "-", "--wait", stdin='{"type": "fib", "data": {"n": 10}}')
        assert ended.code == 0, ended.err
        assert "computing fib(10)" in ended.out
        assert '"result": 55' in ended.out
        ended = await delegate("submit", "-", "--wait", "--json", stdin='{"type": "fib", "data": {"n": 10}}')
        assert json.loads(ended.out)["outcome"] == "succeeded"
        address = delegate.folder / "state" / "delegate" / "development.json"
        assert stat.S_IMODE(address.stat().st_mode) == 0o600
        server.signal(signal.SIGINT)
        assert await server.ended() == 0, server.text
        assert not address.exists()


async def test_a_task_is_queued_watched_and_cancelled(delegate: Command) -> None:
    async with delegate.started("dev", "--console", "plain") as server:
        await server.said("registered")
        text = '{"type": "script", "data": {"commands": ["echo begun", "sleep 100"]}}'
        task_id = (await delegate("submit", "-", stdin=text)).out.strip()
        await server.said("| begun")
        listed = json.loads((await delegate("status", "--json")).out)
        assert [(task["id"], task["status"]) for task in listed] == [(task_id, "started")]
        assert (await delegate("cancel", task_id[:8])).code == 0
        followed = await delegate("logs", task_id, "--follow")
        assert "begun" in followed.out
        assert "aborted" in (await delegate("status")).out
        assert (await delegate("cancel", task_id)).code == 1


async def test_the_runner_beside_the_server_takes_orders_and_its_drain_ends_both(delegate: Command) -> None:
    (delegate.folder / "delegate.toml").write_text('backend = "harness"\ncapacity = 3\nhandlers = ["my_handlers.py"]\n')
    (delegate.folder / "my_handlers.py").write_text(HANDLERS)
    async with delegate.started("dev", "--console", "plain") as server:
        await server.said("running")
        (delegate.folder / "delegate.toml").write_text('capacity = 4\nhandlers = ["my_handlers.py"]\n')
        reloaded = await delegate("reload")
        assert reloaded.out.splitlines() == [
            "changed: capacity",
            "needs a restart: backend (plugins are put together at the start)",
            "loaded again: my_handlers.py",
        ]
        drained = await delegate("drain", "--wait", DELEGATE_BACKEND="harness")
        assert (drained.code, "has left" in drained.out) == (0, True), drained.err
        assert await server.ended() == 0, server.text
    nobody = await delegate("drain")
    assert (nobody.code, "there is no runner in" in nobody.err) == (2, True)


async def test_the_server_alone_serves_a_runner_of_ones_own(delegate: Command) -> None:
    async with delegate.started("dev", "--no-runner", "--option", "account=mine") as server:
        await server.said("queue a task")
        exported = dict(line.split()[1].split("=", 1) for line in server.text.splitlines() if "export" in line)
        assert exported["DELEGATE_ACCOUNT_ID"] == "mine"
        async with delegate.started("run", "--backend", "harness", "--console", "plain", **exported) as runner:
            await runner.said("registered")
            ended = await delegate("submit", "-", "--wait", stdin='{"type": "script", "data": {"commands": "true"}}')
            assert ended.code == 0, ended.err


async def test_plugins_are_listed_with_their_origin(delegate: Command) -> None:
    listed = json.loads((await delegate("plugins", "list", "--json")).out)
    assert [(one["name"], one["distribution"], one["problem"]) for one in listed] == [
        ("drone", "delegate-drone", ""),
        ("harness", "delegate-harness", ""),
        ("docker", "delegate-docker", ""),
    ]
    assert "delegate-harness" in (await delegate("plugins", "list")).out


async def test_help_shows_the_settings_of_the_backend_that_is_named(delegate: Command) -> None:
    plain = await delegate("run", "--help", COLUMNS="100")
    for option in ("--state-dir PATH", "--ca-file PATH", "--poll-interval DURATION", "--capacity NUMBER", "--tag TEXT"):
        assert option in plain.out
    assert "--capacity" in plain.out
    assert "--heartbeat-interval" not in plain.out
    assert "--heartbeat-interval" in (await delegate("run", "--backend", "harness", "--help")).out


async def test_the_environment_of_dlite_is_understood(delegate: Command) -> None:
    async with EmbeddedManager() as manager:
        variables = {
            "DLITE_MANAGER_ENDPOINT": "http://unused.invalid",
            "DLITE_INTERNAL_MANAGER_ENDPOINT": manager.url,
            "DLITE_ACCOUNT_ID": manager.account_id,
            "DLITE_ACCOUNT_SECRET": manager.account_secret,
            "DLITE_NAME": "from-dlite",
            "DLITE_PARALLEL_WORKERS": "7",
            "DLITE_POLL_INTERVAL_MILLISECS": "250",
        }
        async with delegate.started("run", "--backend", "harness", "--console", "plain", **variables) as runner:
            await runner.said("registered")
        (known,) = manager.state.delegates(manager.account_id)
        assert (known.name, known.capacity) == ("from-dlite", 7)
