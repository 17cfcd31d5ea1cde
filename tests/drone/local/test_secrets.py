"""Secrets reach the steps that ask for them, and no output."""

from __future__ import annotations

import base64
import json

import pytest

from delegate_drone.encrypted import encrypt
from tests.drone.local.command import Command

SECRET = "correct-horse-battery"


def asking(*commands: str) -> str:
    lines = "".join(f"  - {json.dumps(command)}\n" for command in commands)
    return (
        "kind: pipeline\ntype: exec\nname: default\nsteps:\n- name: build\n"
        "  environment:\n    TOKEN: {from_secret: token}\n  commands:\n" + lines
    )


PRINTED = [
    'echo "$TOKEN"',
    'printf %s "$TOKEN" | base64',
    'printf "user:%s" "$TOKEN" | base64',
    'for part in correct -hor se-bat; do printf %s "$part"; sleep 0.05; done; echo tery',
    'printf "before $TOKEN"',
    'echo "$TOKEN" >&2',
    "printf '\\033[31m%s\\033[0m\\n' \"$TOKEN\"",
    'echo "$TOKEN" | grep --color=always horse',
    'printf %s "$TOKEN" | od -An -v -tx1 | tr -d " \\n"',
]


@pytest.mark.parametrize("command", PRINTED)
@pytest.mark.parametrize("console", ["plain", "json"])
def test_a_secret_is_hidden_in_whatever_form_it_is_printed(delegate: Command, command: str, console: str) -> None:
    delegate.write(f"token={SECRET}\n", "secrets.env")
    delegate.write(asking(command))
    ended = delegate("exec", "--secret-file", "secrets.env", "--console", console)
    assert ended.code == 0
    assert "******" in ended.out
    assert SECRET not in ended.both
    for encoded in (SECRET, f"user:{SECRET}"):
        assert base64.b64encode(encoded.encode()).decode() not in ended.both


def test_the_step_has_the_value(delegate: Command) -> None:
    delegate.write(asking('printf %s "$TOKEN" > got'))
    assert delegate("exec", "--secret", "token", token=SECRET).code == 0
    assert (delegate.folder / "got").read_text() == SECRET


def test_a_secret_that_no_step_asked_for_is_hidden_too(delegate: Command) -> None:
    delegate.write(f"token=x-y-z\nother={SECRET}\n", "secrets.env")
    delegate.write(asking("cat secrets.env"))
    ended = delegate("exec", "--secret-file", "secrets.env")
    assert SECRET not in ended.both
    assert "[build] other=******\n" in ended.out


def test_a_missing_secret_is_warned_of_by_name_before_anything_runs(delegate: Command) -> None:
    delegate.write(asking('echo "<$TOKEN>"'))
    ended = delegate("exec")
    assert 'delegate: warning: secret "token" is not given: it is empty' in ended.err
    assert "[build] <>\n" in ended.out


def test_a_secret_too_short_to_hide_is_warned_of(delegate: Command) -> None:
    delegate.write(asking("true"))
    ended = delegate("exec", "--secret", "token", token="ab")
    assert 'warning: secret "token" is too short to be hidden' in ended.err


def test_a_secret_name_is_found_in_any_case(delegate: Command) -> None:
    delegate.write(asking('printf %s "$TOKEN" > got'))
    ended = delegate("exec", "--secret", "TOKEN", TOKEN=SECRET)
    assert "warning" not in ended.err
    assert (delegate.folder / "got").read_text() == SECRET


def test_a_value_on_the_command_line_is_refused_and_not_repeated(delegate: Command) -> None:
    delegate.write(asking("true"))
    ended = delegate("exec", "--secret", f"token={SECRET}")
    assert ended.code == 2
    assert SECRET not in ended.both


def test_the_plan_shows_no_secret(delegate: Command) -> None:
    delegate.write(f"token={SECRET}\n", "secrets.env")
    delegate.write(asking("true").replace("TOKEN:", f"PLAIN: in-{SECRET}\n    TOKEN:"))
    for form in ([], ["--json"]):
        ended = delegate("plan", "--env", "--secret-file", "secrets.env", *form)
        assert SECRET not in ended.both
        assert "******" in ended.out


@pytest.mark.parametrize(
    ("line", "place"),
    [(f"{SECRET}", "line 2"), (f"token='{SECRET}", "line 2"), (f"1token={SECRET}", "line 2")],
)
def test_a_line_that_cannot_be_read_is_named_and_not_shown(delegate: Command, line: str, place: str) -> None:
    delegate.write(f"ok=1\n{line}\n", "secrets.env")
    delegate.write(asking("true"))
    for option in ("--secret-file", "--env-file"):
        ended = delegate("exec", option, "secrets.env")
        assert ended.code == 2
        assert place in ended.err
        assert "secrets.env" in ended.err
        assert SECRET not in ended.both


KEY = b"an-invented-key-"


def with_encrypted(data: str) -> str:
    return asking("printf %s $TOKEN > got", "echo $TOKEN") + f"---\nkind: secret\nname: token\ndata: {data}\n"


def test_a_secret_encrypted_in_the_file_is_opened_with_the_key(delegate: Command) -> None:
    delegate.write(with_encrypted(encrypt(SECRET, KEY)))
    delegate.write(KEY.decode() + "\n", "key")
    ended = delegate("exec", "--secret-key-file", "key")
    assert ended.code == 0
    assert (delegate.folder / "got").read_text() == SECRET
    assert SECRET not in ended.both
    delegate("exec", "--secret-key-file", "key", "--secret", "token", token="given")
    assert (delegate.folder / "got").read_text() == "given"


@pytest.mark.parametrize(
    ("key", "why"), [("another-made-key", "another key"), ("short", "5 bytes instead of 16, 24 or 32")]
)
def test_the_wrong_key_runs_nothing_and_says_why(delegate: Command, key: str, why: str) -> None:
    delegate.write(with_encrypted(encrypt(SECRET, KEY)))
    delegate.write(key, "key")
    ended = delegate("exec", "--secret-key-file", "key")
    assert ended.code == 2
    assert 'secret "token" cannot be decrypted' in ended.err
    assert why in ended.err
    assert key not in ended.err
