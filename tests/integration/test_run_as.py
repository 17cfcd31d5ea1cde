"""``run_as``: what a task that runs as another user gets hold of, on both backends, with a real runner of root's."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Iterator, Mapping

import pytest

from delegate_core.processes import ProcessIdentity
from tests.integration.command import Command, Running
from tests.other_user import needs_root, nobody, open_folder, pool
from tests.reliability.sides import SIDES, Side, opened

pytestmark = [pytest.mark.anyio, needs_root]

RUN = ("run", "--console", "plain", "--name", "mine", "--min-free-disk", "0", "--grace", "1s")


@pytest.fixture
def delegate() -> Iterator[Command]:
    with open_folder() as folder:
        yield Command(folder)


@pytest.fixture(params=SIDES)
def side_name(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


def flags(delegate: Command, *users: str) -> list[str]:
    return [*RUN, "--work-dir", str(delegate.folder / "work"), *(word for user in users for word in ("--run-as", user))]


def settings(delegate: Command, side: Side) -> dict[str, str]:
    """The runner's secret in a file, and another one that the settings declare."""
    secret, declared = delegate.folder / "secret", delegate.folder / "declared"
    for file, text in ((secret, side.secret), (declared, "declared-secret")):
        file.write_text(text)
        file.chmod(0o600)
    given = dict(side.settings(side.url))
    given = {name: value for name, value in given.items() if value != side.secret}
    file_of_secret = "DELEGATE_SECRET_FILE" if side.name == "drone" else "DELEGATE_ACCOUNT_SECRET_FILE"
    return {
        **given,
        file_of_secret: str(secret),
        "DELEGATE_SECRETS": f"npm=file:{declared}",
        "SOME_TOKEN": "in-its-env",
    }


def attack(delegate: Command, side: Side) -> list[str]:
    """Commands that say ``OPEN name`` for whatever they get at. The parent of a task's shell is the runner."""
    state = delegate.folder / "state" / "delegate" / side.name / "mine"
    tries = {
        "state folder": f"ls {state}",
        "journal": f"cat {state}/journal.sqlite",
        "logs": f"ls {state}/logs",
        "control socket": f"test -S {state}/control",
        "status token": f"cat {state}/status.json",
        "secret file": f"cat {delegate.folder}/secret",
        "declared secret": f"cat {delegate.folder}/declared",
        "settings file": f"cat {delegate.folder}/delegate.toml",
        "artifact cache": f"ls {delegate.folder}/.cache/delegate",
        "environment": "cat /proc/$PPID/environ",
        "memory": "head -c 0 /proc/$PPID/mem",
        "descriptors": "ls /proc/$PPID/fd",
        "signal": "kill -0 $PPID",
        "list of tasks": f"ls {delegate.folder}/work",
        "folder of the task": "touch $HOME/../planted",
        "home of the hooks": "ls $HOME/../runner",
    }
    return [f"if {each} >/dev/null 2>&1; then echo OPEN {name}; fi" for name, each in tries.items()]


def opens(log: str) -> set[str]:
    return {line.removeprefix("OPEN ") for line in log.splitlines() if line.startswith("OPEN ")}


def text_of(logs: Mapping[str, str]) -> str:
    """What was printed: the one server stores the text, the other JSON lines with it."""
    lines = "".join(logs.values()).splitlines()
    return "\n".join(json.loads(line)["out"].rstrip("\n") if line.startswith("{") else line for line in lines)


async def log_of_attack(delegate: Command, side: Side, *users: str) -> str:
    (delegate.folder / "delegate.toml").write_text('before_task = "echo at-work as $(id -u); touch ready"\n')
    (delegate.folder / "delegate.toml").chmod(0o600)
    (delegate.folder / ".cache" / "delegate").mkdir(parents=True, exist_ok=True)
    (delegate.folder / ".cache" / "delegate").chmod(0o700)
    async with delegate.started(*flags(delegate, *users), **settings(delegate, side)) as runner:
        await runner.said("running")
        end = await side.ended(side.submit(["id -un; id -u", *attack(delegate, side), "echo tried"]))
        runner.signal(signal.SIGTERM)
        assert await runner.ended() == 0, runner.text
    log = text_of(end.logs)
    assert end.succeeded, (end, runner.text)
    assert "\ntried" in log
    return log


async def test_a_task_reaches_nothing_of_the_runners(delegate: Command, side_name: str) -> None:
    async with opened(side_name) as side:
        log = await log_of_attack(delegate, side, "nobody")
    assert f"\nnobody\n{nobody().uid}\n" in log
    assert opens(log) == set()
    assert not (delegate.folder / "work").exists() or list((delegate.folder / "work").iterdir()) == []


async def test_each_of_these_attacks_succeeds_where_the_task_is_the_runners_own_user(delegate: Command) -> None:
    """The control: root gets at everything, so each attempt is one that can succeed."""
    async with opened("harness") as side:
        log = await log_of_attack(delegate, side)
        names = {line.partition("OPEN ")[2].partition(";")[0] for line in attack(delegate, side)}
    assert names - opens(log) <= {"list of tasks", "folder of the task", "home of the hooks", "status token"}
    assert len(opens(log)) > 10


async def test_after_kill_9_what_a_task_left_running_and_what_it_left_lying_are_gone(
    delegate: Command, side_name: str
) -> None:
    commands = [
        "(setsid sh -c 'echo $$ >daemon; exec sleep 600' &); env -i sleep 600 & echo $! >cleared; setsid sleep 600 &",
        "while ! test -s daemon; do sleep 0.02; done; echo pids $! $(cat daemon cleared) $$",
        "mkdir -p a/b && touch a/b/c && ln -s / a/link && chmod 0 a/b a . && kill -STOP $$",
    ]
    async with opened(side_name) as side:
        given = settings(delegate, side)
        async with delegate.started(*flags(delegate, "nobody"), "--task-logs", **given) as runner:
            await runner.said("running")
            task = side.submit(commands)
            await runner.said("| pids ")
            runner.kill()
        line = next(line for line in runner.text.splitlines() if "| pids " in line)
        left = [ProcessIdentity.of(int(pid), "some-mark") for pid in line.partition("| pids ")[2].split()]
        assert len(left) == 4
        async with delegate.started(*flags(delegate, "nobody"), **given) as runner:
            end = await side.ended(task)
            runner.signal(signal.SIGTERM)
            assert await runner.ended() == 0, runner.text
    assert (end.succeeded, end.error, end.finals) == (False, "runner restarted", 1)
    assert [each.alive() for each in left] == [False] * len(left)
    assert list((delegate.folder / "work").iterdir()) == []


async def test_a_task_that_has_a_user_of_its_own_does_not_reach_the_one_beside_it(delegate: Command) -> None:
    async with opened("harness") as side:
        line = [*flags(delegate, *pool(2)), "--capacity", "2", "--task-logs"]
        async with delegate.started(*line, **settings(delegate, side)) as runner:
            await runner.said("running")
            victim = side.submit(["echo mine >file; chmod 666 file; chmod 777 .; echo at $PWD pid $$; kill -STOP $$"])
            await runner.said("| at ")
            said = next(line for line in runner.text.splitlines() if "| at " in line)
            place, pid = said.partition("| at ")[2].split(" pid ")
            tries = [f"cat {place}/file", f"cat /proc/{pid}/environ", f"kill -CONT {pid}", f"cat {place}/../script"]
            intruder = side.submit([f"if {each} 2>/dev/null; then echo OPEN {each}; fi" for each in tries])
            end = await side.ended(intruder)
            os.kill(int(pid), signal.SIGCONT)
            assert (await side.ended(victim)).succeeded
            assert end.succeeded
            assert opens(text_of(end.logs)) == set()
            runner.signal(signal.SIGTERM)
            assert await runner.ended() == 0, runner.text


DAEMON = (
    "(setsid env -i prlimit --locks=9 sh -c 'echo $$ >daemon; exec sleep 100' >/dev/null 2>&1 &); "
    "while ! test -s daemon; do :; done"
)
"""What nothing finds but its user: it has left its session, its parent and its environment, and shed its brand."""


async def test_daemons_of_a_task_with_a_user_of_its_own_end_with_it_and_by_the_next_start_after_kill_9(
    delegate: Command,
) -> None:
    line = [*flags(delegate, *pool(2)), "--capacity", "2", "--task-logs"]
    async with opened("harness") as side:
        given = settings(delegate, side)
        async with delegate.started(*line, **given) as runner:
            await runner.said("running")
            task = side.submit([DAEMON, "echo first $(cat daemon); while ! test -e ../go; do sleep 0.02; done"])
            first = await announced(runner, "first")
            assert first.alive()
            go(delegate)
            end = await side.ended(task)
            assert (end.succeeded, first.alive()) == (True, False)
            assert "warning: ended 1 processes that the task had left" in text_of(end.logs)
            task = side.submit([DAEMON, "echo second $(cat daemon); sleep 600"])
            second = await announced(runner, "second")
            runner.kill()
        assert second.alive()
        async with delegate.started(*line, **given) as runner:
            await runner.said("running")
            assert not second.alive()
            assert (await side.ended(task)).error == "runner restarted"
            runner.signal(signal.SIGTERM)
            assert await runner.ended() == 0, runner.text


async def announced(runner: Running, name: str) -> ProcessIdentity:
    """The process that a task has told of in a line with this name."""
    await runner.said(f"| {name} ")
    said = next(line for line in runner.text.splitlines() if f"| {name} " in line)
    return ProcessIdentity.of(int(said.partition(f"| {name} ")[2]), "some-mark")


def go(delegate: Command) -> None:
    """Let the task end that waits for it."""
    (folder,) = (delegate.folder / "work").glob("*/*/work")
    (folder.parent / "go").touch()


async def test_a_user_who_would_separate_nothing_is_refused_at_the_start(delegate: Command) -> None:
    line = ("run", "--backend", "drone", "--server", "http://127.0.0.1:1", "--run-as", "root")
    ended = await delegate(*line, DELEGATE_SECRET="x" * 32)
    assert (ended.code, ended.err) == (2, "delegate: run_as: root may do everything: name a user without rights\n")


async def test_config_check_says_what_a_start_would_say(delegate: Command) -> None:
    (delegate.folder / "delegate.toml").write_text('run_as = "root"\n[drone]\nserver = "http://127.0.0.1:1"\n')
    ended = await delegate("config", "check", "--backend", "drone", DELEGATE_SECRET="x" * 32)
    assert (ended.code, "run_as: root may do everything" in ended.err) == (2, True)


async def test_a_runner_that_may_not_become_another_user_says_which_rights_it_lacks(delegate: Command) -> None:
    setpriv = shutil.which("setpriv")
    assert setpriv is not None, "needs setpriv of util-linux"
    line = [*delegate._line(("run", "--backend", "drone", "--run-as", "nobody"))]
    async with delegate.started_by(
        setpriv,
        "--bounding-set=-setuid,-sys_ptrace",
        *line,
        DELEGATE_SECRET="x" * 32,
        DELEGATE_SERVER="http://127.0.0.1:1",
    ) as runner:
        assert await runner.ended() == 2
    assert "run_as: this process may not become another user: it lacks CAP_SETUID, CAP_SYS_PTRACE; start" in runner.text


def test_nothing_here_is_skipped_where_root_is_required() -> None:
    assert os.geteuid() == 0
