"""The clone's commands, run by a real shell with a real git."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from delegate_drone.compiler import ContainerOptions, Facts, clone_commands
from delegate_drone.manifest import Clone
from delegate_drone.wire import Build, Netrc, Repository
from tests.drone.compiler.pipelines import DOCKER, compiled, step

IDENTITY = {
    f"GIT_{role}_{key}": value
    for role in ("AUTHOR", "COMMITTER")
    for key, value in (("NAME", "Octo Cat"), ("EMAIL", "octocat@example.org"))
}


def environment(home: Path) -> dict[str, str]:
    return {
        **IDENTITY,
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
    }


class Origin:
    """A repository with two commits on ``main``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True)
        self.git("init", "--quiet", "--initial-branch=main")
        self.first = self.commit("file", "one\n")
        self.second = self.commit("file", "two\n")

    def git(self, *words: str) -> str:
        command = ["git", "-C", str(self.folder), *words]
        done = subprocess.run(command, env=environment(self.folder), check=True, capture_output=True, text=True)
        return done.stdout.strip()

    def commit(self, name: str, text: str) -> str:
        (self.folder / name).write_text(text)
        self.git("add", name)
        self.git("commit", "--quiet", "--message", f"{name}: {text.strip()}")
        return self.git("rev-parse", "HEAD")

    def propose(self, name: str, text: str, base: str) -> str:
        """A pull request number 7 of one commit upon ``base``."""
        self.git("checkout", "--quiet", "--detach", base)
        commit = self.commit(name, text)
        self.git("update-ref", "refs/pull/7/head", commit)
        self.git("checkout", "--quiet", "main")
        return commit


@pytest.fixture
def origin(tmp_path: Path) -> Origin:
    return Origin(tmp_path / "origin")


def run(commands: Iterable[str], folder: Path) -> subprocess.CompletedProcess[str]:
    folder.mkdir()
    script = "\n".join(commands)
    command = ["sh", "-e", "-c", script]
    return subprocess.run(
        command, cwd=folder, env=environment(folder), capture_output=True, text=True, timeout=100, check=False
    )


def build(ref: str = "refs/heads/main", after: str = "", target: str = "main") -> Build:
    return Build(ref=ref, after=after, target=target)


def url(origin: Origin) -> Repository:
    """By protocol, because git ignores depths where it copies files."""
    return Repository(git_http_url=f"file://{origin.folder}")


class Checkout:
    """What the commands made of an empty folder."""

    def __init__(self, origin: Origin, what: Build, clone: Clone) -> None:
        self.folder = origin.folder.parent / "checkout"
        self.done = run(clone_commands(what, url(origin), clone), self.folder)

    def git(self, *words: str) -> str:
        command = ["git", "-C", str(self.folder), *words]
        done = subprocess.run(command, env=environment(self.folder), check=True, capture_output=True, text=True)
        return done.stdout.strip()

    @property
    def head(self) -> str:
        assert self.done.returncode == 0, self.done.stderr
        return self.git("rev-parse", "HEAD")


@pytest.fixture(params=[0, 1], ids=["whole", "shallow"])
def clone(request: pytest.FixtureRequest) -> Clone:
    return Clone(depth=request.param)


def test_a_push_is_its_commit_on_its_branch(origin: Origin, clone: Clone) -> None:
    checkout = Checkout(origin, build(after=origin.second), clone)
    assert checkout.head == origin.second
    assert checkout.git("symbolic-ref", "HEAD") == "refs/heads/main"
    assert checkout.git("status", "--porcelain") == ""
    assert "hint" not in checkout.done.stderr


def test_an_older_commit_than_the_depth_reaches_is_found(origin: Origin, clone: Clone) -> None:
    assert Checkout(origin, build(after=origin.first), clone).head == origin.first


def test_a_server_that_gives_out_no_single_commit_gives_its_history(origin: Origin) -> None:
    commands = clone_commands(build(after=origin.first), url(origin), Clone(depth=1))
    folder = origin.folder.parent / "checkout"
    done = run(['git() { command git -c protocol.version=0 "$@"; }', *commands], folder)
    assert done.returncode == 0, done.stderr
    assert (folder / "file").read_text() == "one\n"


def test_depth_limits_the_history(origin: Origin) -> None:
    checkout = Checkout(origin, build(after=origin.second), Clone(depth=1))
    assert checkout.head
    assert checkout.git("rev-list", "--count", "HEAD") == "1"


def test_a_commit_that_was_pushed_away_from_its_branch_is_found(origin: Origin, clone: Clone) -> None:
    origin.git("reset", "--quiet", "--hard", origin.first)
    assert Checkout(origin, build(after=origin.second), clone).head == origin.second


def test_without_a_commit_it_is_the_branch(origin: Origin, clone: Clone) -> None:
    assert Checkout(origin, build(), clone).head == origin.second


@pytest.mark.parametrize("kind", [(), ("--annotate", "--message=x")], ids=["lightweight", "annotated"])
def test_a_tag_is_its_commit_and_can_be_described(origin: Origin, clone: Clone, kind: tuple[str, ...]) -> None:
    origin.git("tag", *kind, "v1.0", origin.first)
    checkout = Checkout(origin, build("refs/tags/v1.0", origin.first), clone)
    assert checkout.head == origin.first
    assert checkout.git("describe", "--tags") == "v1.0"


def test_a_pull_request_is_merged_into_its_target(origin: Origin, clone: Clone) -> None:
    proposed = origin.propose("other", "new\n", origin.first)
    checkout = Checkout(origin, build("refs/pull/7/head", proposed), clone)
    assert checkout.head
    assert checkout.git("show", "HEAD:file") == "two"
    assert checkout.git("show", "HEAD:other") == "new"
    assert checkout.git("log", "-1", "--format=%cn %ce") == "Octo Cat octocat@example.org"


def test_a_pull_request_without_a_commit_is_what_its_ref_says(origin: Origin, clone: Clone) -> None:
    origin.propose("other", "new\n", origin.first)
    checkout = Checkout(origin, build("refs/pull/7/head"), clone)
    assert checkout.head
    assert checkout.git("show", "HEAD:other") == "new"


def test_a_conflict_fails_and_says_so(origin: Origin, clone: Clone) -> None:
    proposed = origin.propose("file", "other\n", origin.first)
    done = Checkout(origin, build("refs/pull/7/head", proposed), clone).done
    assert done.returncode != 0
    assert "CONFLICT" in done.stdout


@pytest.mark.parametrize("after", ["first", "second", None])
def test_without_a_branch_it_is_the_commit_or_the_remote_head(origin: Origin, after: str | None) -> None:
    wanted = getattr(origin, after) if after else ""
    assert Checkout(origin, build("", wanted, ""), Clone()).head == (wanted or origin.second)


def test_without_a_target_the_ref_names_the_branch(origin: Origin) -> None:
    checkout = Checkout(origin, build("refs/heads/main", origin.second, ""), Clone())
    assert checkout.head == origin.second
    assert checkout.git("symbolic-ref", "HEAD") == "refs/heads/main"


def test_a_failing_fetch_fails_the_step(origin: Origin, clone: Clone) -> None:
    done = Checkout(origin, build(target="absent"), clone).done
    assert done.returncode != 0
    assert "absent" in done.stderr


def test_it_tries_again_as_often_as_asked(tmp_path: Path) -> None:
    folder = tmp_path / "origin"
    hidden = Origin(tmp_path / "hidden")
    commands = clone_commands(build(after=hidden.second), Repository(git_http_url=f"file://{folder}"), Clone(retries=3))
    sleeping = f"sleep() {{ mv {shlex.quote(str(hidden.folder))} {shlex.quote(str(folder))}; }}"
    done = run([sleeping, *commands], tmp_path / "checkout")
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("trying again in 1 s") == 1
    assert (tmp_path / "checkout" / "file").read_text() == "two\n"


def test_it_gives_up_after_the_last_retry(tmp_path: Path) -> None:
    commands = clone_commands(build(), Repository(git_http_url=f"file://{tmp_path}/absent"), Clone(retries=3))
    done = run(["sleep() { :; }", *commands], tmp_path / "checkout")
    assert done.returncode != 0
    assert [line for line in done.stderr.splitlines() if "again" in line] == [
        f"trying again in {pause} s" for pause in (1, 2, 4)
    ]


def test_the_ssh_address_stands_in_for_a_missing_one(origin: Origin) -> None:
    repository = Repository(git_ssh_url=str(origin.folder))
    folder = origin.folder.parent / "checkout"
    assert run(clone_commands(build(after=origin.first), repository, Clone()), folder).returncode == 0


@pytest.mark.parametrize(
    ("what", "repository", "reason"),
    [
        (build(), Repository(), "no address"),
        (build(after="--upload-pack=touch canary"), Repository(git_http_url="x"), "no commit id"),
    ],
)
def test_what_cannot_be_cloned_fails_and_says_why(
    tmp_path: Path, what: Build, repository: Repository, reason: str
) -> None:
    done = run(clone_commands(what, repository, Clone()), tmp_path / "checkout")
    assert done.returncode != 0
    assert reason in done.stderr


def test_a_plain_clone_reads_as_plain_git() -> None:
    what = build(after="aa" * 20)
    assert clone_commands(what, Repository(git_http_url="https://git.example.org/a.git"), Clone()) == (
        "git init --quiet",
        "git remote add -- origin https://git.example.org/a.git",
        "git fetch origin +refs/heads/main:refs/remotes/origin/main",
        f"git cat-file -e '{what.after}^{{commit}}' 2>/dev/null || git fetch origin {what.after}",
        "git symbolic-ref HEAD refs/heads/main",
        f"git reset --hard {what.after}",
    )


HOSTILE = [
    "-u",
    "--upload-pack=touch${IFS}canary;",
    "$(touch${IFS}canary)",
    "';touch${IFS}canary;'",
    "`touch`",
    "ü/ö",
    "HEAD",
]


@pytest.mark.parametrize("branch", HOSTILE)
@pytest.mark.parametrize("kind", ["heads", "tags"])
def test_a_hostile_name_is_only_a_name(origin: Origin, branch: str, kind: str, clone: Clone) -> None:
    origin.git("update-ref", f"refs/{kind}/{branch}", origin.first)
    checkout = Checkout(origin, build(f"refs/{kind}/{branch}", origin.first, branch), clone)
    assert checkout.head == origin.first
    assert {path.name for path in checkout.folder.iterdir()} == {".git", "file"}


SHELL_SIGNS = "abu-$();'\"`&|<>#!{}%=,+@é"
NAMES = st.text(SHELL_SIGNS, min_size=1, max_size=20).filter(lambda name: "@{" not in name and name != "@")


@given(name=NAMES)
@settings(max_examples=12, deadline=None)
def test_no_branch_name_is_ever_run_or_changed(name: str) -> None:
    with TemporaryDirectory() as folder:
        origin = Origin(Path(folder) / "origin")
        origin.git("update-ref", f"refs/heads/{name}", origin.first)
        checkout = Checkout(origin, build(f"refs/heads/{name}", origin.first, name), Clone())
        assert checkout.head == origin.first
        assert checkout.git("symbolic-ref", "HEAD") == f"refs/heads/{name}"
        assert {path.name for path in checkout.folder.iterdir()} == {".git", "file"}


@given(text=st.text(max_size=20), which=st.sampled_from(["target", "ref", "after", "url"]))
@settings(max_examples=100, deadline=None)
def test_any_text_of_a_build_stays_within_one_word_of_the_shell(text: str, which: str) -> None:
    hostile = "refs/pull/1/" + text.replace("\0", "") + "';x;$(y)"
    values = {"target": "main", "ref": "refs/pull/1/head", "after": "aa", "url": "u", which: hostile}
    what = build(values["ref"], values["after"], values["target"])
    commands = clone_commands(what, Repository(git_http_url=values["url"]), Clone())
    assert any(hostile in word for command in commands for word in shlex.split(command))
    assert all("';x;" in word for command in commands for word in shlex.split(command) if "$(y)" in word)


def test_the_git_of_the_host_clones_for_containers_where_they_look_for_the_source() -> None:
    text = f"{DOCKER}workspace: {{ base: /go, path: src/it's }}\nsteps: [ {{ name: a, image: i }} ]\n"
    build = Build(after="abc", ref="refs/heads/main", target="main")
    facts = Facts(build=build, repository=Repository(git_http_url="https://git.example/o/r"))
    stage = compiled(text, facts=facts, home="/home", container=ContainerOptions(clone_on_host=True))
    clone = step(stage, "clone")
    assert clone.container is None
    assert clone.commands[:2] == ("mkdir -p -- 'src/it'\"'\"'s'", "cd -- 'src/it'\"'\"'s'")
    assert clone.commands[3] == "git remote add -- origin https://git.example/o/r"
    assert clone.environment["HOME"] == "/home"
    assert step(stage).depends_on == ("clone",)


def test_an_account_for_the_clone_alone_is_still_there_for_the_git_of_the_host() -> None:
    text = f"{DOCKER}steps: [ {{ name: a, image: i }} ]\n"
    facts = Facts(netrc=Netrc(machine="m", login="l", password="p"))
    options = ContainerOptions(clone_on_host=True, netrc_clone_only=True)
    stage = compiled(text, facts=facts, container=options)
    assert stage.netrc is not None
    assert not [secret for secret in step(stage).secrets if secret.name.startswith("DRONE_NETRC")]
