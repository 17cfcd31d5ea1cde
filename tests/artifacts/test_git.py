"""Executables in git repositories, with git itself and its HTTP server."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import anyio
import pytest

from delegate_core import GitRepository, SecretFrom, executable
from delegate_core.errors import PluginError
from delegate_core.model import Outcome
from delegate_core.testing.surroundings import PrintingContext
from tests.artifacts.conftest import PROGRAM, Run, kept
from tests.artifacts.git_server import Repository, served
from tests.artifacts.ssh_server import SSHD, ssh_served

Make = Callable[..., PrintingContext]


def saying(text: str) -> str:
    return f"#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\n{text}'\n"


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository.made(tmp_path / "repo")


async def test_a_commit_is_fetched_once_also_when_it_is_not_the_tip(
    run: Run, task_context: Make, repository: Repository, cache: Path
) -> None:
    old = repository.commit({"bin/tool": saying("old")})
    new = repository.commit({"bin/tool": saying("new")})
    first, again = task_context(), task_context()
    assert (await run(GitRepository(git=str(repository.path), commit=old, run="bin/tool"), first)).data == "old"
    assert (
        await run(GitRepository(git=str(repository.path), commit=new, run="bin/tool"), task_context())
    ).data == "new"
    assert (await run(GitRepository(git=str(repository.path), commit=old, run="bin/tool"), again)).data == "old"
    assert f"fetching {repository.path} at {old[:12]}" in first.printed()
    assert again.printed() == ""
    assert not [path async for path in anyio.Path(cache).rglob(".git")]


async def test_a_commit_that_is_not_there_is_no_hit_the_next_time(
    run: Run, task_context: Make, repository: Repository, cache: Path
) -> None:
    repository.commit({"tool": saying("x")})
    missing = GitRepository(git=f"file://{repository.path}", commit="1" * 40, run="tool")
    for _ in range(2):
        result = await run(missing, task_context())
        assert result.outcome is Outcome.FAILED
        assert f"has no commit {'1' * 40}" in result.error
        assert kept(cache) == []


async def test_a_server_that_gives_out_branches_only_is_asked_for_its_branch(
    run: Run, task_context: Make, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = repository.commit({"tool": saying("by branch")})
    repository.commit({"tool": saying("newer")})
    monkeypatch.setenv("PASSWORD", "correct-horse-battery")
    context = task_context()
    with served(repository, "git", "correct-horse-battery", protocol=False) as server:
        wanted = {"git": server.url, "commit": commit, "run": "tool", "password": {"environment": "PASSWORD"}}
        assert (await run(GitRepository.model_validate({**wanted, "ref": "main"}), context)).data == "by branch"
    assert "gives out no single commit: fetching all of main" in context.printed()


async def test_it_is_built_once_and_its_build_is_in_the_log(
    run: Run, task_context: Make, repository: Repository
) -> None:
    commit = repository.commit({"source": saying("built")})
    source = GitRepository(
        git=str(repository.path),
        commit=commit,
        run="out/tool",
        build=("mkdir out", "echo compiling", "cp source out/tool"),
    )
    first, second = task_context(), task_context()
    assert (await run(source, first)).data == "built"
    assert (await run(source, second)).data == "built"
    assert "compiling" in first.printed()
    assert second.printed() == ""


async def test_a_build_that_fails_keeps_nothing(
    run: Run, task_context: Make, repository: Repository, cache: Path
) -> None:
    commit = repository.commit({"tool": saying("x")})
    context = task_context()
    source = GitRepository(git=str(repository.path), commit=commit, run="tool", build=("echo no compiler >&2; exit 7",))
    assert "build exited with 7" in (await run(source, context)).error
    assert "no compiler" in context.printed()
    assert kept(cache) == []


@pytest.mark.parametrize("target", ["outside", "tool", "gone"])
async def test_a_program_that_is_a_link_out_of_the_checkout_or_to_nowhere_is_refused(
    run: Run, task_context: Make, repository: Repository, tmp_path: Path, target: str
) -> None:
    outside = tmp_path / "outside"
    outside.write_bytes(PROGRAM)
    outside.chmod(0o755)
    (repository.path / "tool").symlink_to(outside if target == "outside" else target)
    commit = repository.commit({})
    result = await run(GitRepository(git=str(repository.path), commit=commit, run="tool"), task_context())
    assert "there is no file 'tool' in it" in result.error


async def test_a_password_reaches_git_and_no_log_and_faults_are_tried_again(
    run: Run, task_context: Make, repository: Repository, tmp_path: Path
) -> None:
    commit = repository.commit({"tool": saying("private")})
    secret = tmp_path / "token"
    secret.write_text("correct-horse-battery\n")
    context = task_context()
    with served(repository, "robot", "correct-horse-battery") as server:
        server.broken = 1
        source = GitRepository(
            git=server.url, commit=commit, run="tool", username="robot", password=SecretFrom(file=secret)
        )
        assert (await run(source, context)).data == "private"
    assert "trying again in" in context.printed()
    assert "correct" not in context.printed()
    assert any(server.seen)


async def test_without_its_password_nobody_is_asked_and_the_error_says_what_to_give(
    run: Run, task_context: Make, repository: Repository
) -> None:
    commit = repository.commit({"tool": saying("x")})
    context = task_context()
    with served(repository, "robot", "correct-horse-battery") as server:
        result = await run(GitRepository(git=server.url, commit=commit, run="tool"), context)
    assert "give username and password, or ssh_key" in result.error
    assert "trying again" not in context.printed()


async def test_a_repository_that_does_not_exist_is_named(run: Run, task_context: Make, tmp_path: Path) -> None:
    result = await run(GitRepository(git=str(tmp_path / "none"), commit="1" * 40, run="x"), task_context())
    assert "cannot fetch" in result.error
    assert "does not" in result.error


async def test_a_checkout_beyond_the_limit_is_refused(
    run: Run, task_context: Make, repository: Repository, cache: Path
) -> None:
    commit = repository.commit({"tool": saying("x"), "big": "x" * 5000})
    result = await run(
        GitRepository(git=str(repository.path), commit=commit, run="tool", size_limit=1000), task_context()
    )
    assert "raise size_limit" in result.error
    assert kept(cache) == []


async def test_a_commit_that_checks_out_to_far_more_than_it_is_is_refused_before_anything_is_written(
    run: Run, task_context: Make, repository: Repository, cache: Path
) -> None:
    commit = repository.multiplied(7)
    with anyio.fail_after(60):
        result = await run(GitRepository(git=str(repository.path), commit=commit, run="0"), task_context())
    assert "raise size_limit" in result.error or "more than 200,000 files" in result.error
    assert kept(cache) == []


async def test_a_commit_of_folders_in_one_another_without_end_is_refused(
    run: Run, task_context: Make, repository: Repository, cache: Path
) -> None:
    commit = repository.commit({"d/" * 150 + "x": "x"})
    result = await run(GitRepository(git=str(repository.path), commit=commit, run="x"), task_context())
    assert "nests folders too deeply" in result.error
    assert kept(cache) == []


def test_without_git_on_this_machine_the_start_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    source = GitRepository(git="/x", commit="1" * 40, run="x")
    with pytest.raises(PluginError, match="needs git on this machine; install it"):
        executable("x", source).check()


@pytest.mark.skipif(SSHD is None or shutil.which("ssh") is None, reason="needs OpenSSH's server and client")
async def test_a_repository_is_fetched_over_ssh_with_its_key_from_a_known_host_only(
    run: Run, task_context: Make, repository: Repository, tmp_path: Path, cache: Path
) -> None:
    commit = repository.commit({"tool": saying("over-ssh")})
    with ssh_served(tmp_path / "ssh") as server:
        source = GitRepository(
            git=server.address + str(repository.path),
            commit=commit,
            run="tool",
            ssh_key=server.key,
            ssh_known_hosts=server.known_hosts,
        )
        other_key = source.model_copy(update={"ssh_key": server.other_key})
        assert "give username and password, or ssh_key" in (await run(other_key, task_context())).error
        (tmp_path / "nobody").write_text("")
        unknown = source.model_copy(update={"ssh_known_hosts": tmp_path / "nobody"})
        context = task_context()
        assert "name the file with this host's key as ssh_known_hosts" in (await run(unknown, context)).error
        assert "trying again" not in context.printed()
        assert kept(cache) == []
        assert (await run(source, task_context())).data == "over-ssh"


async def test_ssh_asks_nobody_and_takes_the_key_and_hosts_that_are_declared(
    run: Run, task_context: Make, repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stand-in for ssh: it notes how it is called, and runs the command here. No network, no check of keys."""
    commands = tmp_path / "bin"
    commands.mkdir()
    (commands / "ssh").write_text(
        f'#!/bin/sh\nprintf "%s\\n" "$@" >> "{tmp_path}/called"\nfor last; do :; done\nexec sh -c "$last"\n'
    )
    (commands / "ssh").chmod(0o755)
    monkeypatch.setenv("PATH", f"{commands}:{os.environ['PATH']}")
    commit = repository.commit({"tool": saying("by-ssh")})
    source = GitRepository(
        git=f"git@host.example:{repository.path}",
        commit=commit,
        run="tool",
        ssh_key=tmp_path / "a key",
        ssh_known_hosts=tmp_path / "known 100%",
    )
    assert (await run(source, task_context())).data == "by-ssh"
    called = (tmp_path / "called").read_text().splitlines()
    for option in ("BatchMode=yes", str(tmp_path / "a key"), f'UserKnownHostsFile="{tmp_path}/known 100%%"'):
        assert option in called
    assert "git@host.example" in called
