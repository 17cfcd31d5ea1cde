"""`delegate lint`: everything that is wrong, for people and for programs."""

from __future__ import annotations

import json

import pytest

from tests.drone.local.command import STEP, Command

GOOD = STEP + "  - 'true'\n"
WARNED = GOOD + "  volums: []\n"
BROKEN = GOOD + "- name: build\n"


def test_a_good_file_gets_one_line_and_success(delegate: Command) -> None:
    delegate.write(GOOD)
    ended = delegate("lint")
    assert (ended.code, ended.out) == (0, "1 file: nothing wrong\n")


def test_warnings_are_shown_with_their_place_and_cure_and_are_no_failure(delegate: Command) -> None:
    delegate.write(WARNED)
    ended = delegate("lint")
    assert ended.code == 0
    assert ".drone.yml:8:3: warning: step `build` has no key `volums`" in ended.out
    assert "8 |   volums: []" in ended.out
    assert "did you mean `volumes`?" in ended.out
    assert ended.out.endswith("1 file: 1 warning\n")


def test_strict_makes_unknown_keys_errors(delegate: Command) -> None:
    delegate.write(WARNED)
    assert delegate("lint", "--strict").code == 1


def test_all_problems_of_all_files_are_shown(delegate: Command) -> None:
    delegate.write(BROKEN, "one.yml")
    delegate.write(WARNED, "two.yml")
    delegate.write(GOOD, "folder/.drone.yml")
    ended = delegate("lint", "one.yml", "two.yml", "folder")
    assert ended.code == 1
    assert "one.yml:8:3: error: the name `build` is taken" in ended.out
    assert "two.yml:8:3: warning" in ended.out
    assert ended.out.endswith("3 files: 1 error and 1 warning\n")


def test_standard_input_is_a_file_too(delegate: Command) -> None:
    ended = delegate("lint", "-", stdin=BROKEN.encode())
    assert ended.code == 1
    assert "standard input:8:3: error" in ended.out


def test_json_has_every_part_of_a_problem(delegate: Command) -> None:
    delegate.write(BROKEN)
    ended = delegate("lint", "--json")
    (problem,) = json.loads(ended.out)
    message, cure = problem.pop("message"), problem.pop("cure")
    assert problem == {"file": ".drone.yml", "line": 8, "column": 3, "severity": "error", "code": "duplicate-step"}
    assert message
    assert cure
    assert ended.code == 1


def test_what_only_trusted_repositories_may_is_an_error_without_trust(delegate: Command) -> None:
    delegate.write("kind: pipeline\nname: p\nsteps:\n- name: a\n  image: i\n  privileged: true\n")
    assert (delegate("lint").code, delegate("lint", "--trusted").code) == (1, 0)


@pytest.mark.parametrize("text", ["", "\n\n# nothing\n", "---\n---\n"])
def test_an_empty_file_is_said_to_be_empty(delegate: Command, text: str) -> None:
    delegate.write(text)
    ended = delegate("lint")
    assert ended.code == 1
    assert "there is nothing in this file" in ended.out


def test_the_old_format_is_explained(delegate: Command) -> None:
    delegate.write("pipeline:\n  build:\n    image: go\n")
    ended = delegate("lint")
    assert ended.code == 1
    assert "format of Drone 0.8" in ended.out


def test_bytes_that_are_no_text_are_a_problem_and_no_crash(delegate: Command) -> None:
    ended = delegate("lint", "-", stdin=b"kind: pipeline\nname: \xff\xfe\x00\n")
    assert ended.code == 1
    assert "error" in ended.out


def test_a_name_with_control_characters_cannot_move_the_cursor(delegate: Command) -> None:
    delegate.write(GOOD + '- name: "\\e[2Jx"\n- name: "\\e[2Jx"\n')
    ended = delegate("lint")
    assert ended.code == 1
    assert "\x1b" not in ended.out


def test_a_file_that_is_not_there_is_named_with_the_one_that_is(delegate: Command) -> None:
    delegate.write(GOOD, ".drone.yaml")
    ended = delegate("lint")
    assert ended.code == 2
    assert ended.err == "delegate: there is no file .drone.yml; did you mean .drone.yaml?\n"


def test_a_byte_that_is_not_utf8_is_an_error_where_it_stands_and_fails_only_its_document(delegate: Command) -> None:
    text = f"{GOOD}---\n{STEP.replace('name: default', 'name: other')}  - echo caf".encode() + b"\xe9\n"
    delegate.write("").write_bytes(text)
    line = text.count(b"\n")
    ended = delegate("lint")
    assert ended.code == 1
    assert f".drone.yml:{line}:13: error: the byte 0xE9 is not UTF-8" in ended.out
    assert "save the file as UTF-8" in ended.out
    assert ended.out.endswith("1 file: 1 error\n")


def test_a_step_indented_as_far_as_the_commands_above_it_is_an_error(delegate: Command) -> None:
    delegate.write(STEP + "  - make\n  - name: test\n  commands:\n  - make test\n")
    ended = delegate("lint")
    assert ended.code == 1
    assert "an item of `commands` of step `build` must be a text; it is a map" in ended.out
    assert "is the indentation wrong?" in ended.out
