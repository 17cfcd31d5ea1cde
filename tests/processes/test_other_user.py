"""Processes of another user than the runner's own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest

from delegate_core.processes import Limits, ProcessIdentity, ProcessSpec, ProcessStartError, ProcessUser
from delegate_core.processes.rights import FolderError, open_folder
from tests.other_user import SOMEBODY, needs_root, nobody
from tests.other_user import open_folder as folder_for_others
from tests.processes.recorder import Recorder, cancelled_at_the_end, shell

pytestmark = [pytest.mark.anyio, needs_root]


@pytest.fixture
def place() -> Iterator[Path]:
    with folder_for_others() as folder:
        yield folder


@pytest.fixture
def user() -> ProcessUser:
    return nobody()


async def said(spec: ProcessSpec) -> list[str]:
    recorder = Recorder(spec)
    await recorder.run()
    return recorder.text.splitlines()


def rights() -> list[str]:
    lines = Path("/proc/thread-self/status").read_text().splitlines()
    return [line for line in lines if line.startswith(("Uid", "Gid", "Groups", "Cap"))]


async def test_it_has_the_ids_of_that_user_its_groups_and_no_right_of_the_runner(place: Path) -> None:
    user = ProcessUser("somebody", 54321, 54322, (54322, 54323))
    look = "id -u; id -g; id -G; grep -E '^Cap(Prm|Eff|Amb)' /proc/self/status | cut -f 2 | sort -u; umask"
    assert await said(shell(look, place, user=user)) == ["54321", "54322", "54322 54323", "0" * 16, "0022"]


async def test_a_folder_is_entered_with_the_rights_of_that_user_however_open_it_is_itself(
    place: Path, user: ProcessUser
) -> None:
    closed = place / "closed"
    closed.mkdir(mode=0o700)
    (closed / "open").mkdir(mode=0o755)
    (place / "link").symlink_to(closed / "open")
    for folder in (closed, closed / "open", place / "link"):
        with pytest.raises(ProcessStartError, match="may not be entered by user nobody"):
            await said(shell("echo inside", folder, user=user))
    assert await said(shell("echo inside", closed / "open")) == ["inside"]


@pytest.mark.parametrize("folder", ["there", "closed", "missing"])
def test_the_runner_has_all_its_own_rights_again_after_it_entered_a_folder_as_another(
    place: Path, user: ProcessUser, folder: str
) -> None:
    (place / "there").mkdir(mode=0o755)
    (place / "closed").mkdir(mode=0o700)
    (place / "secret").write_text("mine")
    (place / "secret").chmod(0o600)
    before = rights()
    try:
        os.close(open_folder(place / folder, user))
    except FolderError:
        assert folder != "there"
    assert rights() == before
    assert (place / "secret").read_text() == "mine"


async def test_what_cannot_be_started_as_that_user_is_told_without_a_look_of_the_runners(
    place: Path, user: ProcessUser
) -> None:
    program = place / "program"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o700)
    told = {
        str(program): "may not be executed by user nobody",
        "/root/missing": "may not be executed by user nobody",
        "no-such-program": "was not found",
    }
    for name, words in told.items():
        with pytest.raises(ProcessStartError, match=words):
            await said(ProcessSpec(argv=[name], cwd=place, env={"PATH": "/usr/bin"}, user=user))
    with pytest.raises(ProcessStartError, match="does not exist"):
        await said(shell("true", place / "missing", user=user))


async def test_its_limits_hold_from_its_first_moment(place: Path, user: ProcessUser) -> None:
    recorder = Recorder(
        shell("ulimit -f; head -c 100000 /dev/zero >$HOME/big", place, user=user, limits=Limits(file_size=10240))
    )
    folder = place / "home"
    folder.mkdir()
    user.own(folder)
    recorder.process.spec.env["HOME"] = str(folder)  # type: ignore[index]  # the test's own dictionary
    ended = await recorder.run()
    assert (recorder.text.splitlines()[0], ended.exit_code) == ("20", 153)
    assert "larger than it may: task_file_size 10,240 bytes" in ended.limited


async def test_it_is_ended_with_all_that_it_started_and_first_where_memory_runs_out(
    place: Path, user: ProcessUser
) -> None:
    os.mkfifo(place / "pid")
    (place / "pid").chmod(0o666)
    tree = (
        "(setsid sh -c 'echo $$ >pid; exec sleep 600' >/dev/null 2>&1 &); read daemon <pid; "
        "env -i sleep 600 & echo cleared $!; echo daemon $daemon; echo main $$; wait"
    )
    async with cancelled_at_the_end(Recorder(shell(tree, place, user=user, grace=5.0))) as recorder:
        all_of_it: list[ProcessIdentity] = await recorder.announced("cleared", "daemon", "main")
        score = Path(f"/proc/{all_of_it[-1].pid}/oom_score_adj").read_text()  # noqa: ASYNC240 - the kernel's
    assert score.strip() == "500"
    assert not any(each.alive() for each in all_of_it)
    assert recorder.exit.survivors == 0


async def test_its_daemon_that_shed_session_parent_and_environment_is_ended_by_its_brand(
    place: Path, user: ProcessUser
) -> None:
    """Also where the runner's root may not ask for its limits, nor set them."""
    os.mkfifo(place / "pid")
    (place / "pid").chmod(0o666)
    script = (
        "(env -i setsid sh -c 'echo $$ >pid; exec sleep 600' >/dev/null 2>&1 &); read pid <pid; "
        "echo daemon $pid; exec sleep 600"
    )
    async with cancelled_at_the_end(Recorder(shell(script, place, user=user, within="w" * 32))) as recorder:
        (daemon,) = await recorder.announced("daemon")
        assert daemon.alive()
    assert not daemon.alive()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("no-such-user", "there is no user 'no-such-user' on this machine"),
        ("", "there is no user ''"),
        ("-1", "there is no user '-1'"),
        ("4294967295", "there is no user '4294967295'"),
        ("54321", "has no name on this machine, and so no group: write 54321:GROUP"),
        ("nobody:no-such-group", "there is no group 'no-such-group'"),
        ("nobody:", "there is no group ''"),
        ("nobody:99999999999", "there is no group"),
    ],
)
def test_a_user_that_is_none_is_refused_with_what_to_write(text: str, words: str) -> None:
    with pytest.raises(ValueError, match="on this machine") as caught:
        ProcessUser.named(text)
    assert words in str(caught.value)


def test_a_user_is_named_by_name_or_number_with_all_its_groups_or_with_one() -> None:
    assert ProcessUser.named("nobody") == ProcessUser.named(str(nobody().uid))
    assert ProcessUser.named("nobody:54322") == ProcessUser("nobody", nobody().uid, 54322, (54322,))
    assert ProcessUser.named(SOMEBODY) == ProcessUser("54321", 54321, 54322, (54322,))


async def test_two_starts_beside_each_other_are_each_their_own_users(place: Path, user: ProcessUser) -> None:
    async with anyio.create_task_group() as group:
        found: dict[str, list[str]] = {}

        async def look(name: str, whom: ProcessUser | None) -> None:
            found[name] = await said(shell("id -u", place, user=whom))

        for name, whom in (("other", user), ("own", None), ("number", ProcessUser.named(SOMEBODY))):
            group.start_soon(look, name, whom)
    assert found == {"other": [str(user.uid)], "own": ["0"], "number": ["54321"]}
