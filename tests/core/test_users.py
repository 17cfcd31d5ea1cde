"""As whom tasks run: which users are refused, where their folders are, and what belongs to whom in them."""

from __future__ import annotations

import os
import stat
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import anyio
import pytest

from delegate_core import GitRepository, executable
from delegate_core.errors import SettingsError, StateError
from delegate_core.handlers import TaskContext
from delegate_core.processes import ProcessSpec, ProcessUser
from delegate_core.runner import Runner
from delegate_core.runner.users import TaskUsers
from delegate_core.settings import RunnerSettings
from delegate_core.testing.bench import Bench
from tests.artifacts.git_server import Repository
from tests.core.memory_backend import MemoryBackend, MemoryServer
from tests.other_user import NOBODY, SOMEBODY, needs_root, nobody, open_folder, pool
from tests.processes.recorder import Recorder, cancelled_at_the_end, shell

pytestmark = [pytest.mark.anyio, needs_root]


@pytest.fixture
def place() -> Iterator[Path]:
    with open_folder() as folder:
        yield folder


@pytest.fixture
def server() -> MemoryServer:
    return MemoryServer()


@pytest.fixture
async def bench(server: MemoryServer, place: Path) -> AsyncIterator[Bench]:
    async with Bench.opened(place, lambda: MemoryBackend(server)) as bench:
        yield bench


# ---------------------------------------------------------------------- which users


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (("no-such-user",), "there is no user 'no-such-user' on this machine: make it with useradd, or name another"),
        (("root",), "root may do everything: name a user without rights"),
        (("0:54322",), "root may do everything"),
        (("nobody:root",), "nobody is in root's group: take it out, or name it as nobody:GROUP"),
        ((NOBODY, "nobody:54322"), "a user is named twice"),
        ((NOBODY, SOMEBODY), "2 users for 3 tasks at one time; name 3, or one for all, or set capacity to 2"),
    ],
)
def test_a_user_who_separates_nothing_is_refused(names: tuple[str, ...], words: str) -> None:
    with pytest.raises(SettingsError) as caught:
        TaskUsers.of(RunnerSettings(run_as=names), capacity=3)
    assert words in str(caught.value)


def test_all_that_is_wrong_with_them_is_told_at_once() -> None:
    with pytest.raises(SettingsError) as caught:
        TaskUsers.of(RunnerSettings(run_as=("no-such-user", "root")), capacity=2)
    assert len(str(caught.value).splitlines()) == 2


async def test_a_task_has_a_user_of_its_own_while_it_runs() -> None:
    users = TaskUsers.of(RunnerSettings(run_as=(NOBODY, SOMEBODY)), capacity=2)
    async with users.one() as first, users.one() as second:
        assert {first, second} == {nobody(), ProcessUser.named(SOMEBODY)}
        with anyio.move_on_after(0.01) as scope:
            async with users.one():
                pytest.fail("there was a third one")
        assert scope.cancelled_caught
    async with users.one() as again:
        assert again in {first, second}


async def test_more_tasks_than_users_are_no_change_that_a_reload_makes(bench: Bench, place: Path) -> None:
    started = await bench.start({}, run_as=pool(2), capacity=2, work_dir=place / "work")
    with pytest.raises(SettingsError, match="2 users for 3 tasks"):
        await started.runner.reload(started.runner.settings.model_copy(update={"capacity": 3}))
    assert started.runner.slots.capacity == 2


async def test_a_user_of_several_who_runs_something_already_is_refused_and_left_alone(place: Path) -> None:
    names = pool(2)
    user = ProcessUser.named(names[1])
    wanted = RunnerSettings(run_as=names, capacity=2, work_dir=place / "work")
    (place / "state").mkdir(mode=0o700)
    async with cancelled_at_the_end(Recorder(shell("echo main $$; exec sleep 60", Path("/"), user=user))) as recorder:
        (theirs,) = await recorder.announced("main")
        with pytest.raises(SettingsError, match=f"user {user} already has process {theirs.pid}:"):
            await TaskUsers.of(wanted, capacity=2).claim(place / "state", grace=0.0)
        assert theirs.alive()
    await TaskUsers.of(wanted, capacity=2).claim(place / "state", grace=0.0)
    assert (place / "state" / "pool-users").stat().st_mode & 0o777 == 0o600


# ---------------------------------------------------------------------- which folders


def runner(place: Path, *, work_dir: Path) -> Runner:
    given = RunnerSettings(run_as=(NOBODY,), work_dir=work_dir)
    return Runner(MemoryBackend(MemoryServer()), settings=given, state_dir=place / "state")


async def test_a_folder_that_these_users_do_not_get_to_is_refused(place: Path) -> None:
    (place / "closed").mkdir(mode=0o700)
    with pytest.raises(SettingsError, match=f"user nobody cannot get through to {place / 'closed' / 'work'}"):
        await runner(place, work_dir=place / "closed" / "work").run()


async def test_a_folder_that_somebody_could_put_another_in_the_place_of_is_refused(place: Path) -> None:
    theirs = place / "theirs"
    theirs.mkdir(mode=0o755)
    nobody().own(theirs)
    with pytest.raises(StateError, match=f"below {theirs}: others than the runner's user may change it"):
        await runner(place, work_dir=theirs / "work").run()


async def test_a_state_folder_that_these_users_can_enter_is_refused(place: Path) -> None:
    (place / "state").mkdir(mode=0o755)
    (place / "state" / "something").touch()
    with pytest.raises(SettingsError, match="user nobody can enter the state folder"):
        await runner(place, work_dir=place / "work").run()


async def test_work_folders_of_earlier_settings_are_cleaned_up_too(
    bench: Bench, server: MemoryServer, place: Path
) -> None:
    send, folders = anyio.create_memory_object_stream[Path](1)

    async def waits(context: TaskContext) -> None:
        await send.send(context.folder)
        await anyio.sleep_forever()

    first = await bench.start({"waits": waits}, run_as=NOBODY, work_dir=place / "first")
    server.submit("waits")
    left = await bench.within(folders.receive())
    await first.crash()  # which cleans up, unlike a kill -9
    (left / "deep").mkdir(parents=True)
    second = await bench.start({}, work_dir=place / "second")
    await second.seen.wait(lambda seen: seen.finished)
    assert not left.exists()
    for end in (send, folders):
        end.close()


# ---------------------------------------------------------------------- what belongs to whom


async def test_the_task_has_work_home_and_tmp_and_the_runner_all_around_it(
    bench: Bench, server: MemoryServer, place: Path
) -> None:
    found: dict[str, tuple[int, int]] = {}

    async def looks(context: TaskContext) -> None:
        context.environment()
        (context.folder / "given").write_text("given")
        (context.folder / "kept").write_text("kept")
        (context.folder / "kept").chmod(0o600)
        context.hand_over(context.folder / "given")
        for path in (context.folder, context.folder.parent, context.work, *context.folder.iterdir()):
            status = path.stat()
            name = {context.folder: "folder", context.folder.parent: "around"}.get(path, path.name)
            found[name] = status.st_uid, stat.S_IMODE(status.st_mode)
        with pytest.raises(ValueError, match="not right in the task's folder"):
            context.hand_over(context.work / "theirs")
        told = await context.run(
            ProcessSpec(argv=["/bin/cat", "../given", "../kept"], cwd=context.work, env={}), lambda *_: None
        )
        assert told.exit_code == 1

    await bench.start({"looks": looks}, run_as=NOBODY, work_dir=place / "work")
    verdict = await bench.within(server.verdict(server.submit("looks")))
    assert verdict.error == ""
    theirs, ours = nobody().uid, os.geteuid()
    assert found.pop("given")[0] == theirs
    assert found == {
        "around": (ours, 0o711),
        "folder": (ours, 0o710),
        "kept": (ours, 0o600),
        "home": (theirs, 0o700),
        "tmp": (theirs, 0o700),
        "work": (theirs, 0o700),
    }


async def test_outputs_are_read_from_no_file_that_the_script_put_there(
    bench: Bench, server: MemoryServer, place: Path
) -> None:
    (place / "secret").write_text("stolen=1\n")
    (place / "secret").chmod(0o600)
    await bench.start({}, run_as=NOBODY, work_dir=place / "work")
    commands = [
        'echo set=1 >>"$DELEGATE_OUTPUT"',
        f'rm -f "$DELEGATE_OUTPUT" || ln -sf {place}/secret "$DELEGATE_OUTPUT" || mv "$DELEGATE_OUTPUT" . || echo kept',
    ]
    verdict = await bench.within(server.verdict(server.submit("script", {"commands": [*commands]})))
    assert verdict.data == {"exit_code": 0, "outputs": {"set": "1"}}


async def test_the_operators_commands_run_as_the_runner_with_a_home_that_no_task_writes_to(
    bench: Bench, server: MemoryServer, place: Path
) -> None:
    await bench.start(
        {},
        run_as=NOBODY,
        work_dir=place / "work",
        before_task="echo before $(id -u); echo for the task >note",
        after_task='echo after $(id -u) $(ls -A "$HOME")',
    )
    task = server.submit("script", {"commands": ['cat "$HOME/../note"; touch "$HOME/.gitconfig"'], "trace": False})
    await bench.within(server.verdict(task))
    assert (await bench.within(server.log(task))).splitlines() == ["before 0", "for the task", "after 0"]


# ---------------------------------------------------------------------- executables

_TOOL = """#!/bin/sh
printf 'Content-Type: text/plain\\n\\n'
cd "$(dirname "$0")" && cat builder deep/data && id -un
for each in "touch new" "chmod 777 tool" "rm deep/data" "ls {cache}" "ls ../runner"; do
    $each 2>/dev/null && echo "OPEN $each"
done
( echo more >>tool ) 2>/dev/null && echo OPEN append
:
"""


async def test_a_program_of_the_cache_is_the_users_to_execute_and_nobodys_to_change(
    bench: Bench, server: MemoryServer, place: Path
) -> None:
    repository = Repository.made(place / "repository")
    commit = repository.commit({"tool": _TOOL.replace("{cache}", str(place / "cache"))})
    build = ("id -u >builder", "mkdir -m 700 deep", "echo closed >deep/data", "chmod 600 deep/data")
    source = GitRepository(git=str(repository.path), commit=commit, run="tool", build=build)
    await bench.start(
        {"tool": executable("tool", source)}, run_as=NOBODY, work_dir=place / "work", cache_dir=place / "cache"
    )
    for _ in range(2):
        verdict = await bench.within(server.verdict(server.submit("tool")))
        assert (verdict.data, verdict.error) == ("0\nclosed\nnobody\n", "")
    (entry,) = (place / "cache" / "entries").iterdir()
    assert stat.S_IMODE((place / "cache").stat().st_mode) == 0o700
    assert (entry / "content" / "tool").stat().st_nlink == 1, "what was handed out is gone with its task"


async def test_a_program_that_this_user_may_not_execute_is_named_with_the_cure(
    bench: Bench, server: MemoryServer, place: Path
) -> None:
    program = place / "program"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o700)
    await bench.start({"tool": executable("tool", program)}, run_as=NOBODY, work_dir=place / "work")
    error = (await bench.within(server.verdict(server.submit("tool")))).error
    assert (
        "may not be executed by user nobody. Make it an executable file (chmod +x) in folders that this user" in error
    )
