"""How a plugin's settings become variables."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from delegate_drone.compiler.settings import encode, plugin_variables
from tests.drone.compiler.pipelines import EXEC, one_step

TABLE = [
    ("text", "text"),
    ("'yes'", "yes"),
    ("yes", "true"),
    ("off", "false"),
    ("010", "8"),
    ("1.10", "1.1"),
    ("2.0", "2"),
    ("1e+30", "1e+30"),
    ("-.inf", "-Inf"),
    ("!!binary aGk=", "aGk="),
    ("[ a, 1, true, 1.5 ]", "a,1,true,1.5"),
    ("[]", ""),
    ("[ a, [ b ] ]", '["a",["b"]]'),
    ("[ { b: 1, a: x } ]", '[{"a":"x","b":1}]'),
    ("{ b: [ 1 ], a: ü }", '{"a":"ü","b":[1]}'),
    ("{ from: !!binary aGk=, n: .nan }", '{"from":"aGk=","n":"NaN"}'),
]


@pytest.mark.parametrize(("written", "expected"), TABLE)
def test_a_setting_is_encoded(written: str, expected: str) -> None:
    assert one_step(f"settings: {{ key: {written} }}").environment.get("PLUGIN_KEY", "") == expected


def test_only_the_case_of_a_key_changes_and_null_is_left_out() -> None:
    assert plugin_variables({"dry-run.x": True, "none": None}) == {"PLUGIN_DRY-RUN.X": "true"}


def test_a_step_on_the_host_has_no_settings() -> None:
    assert not [name for name in one_step("settings: { a: b }", type_=EXEC).environment if name.startswith("PLUGIN_")]


SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
DEEP = st.recursive(SCALARS, lambda inner: st.lists(inner).map(tuple) | st.dictionaries(st.text(), inner), max_leaves=8)


@given(st.dictionaries(st.text(), DEEP))
def test_a_map_comes_back_from_its_json(value: dict[str, object]) -> None:
    assert json.loads(encode(value)) == json.loads(json.dumps(value))  # type: ignore[arg-type]  # strategies type loosely


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_comes_back_from_its_text(value: float) -> None:
    assert float(encode(value)) == value


@given(st.lists(st.integers() | st.text(alphabet="abc"), min_size=1).map(tuple))
def test_a_flat_list_has_commas_between(value: tuple[int | str, ...]) -> None:
    assert encode(value).split(",") == [str(each) for each in value]
