"""Mistakes end with a clear text and exit status 2, before anything runs, and never with a traceback."""

from __future__ import annotations

import pytest

from tests.drone.local.command import STEP, Command

GOOD = STEP + "  - touch ran\n"

MISTAKES = [
    (["missing.yml"], "there is no file missing.yml"),
    (["folder"], "there is no file folder/.drone.yml"),
    (["good.yml", "--pipeline", "defualt"], 'there is no pipeline "defualt"; did you mean "default"?'),
    (["good.yml", "--pipeline", "zzz"], 'there is no pipeline "zzz"; the file has default'),
    (["good.yml", "--event", "pull-request"], "there is no such event; did you mean pull_request?"),
    (["good.yml", "--event", "zzz"], "events are push, pull_request"),
    (["good.yml", "--repo", "engine"], "write it as owner/name"),
    (["good.yml", "--include", "a", "--exclude", "a"], 'step "a" is named by --include and by --exclude'),
    (["good.yml", "--include", "biuld"], 'there is no step "biuld" to include or exclude; did you mean "build"?'),
    (["good.yml", "--exclude", "zzz"], 'there is no step "zzz"'),
    (["good.yml", "--secret", "NOT_SET"], "there is no environment variable of that name"),
    (["good.yml", "--secret-file", "missing.env"], "missing.env"),
    (["good.yml", "--env-file", "folder"], "folder"),
    (["good.yml", "--registry", "missing.json"], "there is no file missing.json"),
    (
        ["good.yml", "--registry", "good.yml"],
        "--registry good.yml: it is not JSON: give the text of a docker config.json",
    ),
    (["good.yml", "--volume", "cache"], "--volume: cache is no volume: write HOST:CONTAINER"),
    (["good.yml", "--volume", "cache:x"], "is no absolute path"),
    (["syntax.yml"], "syntax.yml has 1 error: nothing was run"),
    (["duplicate.yml"], "the name `build` is taken by the step on line 5"),
    (["old.yml"], "format of Drone 0.8"),
    (["empty.yml"], "there is nothing in this file"),
    (["secret.yml"], "secret.yml has no pipeline"),
    (["substitution.yml"], "substitution.yml:7:"),
    (["foreign.yml"], "it is of type ssh, which no installed engine runs"),
]
RUNNING = [
    (["good.yml", "--timeout", "soon"], "--timeout: give a number of seconds"),
    (["good.yml", "--timeout", "0"], "--timeout: give more than 0"),
    (["good.yml", "--console", "pretty"], "--console pretty: it is one of auto, live, plain, json"),
    (["good.yml", "--nonsense"], "--nonsense"),
]


@pytest.fixture(autouse=True)
def _files(delegate: Command) -> None:
    delegate.write(GOOD, "good.yml")
    delegate.write(GOOD + "  - [\n", "syntax.yml")
    delegate.write(GOOD + "- name: build\n", "duplicate.yml")
    delegate.write("pipeline:\n  build:\n    image: go\n", "old.yml")
    delegate.write("# nothing\n", "empty.yml")
    delegate.write("kind: secret\nname: s\ndata: abc\n", "secret.yml")
    delegate.write(STEP + "  - echo ${{ x }}\n", "substitution.yml")
    delegate.write("kind: pipeline\ntype: ssh\nname: p\nsteps: []\n", "foreign.yml")
    (delegate.folder / "folder").mkdir()


@pytest.mark.parametrize(("arguments", "words"), MISTAKES + RUNNING)
def test_exec_refuses(delegate: Command, arguments: list[str], words: str) -> None:
    ended = delegate("exec", *arguments)
    assert ended.code == 2
    assert words in " ".join(ended.err.split())
    assert not (delegate.folder / "ran").exists()
    assert delegate.left_behind() == []


@pytest.mark.parametrize(("arguments", "words"), [each for each in MISTAKES if "of type ssh" not in each[1]])
def test_plan_refuses_the_same(delegate: Command, arguments: list[str], words: str) -> None:
    ended = delegate("plan", *arguments)
    assert ended.code == 2
    assert words in ended.err


def test_problems_are_shown_with_the_lines_of_the_file(delegate: Command) -> None:
    ended = delegate("exec", "duplicate.yml")
    assert "8 | - name: build" in ended.err
    assert "give each step a name of its own" in ended.err
    assert ended.out == ""


def test_warnings_are_shown_and_it_runs(delegate: Command) -> None:
    delegate.write(GOOD + "  volums: []\n")
    ended = delegate("exec")
    assert ended.code == 0
    assert "warning: step `build` has no key `volums`" in ended.err
    assert delegate("exec", "--strict").code == 2


def test_a_broken_pipeline_does_not_hinder_one_that_was_chosen(delegate: Command) -> None:
    broken = GOOD.replace("default", "broken") + "- name: build\n"
    delegate.write(GOOD + "---\n" + broken)
    assert delegate("exec").code == 2
    assert delegate("exec", "--pipeline", "default").code == 0
    assert delegate("exec", "--pipeline", "broken").code == 2


def test_a_cycle_of_pipelines_is_refused(delegate: Command) -> None:
    one, two = (
        GOOD.replace("default", name) + f"depends_on: [ {other} ]\n" for name, other in (("a", "b"), ("b", "a"))
    )
    delegate.write(one + "---\n" + two)
    ended = delegate("exec")
    assert ended.code == 2
    assert "wait for each other" in ended.err
