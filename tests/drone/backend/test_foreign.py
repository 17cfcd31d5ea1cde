"""Pipelines of other types as a handler's data."""

from __future__ import annotations

import pytest

from delegate_drone.foreign import MissingSecret, handler_data, secret_names, wanted_timeout
from delegate_drone.manifest import Foreign, load_manifest


def document(text: str) -> Foreign:
    (found,) = load_manifest(f"kind: pipeline\ntype: fib\nname: x\n{text}").documents
    assert isinstance(found.content, Foreign)
    return found.content


def test_the_keys_that_drone_knows_are_no_data() -> None:
    text = (
        "n: 30\ntrigger: {branch: main}\ndepends_on: [a]\nplatform: {os: linux}\nnode: {a: b}\nclone: {disable: true}\n"
        "concurrency: {limit: 1}\nversion: 7\ntimeout: 5\n"
    )
    assert handler_data(document(text), {}) == {"n": 30, "version": 7, "timeout": 5}


def test_values_are_typed_as_in_settings_and_anything_json_can_hold() -> None:
    text = "a: yes\nb: 010\nc: 1.5\nd: ~\ne: [1, {f: x}]\ng: !!binary aGk=\nh: .inf\ni: '010'\n"
    expected = {"a": True, "b": 8, "c": 1.5, "d": None, "e": [1, {"f": "x"}], "g": "aGk=", "h": "inf", "i": "010"}
    assert handler_data(document(text), {}) == expected


def test_secrets_are_put_in_at_any_depth() -> None:
    found = document("a: {from_secret: one}\nb: [{c: {from_secret: two}}]\nd: {from_secret: one, or: other}\n")
    assert secret_names(found) == ("one", "two")
    data = handler_data(found, {"one": "1", "two": "2"})
    assert data == {"a": "1", "b": [{"c": "2"}], "d": {"from_secret": "one", "or": "other"}}


def test_a_secret_that_is_not_there_is_named() -> None:
    with pytest.raises(MissingSecret, match="token"):
        handler_data(document("a: {from_secret: token}"), {})


@pytest.mark.parametrize(
    ("text", "data"),
    [
        ("x-delegate: {data: [1, 2]}\nn: 3\n", [1, 2]),
        ("x-delegate: {data: {name: mine}}\n", {"name": "mine"}),
        ("x-delegate: {data: }\n", None),
        ("x-delegate: {timeout: 3}\n", {}),
        ("", {}),
    ],
)
def test_data_of_any_shape_stands_in_our_own_section(text: str, data: object) -> None:
    assert handler_data(document(text), {}) == data


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("x-delegate: {timeout: 2.5}\n", 2.5),
        ("x-delegate: {timeout: 0}\n", None),
        ("x-delegate: {timeout: true}\n", None),
        ("x-delegate: {timeout: soon}\n", None),
        ("x-delegate: {timeout: .inf}\n", None),
        ("x-delegate: 7\n", None),
        ("timeout: 9\n", None),
    ],
)
def test_a_document_may_want_an_earlier_deadline(text: str, seconds: float | None) -> None:
    assert wanted_timeout(document(text)) == seconds
