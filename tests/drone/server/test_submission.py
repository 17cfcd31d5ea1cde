"""A submitted file: its options, and the local git repository behind it."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from delegate_core.development import SubmissionError
from delegate_drone.server import Order
from delegate_drone.server.git import GitError, GitRepository
from delegate_drone.server.pulls import PullRequests
from delegate_drone.server.submission import read_order

from .runner import ONE, manifest

CLONING = "kind: pipeline\ntype: exec\nname: a\nsteps: [{name: test, commands: [make]}]\n"
ZEROS = "0" * 40


class Git:
    """A repository whose settings are its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self("init", "--quiet", "--initial-branch=main")

    def __call__(self, *arguments: str) -> str:
        own = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
        person = {
            f"GIT_{role}_{what}": value
            for role in ("AUTHOR", "COMMITTER")
            for what, value in (("NAME", "Ada Example"), ("EMAIL", "ada@example.com"), ("DATE", "1700000000 +0000"))
        }
        environ = {"PATH": os.environ["PATH"], **own, **person}
        command = ["git", "-C", str(self.folder), *arguments]
        return subprocess.run(command, env=environ, check=True, capture_output=True, text=True).stdout.strip()

    def commit(self, message: str) -> str:
        self("commit", "--quiet", "--allow-empty", "--cleanup=verbatim", "--message", message)
        return self("rev-parse", "HEAD")


@pytest.fixture(autouse=True)
def _settings_of_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever runs the tests may have settings of git."""
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")


@pytest.fixture
def git(tmp_path: Path) -> Git:
    folder = tmp_path / "my project"
    folder.mkdir()
    git = Git(folder)
    git.commit("first")
    return git


def order(git: Git, text: str = CLONING, /, **options: str) -> Order:
    return read_order(text, {"repo": str(git.folder), **options})


# ---------------------------------------------------------------------- git


def test_a_push_is_the_newest_commit_of_the_current_branch(git: Git) -> None:
    first = git("rev-parse", "HEAD")
    git("switch", "--quiet", "--create", "feature/x")
    second = git.commit("second\n\nwith a body")
    hook = order(git).hook
    assert (hook.event, hook.ref, hook.source, hook.target) == (
        "push",
        "refs/heads/feature/x",
        "feature/x",
        "feature/x",
    )
    assert (hook.before, hook.after, hook.message) == (first, second, "second\n\nwith a body")
    assert (hook.author_name, hook.author_email, hook.timestamp) == ("Ada Example", "ada@example.com", 1_700_000_000)


def test_the_first_commit_of_all_has_none_before(git: Git) -> None:
    assert order(git).hook.before == ZEROS


def test_the_repository_is_cloned_from_where_it_is(git: Git, tmp_path: Path) -> None:
    settings = order(git).settings
    target = tmp_path / "copy"
    subprocess.run(["git", "clone", "--quiet", "--depth=1", settings["git_http_url"], target], check=True)
    assert settings["git_http_url"].startswith("file:///")
    assert (target / ".git").is_dir()
    assert settings["default_branch"] == "main"


def test_a_bare_repository_will_do(git: Git, tmp_path: Path) -> None:
    bare = tmp_path / "bare.git"
    subprocess.run(["git", "clone", "--quiet", "--bare", git.folder, bare], check=True)
    found = read_order(CLONING, {"repo": str(bare)})
    assert (found.slug, found.hook.after) == ("local/bare", git("rev-parse", "HEAD"))


def test_the_slug_is_made_of_the_folder_s_name(git: Git) -> None:
    assert order(git).slug == "local/my-project"
    assert order(git, slug="octo/hello").slug == "octo/hello"


def test_branch_ref_and_commit_choose_the_commit(git: Git) -> None:
    first = git("rev-parse", "HEAD")
    git("branch", "old")
    second = git.commit("second")
    assert order(git).hook.after == second
    assert order(git, branch="old").hook.after == first
    assert order(git, ref="refs/heads/old").hook.target == "old"
    assert order(git, commit=first[:12]).hook.after == first


def test_a_tag_is_an_event_of_its_own(git: Git) -> None:
    git("tag", "--annotate", "v1.0", "--message", "one")
    hook = order(git, ref="refs/tags/v1.0").hook
    assert (hook.event, hook.ref, hook.target) == ("tag", "refs/tags/v1.0", "main")
    assert hook.after == git("rev-parse", "HEAD"), "the commit, not the tag's own object"


def test_a_pull_request_goes_from_the_current_branch_to_the_default_one(git: Git) -> None:
    git("switch", "--quiet", "--create", "feature")
    git.commit("better")
    hook = order(git, event="pull_request", title="Better").hook
    assert (hook.source, hook.target, hook.ref, hook.action, hook.title) == (
        *("feature", "main", "refs/pull/1/head"),
        *("opened", "Better"),
    )


def test_a_pull_request_is_cloned_by_the_ref_that_a_code_host_has_for_it(git: Git, tmp_path: Path) -> None:
    """Drone's own runners fetch that ref; the user's repository is left as it is."""
    git("switch", "--quiet", "--create", "feature")
    better = git.commit("better")
    before = git("for-each-ref")
    pulls = PullRequests(tmp_path / "pulls")
    options = {"repo": str(git.folder), "event": "pull_request", "ref": "refs/pull/7/head", "source": "feature"}
    found = read_order(CLONING, options, pulls)
    git("init", "--quiet", str(tmp_path / "clone"))
    url = found.settings["git_http_url"]
    git("-C", str(tmp_path / "clone"), "fetch", "--quiet", url, "+refs/heads/main:", f"{found.hook.ref}:refs/heads/pr")
    assert git("-C", str(tmp_path / "clone"), "rev-parse", "pr") == better == found.hook.after
    assert git("for-each-ref") == before


def test_after_a_pull_request_a_build_of_a_branch_still_gets_the_newest_commit(git: Git, tmp_path: Path) -> None:
    """A stage of the pull request may still wait, so both are cloned from the same place."""
    pulls, options = PullRequests(tmp_path / "pulls"), {"repo": str(git.folder)}
    assert read_order(CLONING, options, pulls).settings["git_http_url"] == git.folder.as_uri()
    pulled = read_order(CLONING, {**options, "event": "pull_request"}, pulls)
    newest = git.commit("second")
    pushed = read_order(CLONING, options, pulls)
    assert pushed.settings["git_http_url"] == pulled.settings["git_http_url"] != git.folder.as_uri()
    assert git("ls-remote", pushed.settings["git_http_url"], "refs/heads/main").split()[0] == newest


def test_target_and_cron_tell_their_events(git: Git) -> None:
    promoted, nightly = order(git, target="production").hook, order(git, cron="nightly").hook
    assert (promoted.event, promoted.deploy_to) == ("promote", "production")
    assert (nightly.event, nightly.cron) == ("cron", "nightly")


def test_the_default_branch_is_the_remote_s_then_main_then_the_current_one(git: Git, tmp_path: Path) -> None:
    git("branch", "--move", "trunk")
    assert order(git).settings["default_branch"] == "trunk"
    git("branch", "main")
    assert order(git).settings["default_branch"] == "main"
    copy = tmp_path / "copy"
    subprocess.run(["git", "clone", "--quiet", git.folder, copy], check=True)
    assert read_order(CLONING, {"repo": str(copy)}).settings["default_branch"] == "trunk"


@pytest.mark.parametrize(
    "name", ["--upload-pack=x", "-n1", "a..b", "main@{1}", "a b", "main^", ":/first", "nothing", "x" * 300]
)
def test_what_is_no_name_of_a_commit_never_reaches_git_as_an_option(git: Git, name: str) -> None:
    with pytest.raises(SubmissionError, match="has no commit"):
        order(git, commit=name)


def test_variables_that_point_git_elsewhere_are_left_out(git: Git, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    Git(other)
    environ = {**os.environ, "GIT_DIR": str(other / ".git"), "GIT_WORK_TREE": str(other)}
    assert GitRepository(git.folder, environ).commit("main").message == "first"


@pytest.mark.parametrize("what", ["missing", "folder", "file"])
def test_a_path_that_is_no_repository_is_named(tmp_path: Path, what: str) -> None:
    path = tmp_path / what
    if what == "folder":
        path.mkdir()
    elif what == "file":
        path.write_text("")
    with pytest.raises(SubmissionError, match=f"option repo: .*{what}"):
        read_order(CLONING, {"repo": str(path)})


def test_without_git_that_is_said(git: Git) -> None:
    with pytest.raises(GitError, match="git is not installed"):
        GitRepository(git.folder, {"PATH": "/nowhere"})


# ---------------------------------------------------------------------- without a repository


def test_without_a_repository_a_pipeline_must_not_clone() -> None:
    with pytest.raises(SubmissionError, match=r"pipeline `a` clones .* --repo PATH, or write `clone: {disable: true}`"):
        read_order(CLONING, {})


def test_only_a_pipeline_that_would_run_needs_a_repository() -> None:
    text = f"{ONE}---\n{CLONING}trigger: {{event: tag}}\n"
    assert read_order(text, {}).slug == "local/sandbox"


def test_other_types_need_no_repository() -> None:
    assert read_order("kind: pipeline\ntype: fib\nname: a\nn: 7\n", {}).settings["git_http_url"] == ""


# ---------------------------------------------------------------------- the file and the options


def test_what_is_wrong_with_the_file_is_shown_with_its_place() -> None:
    with pytest.raises(SubmissionError) as caught:
        read_order("kind: pipeline\ntype: exec\nname: a\nsteps: [{name: x, commands: make}]\n", {})
    assert ".drone.yml:4" in str(caught.value)
    assert "^" in str(caught.value)


def test_unknown_keys_are_errors_where_that_is_asked_for() -> None:
    text = f"{ONE}colour: red\n"
    assert read_order(text, {}).text == text
    with pytest.raises(SubmissionError, match="colour"):
        read_order(text, {"strict": "true"})


def test_host_volumes_need_a_trusted_repository() -> None:
    volumes = "volumes: [{name: v, host: {path: /srv}}]"
    text = f"kind: pipeline\nname: a\nclone: {{disable: true}}\nsteps: [{{name: a, image: b}}]\n{volumes}\n"
    with pytest.raises(SubmissionError, match="trusted"):
        read_order(text, {})
    assert read_order(text, {"trusted": "true"}).settings["trusted"] is True


def test_no_match_names_every_pipeline_and_the_cure() -> None:
    text = manifest("a; trigger: {branch: dev}", "b; trigger: {event: tag}")
    with pytest.raises(SubmissionError) as caught:
        read_order(text, {})
    for said in ("`a`: branch is main", "`b`: event is push", "options event, branch"):
        assert said in str(caught.value)


@pytest.mark.parametrize("text", ["", "kind: secret\nname: a\ndata: abc\n"])
def test_a_file_without_a_pipeline_is_refused(text: str) -> None:
    with pytest.raises(SubmissionError, match="kind: pipeline"):
        read_order(text, {})


def test_an_asked_for_skip_is_said() -> None:
    with pytest.raises(SubmissionError, match="ci skip"):
        read_order(ONE, {"message": "[ci skip]"})


def test_secrets_come_one_by_one_and_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "secrets"
    file.write_text("# a comment\n\nexport A=1\nB = 'two = 2'\nC=\"\n")
    options = {"secret_file": str(file), "secret": "A=9", "secret.KEY": "line\nline=2"}
    found = read_order(ONE, options)
    assert found.secrets == {"A": "9", "B": "two = 2", "C": '"', "KEY": "line\nline=2"}
    assert "two = 2" not in repr(found)


def test_parameters_and_numbers_reach_the_build() -> None:
    found = read_order(ONE, {"param": "A=b=c", "param.D": "e", "timeout": "5", "throttle": "2", "author": "Ann <a@b>"})
    assert found.hook.params == {"A": "b=c", "D": "e"}
    assert (found.settings["timeout"], found.settings["throttle"]) == (5, 2)
    assert (found.hook.author_name, found.hook.author_email) == ("Ann", "a@b")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"colour": "red"}, "unknown option colour"),
        ({"trusted": "yes"}, "trusted is true or false"),
        ({"timeout": "soon"}, "timeout is a number"),
        ({"timeout": "9" * 30}, "timeout is a number"),
        ({"event": "pushed"}, "'pushed' is none of push"),
        ({"event": "promote"}, "needs the option target"),
        ({"event": "tag"}, "needs the option ref"),
        ({"secret": "KEY"}, "write secret=NAME=VALUE"),
        ({"slug": "a/b/c"}, "namespace/name"),
        ({"slug": "../x"}, "namespace/name"),
        ({"author": "<<"}, "author"),
        ({"secret_file": "/nowhere"}, "cannot read"),
    ],
)
def test_a_wrong_option_is_explained(options: Mapping[str, str], said: str) -> None:
    with pytest.raises(SubmissionError, match=said):
        read_order(ONE, options)


def test_a_wrong_line_of_a_secret_file_is_named_without_its_text(tmp_path: Path) -> None:
    file = tmp_path / "secrets"
    file.write_text("A=1\nhunter2\n")
    with pytest.raises(SubmissionError, match="line 2") as caught:
        read_order(ONE, {"secret_file": str(file)})
    assert "hunter2" not in str(caught.value)
