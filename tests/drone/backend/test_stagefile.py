"""Finding a stage's document in the build's manifest."""

from __future__ import annotations

import pytest

from delegate_drone.manifest import Foreign, Pipeline
from delegate_drone.stagefile import Unrunnable, find_document
from delegate_drone.wire import ConfigFile, Details, Repository, Stage

STEPS = "steps: [{name: test, commands: [make]}]"
GOOD = f"kind: pipeline\ntype: exec\nname: good\n{STEPS}\n"
BAD = "kind: pipeline\ntype: exec\nname: bad\nsteps: [{name: test, commands: 7, depends_on: [nobody]}]\n"
SECRET = "kind: secret\nname: token\nget: {path: a, name: b}\n"


def details(text: str, name: str, type_: str = "exec", *, trusted: bool = False) -> Details:
    return Details(
        stage=Stage(id=1, name=name, type=type_),
        config=ConfigFile.of(text),
        repository=Repository(config_path="ci.yml", trusted=trusted),
    )


def test_a_stage_is_found_by_name_and_type_beside_broken_documents_and_with_the_secrets() -> None:
    found = find_document(details(f"{BAD}---\n{GOOD}---\n{SECRET}", "good"), {})
    assert isinstance(found.content, Pipeline)
    assert [secret.name for secret in found.secrets] == ["token"]


@pytest.mark.parametrize(("in_file", "asked"), [("", "default"), ("name: default\n", ""), ("", "")])
def test_a_pipeline_without_a_name_is_called_default(in_file: str, asked: str) -> None:
    text = f"kind: pipeline\ntype: exec\n{in_file}{STEPS}\n"
    assert isinstance(find_document(details(text, asked), {}).content, Pipeline)


def test_a_document_of_another_type_is_a_handlers() -> None:
    found = find_document(details(f"{GOOD}---\nkind: pipeline\ntype: fib\nname: good\nn: 3\n", "good", "fib"), {})
    assert isinstance(found.content, Foreign)


def test_what_the_server_has_settled_between_pipelines_is_no_reason_to_fail() -> None:
    text = f"{GOOD}depends_on: [gone]\n---\n{GOOD.replace('good', 'one')}depends_on: [two]\n---\n"
    text += f"{GOOD.replace('good', 'two')}depends_on: [one]\n"
    for name in ("good", "one", "two"):
        assert isinstance(find_document(details(text, name), {}).content, Pipeline)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (BAD, ["ci.yml:4:", "commands", "(and 1 more)"]),
        ("kind: pipeline\n  type: exec\n", ["ci.yml:2:"]),
        (GOOD, ["ci.yml has no pipeline named bad of type exec"]),
        ("", ["ci.yml"]),
        ("kind: pipeline\ntype: docker\nname: bad\nsteps: [{name: a, image: b}]\n", ["no pipeline named bad"]),
    ],
)
def test_a_stage_that_cannot_run_says_where_and_why(text: str, says: list[str]) -> None:
    with pytest.raises(Unrunnable) as caught:
        find_document(details(text, "bad"), {})
    assert all(words in str(caught.value) for words in says), str(caught.value)


def test_what_only_trusted_repositories_may_ask_for_is_refused() -> None:
    text = "kind: pipeline\ntype: docker\nname: x\nsteps: [{name: a, image: b, privileged: true}]\n"
    assert isinstance(find_document(details(text, "x", "docker", trusted=True), {}).content, Pipeline)
    with pytest.raises(Unrunnable, match="privileged"):
        find_document(details(text, "x", "docker"), {})


def test_variables_are_put_in() -> None:
    text = f"kind: pipeline\ntype: exec\nname: good\n{STEPS.replace('make', 'make ${DRONE_BRANCH}')}\n"
    content = find_document(details(text, "good"), {"DRONE_BRANCH": "main"}).content
    assert isinstance(content, Pipeline)
    assert content.steps[0].commands == ("make main",)
