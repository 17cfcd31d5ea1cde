"""Shapes of steps as real projects write them, run by the real shell."""

from __future__ import annotations

import textwrap

import pytest

from tests.drone.local.command import Command

SHAPES = {
    "cd and export carry over to the next command": (
        """
        commands:
        - mkdir -p cmd && cd cmd
        - export GOFLAGS=-mod=vendor
        - echo "$(basename "$PWD") $GOFLAGS"
        """,
        ["cmd -mod=vendor"],
    ),
    "a block of many lines is one command": (
        """
        commands:
        - |
          set -u
          for version in 18 20; do
            echo "node $version"
          done
        """,
        ["node 18", "node 20"],
    ),
    "a folded block is one line": (
        """
        commands:
        - >
          echo one
          two
        """,
        ["one two"],
    ),
    "values keep the text of the file": (
        """
        environment:
          GO111MODULE: on
          VERSION: 1.10
          MODE: 0755
          EMPTY: ""
        commands:
        - echo "$GO111MODULE $VERSION $MODE [$EMPTY]"
        """,
        ["on 1.10 0755 []"],
    ),
    "quotes, dollars and backticks reach the shell as written": (
        r"""
        commands:
        - echo 'single $HOME' "double" `echo tick` $((1 + 2))
        - 'printf "%s\n" a\ b'
        """,
        ["single $HOME double tick 3", "a b"],
    ),
    "an expression of the build is put in, a doubled dollar is left to the shell": (
        """
        commands:
        - echo ${DRONE_BRANCH##*/} ${DRONE_COMMIT_SHA:0:2}x ${MISSING:-none}
        - NAME=shell; echo $${NAME}
        """,
        ["topic abx none", "shell"],
    ),
    "a pipeline of commands with a continued line": (
        """
        commands:
        - |
          printf 'b\\na\\n' \\
            | sort
        """,
        ["a", "b"],
    ),
    "a step without commands succeeds": ("", []),
    "a heredoc": (
        """
        commands:
        - |
          cat <<EOF
          [build] $((20 + 1)) forged
          EOF
        """,
        ["[build] 21 forged"],
    ),
}


@pytest.mark.parametrize("name", SHAPES)
def test_it_runs(delegate: Command, name: str) -> None:
    body, wanted = SHAPES[name]
    text = textwrap.indent(textwrap.dedent(body), "  ")
    delegate.write(f"kind: pipeline\ntype: exec\nname: default\nsteps:\n- name: build\n{text}")
    ended = delegate("exec", "--branch", "feature/topic", "--commit", "abcdef")
    assert ended.code == 0, ended.both
    lines = [line.removeprefix("[build] ") for line in ended.out.splitlines() if line.startswith("[build]")]
    assert [line for line in lines if line in wanted] == wanted


@pytest.mark.parametrize("place", [0, 1, 2, 3])
def test_after_a_failure_at_any_place_nothing_that_depends_on_it_runs(delegate: Command, place: int) -> None:
    names = ["a", "b", "c", "d"]
    steps = "".join(
        f"- name: {name}\n  commands: [ '{'exit 9' if at == place else f'touch {name}'}' ]\n"
        for at, name in enumerate(names)
    )
    delegate.write(f"kind: pipeline\ntype: exec\nname: default\nsteps:\n{steps}")
    assert delegate("exec").code == 1
    assert sorted(path.name for path in delegate.folder.iterdir() if path.name in names) == names[:place]
