"""What becomes of from_secret."""

from __future__ import annotations

import pytest

from delegate_drone.compiler import secret_names
from tests.drone.compiler.pipelines import BARE, DOCKER, EXEC, compiled, one_step, pipeline, step

FROM_SECRET = "environment: { V: { from_secret: s } }"


@pytest.mark.parametrize("type_", [EXEC, DOCKER])
@pytest.mark.parametrize("name", ["s", "S"])
def test_a_secret_is_a_masked_variable(type_: str, name: str) -> None:
    found = one_step(FROM_SECRET, type_=type_, secrets={name: "hidden"})
    assert found.variables()["V"] == "hidden"
    assert "V" not in found.environment
    assert [(secret.name, secret.mask) for secret in found.secrets] == [("s", True)]


@pytest.mark.parametrize("type_", [EXEC, DOCKER])
@pytest.mark.parametrize("secrets", [{}, {"s": ""}])
def test_an_unknown_or_empty_secret_is_defined_and_empty(type_: str, secrets: dict[str, str]) -> None:
    assert one_step(FROM_SECRET, type_=type_, secrets=secrets).variables()["V"] == ""


def test_a_value_stands_in_for_an_unknown_secret_alone() -> None:
    fields = "environment: { V: { from_secret: s, value: public } }"
    assert one_step(fields).variables()["V"] == "public"
    assert one_step(fields, secrets={"s": "hidden"}).variables()["V"] == "hidden"


def test_a_setting_from_a_secret_is_a_variable_of_the_plugin() -> None:
    found = one_step("settings: { api-key: { from_secret: s } }", secrets={"s": "hidden"})
    assert found.variables()["PLUGIN_API-KEY"] == "hidden"
    assert "PLUGIN_API-KEY" not in found.environment


def test_one_steps_secret_is_masked_in_the_whole_stage() -> None:
    text = f"{EXEC}{BARE}steps:\n- name: a\n  {FROM_SECRET}\n- name: b\n"
    stage = compiled(text, secrets={"s": "hidden"}, masked_environment={"M": "also"})
    assert set(stage.masks()) == {"hidden", "also"}
    assert "V" not in step(stage, "b").variables()
    assert "hidden" not in repr(stage)


NAMED = """
image_pull_secrets: [ r ]
services: [ { name: d, image: i, environment: { A: { from_secret: s1 } } } ]
steps:
- { name: a, image: i, environment: { A: { from_secret: s2 } }, settings: { b: { from_secret: s3 } } }
- { name: b, image: i, environment: { A: { from_secret: s2 }, B: x } }
"""


def test_all_secrets_of_a_pipeline_are_named_once() -> None:
    assert secret_names(pipeline(DOCKER + NAMED)) == ("r", "s1", "s2", "s3")


def test_an_exec_pipeline_asks_only_for_what_it_uses() -> None:
    assert secret_names(pipeline(EXEC + NAMED.replace(", image: i", ""))) == ("s2",)
