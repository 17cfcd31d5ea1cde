"""`delegate exec --clone`: what is committed, in a folder of its own."""

from __future__ import annotations

from tests.drone.local.command import STEP, Command

SHOW = """
kind: pipeline
type: exec
name: default
steps:
- name: show
  commands:
  - cat file
  - git rev-parse HEAD
  - pwd
  - touch made
"""


def test_the_commit_is_cloned_and_the_folder_is_left_alone(delegate: Command) -> None:
    delegate.write(SHOW)
    delegate.write("one\n", "file")
    commit = delegate.commit()
    ended = delegate("exec", "--clone")
    assert ended.code == 0, ended.both
    assert "[show] one\n" in ended.out
    assert f"[show] {commit}\n" in ended.out
    assert f"[show] {delegate.folder}\n" not in ended.out
    assert not (delegate.folder / "made").exists()
    assert delegate.left_behind() == []


def test_work_that_is_not_committed_is_warned_of_and_not_there(delegate: Command) -> None:
    delegate.write(SHOW)
    delegate.write("one\n", "file")
    delegate.commit()
    delegate.write("two\n", "file")
    ended = delegate("exec", "--clone")
    assert "warning: work that is not committed is not in the clone" in ended.err
    assert "[show] one\n" in ended.out


def test_another_branch_can_be_cloned(delegate: Command) -> None:
    delegate.write(SHOW)
    delegate.write("one\n", "file")
    delegate.commit()
    delegate.git("checkout", "-q", "-b", "other")
    delegate.write("two\n", "file")
    delegate.commit()
    delegate.git("checkout", "-q", "main")
    assert "[show] two\n" in delegate("exec", "--clone", "--branch", "other").out


def test_an_earlier_commit_and_a_tag_can_be_cloned(delegate: Command) -> None:
    delegate.write(SHOW)
    delegate.write("one\n", "file")
    first = delegate.commit()
    delegate.git("tag", "v1")
    delegate.write("two\n", "file")
    delegate.commit()
    assert "[show] one\n" in delegate("exec", "--clone", "--commit", first[:10]).out
    assert "[show] one\n" in delegate("exec", "--clone", "--event", "tag", "--ref", "refs/tags/v1").out


def test_a_folder_without_repository_cannot_be_cloned(delegate: Command) -> None:
    delegate.write(SHOW)
    ended = delegate("exec", "--clone")
    assert ended.code == 2
    assert "is in no git repository" in ended.err


def test_a_detached_head_is_cloned_as_it_is(delegate: Command) -> None:
    delegate.write(SHOW)
    delegate.write("one\n", "file")
    delegate.commit()
    delegate.write("two\n", "file")
    delegate.commit()
    delegate.git("checkout", "-q", "--detach", "HEAD~1")
    ended = delegate("exec", "--clone")
    assert ended.code == 0, ended.both
    assert "[show] one\n" in ended.out


def test_a_bare_repository_is_cloned(delegate: Command) -> None:
    delegate.write(SHOW)
    delegate.write("one\n", "file")
    delegate.commit()
    delegate.git("clone", "-q", "--bare", ".", "bare")
    inside = Command(delegate.folder / "bare", delegate.temporary)
    ended = inside("exec", "../.drone.yml", "--clone")
    assert ended.code == 0, ended.both
    assert "[show] one\n" in ended.out


def test_a_tag_of_the_same_name_does_not_hide_the_branch(delegate: Command) -> None:
    delegate.write(SHOW)
    delegate.write("one\n", "file")
    delegate.commit()
    delegate.git("tag", "main")
    delegate.write("two\n", "file")
    delegate.commit()
    for options in ((), ("--branch", "main")):
        ended = delegate("exec", "--clone", *options)
        assert "refs/heads/main:" in ended.out
        assert "[show] two\n" in ended.out


def test_without_git_nothing_is_cloned_and_the_reason_is_told(delegate: Command) -> None:
    delegate.write(SHOW)
    delegate.commit()
    ended = delegate("exec", "--clone", PATH="/nowhere")
    assert ended.code == 2
    assert "--clone: git is not installed, or not in PATH" in ended.err


def test_an_excluded_clone_leaves_the_folder_empty(delegate: Command) -> None:
    delegate.write(STEP + "  - ls -A | wc -l\n")
    delegate.commit()
    ended = delegate("exec", "--clone", "--exclude", "clone")
    assert ended.code == 0
    assert "[build] 0\n" in ended.out
    assert "[clone]" not in ended.out


def test_a_branch_that_is_not_there_is_named(delegate: Command) -> None:
    delegate.write(SHOW)
    delegate.commit()
    ended = delegate("exec", "--clone", "--branch", "nowhere")
    assert ended.code == 2
    assert "has no branch, tag or commit nowhere" in ended.err


def test_the_clone_of_a_failed_pipeline_is_kept_where_that_is_wanted(delegate: Command) -> None:
    delegate.write(STEP + "  - touch made\n  - test $RESULT = good\n")
    delegate.commit()
    options = ("exec", "--clone", "--keep-failed", "kept", "--param")
    assert delegate(*options, "RESULT=good").code == 0
    assert not (delegate.folder / "kept").exists()
    ended = delegate(*options, "RESULT=bad")
    (kept,) = (delegate.folder / "kept").iterdir()
    assert f"default: its workspace is kept in {kept}\n" in ended.out
    assert (kept / "made").exists()
    assert delegate.left_behind() == []


def test_a_folder_used_in_place_is_not_kept(delegate: Command) -> None:
    delegate.write(SHOW)
    ended = delegate("exec", "--keep-failed", "kept")
    assert ended.code == 2
    assert "give it with --clone" in ended.err
