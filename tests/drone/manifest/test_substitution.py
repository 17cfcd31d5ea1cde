"""What `${...}` becomes, and that nothing written there ever crashes."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from delegate_drone.manifest import SubstitutionError, load_manifest, substitute

VARIABLES = {
    "V": "value",
    "TAG": "v1.2.3",
    "REF": "refs/heads/feature/x",
    "SHA": "0123456789abcdef",
    "EMPTY": "",
    "TWO": "a-b-a",
    "UPPER": "ABC",
}

TABLE = [
    ("$V $(x) $ 100$", "$V $(x) $ 100$"),
    ("${V}", "value"),
    ("a${V}b${TAG}", "avaluebv1.2.3"),
    ("${NONE}", ""),
    ("$${V} $$V $$$${V}", "${V} $V $${V}"),
    ("${NONE:-d}${EMPTY:=e}${NONE=f}", "def"),
    ("${V:-d}${V:=d}${V=d}", "valuevaluevalue"),
    ("${NONE:?d}${NONE:+e}", "de"),
    ("${NONE:-${ALSO:-${V}}}", "value"),
    ("${NONE:-a${V}b}", "avalueb"),
    ("${NONE:-}", ""),
    ("${#V}", "5"),
    ("${V^} ${V^^} ${UPPER,} ${UPPER,,}", "Value VALUE aBC abc"),
    ("${SHA:0:8}", "01234567"),
    ("${SHA:8}", "89abcdef"),
    ("${SHA:x}${V:0:y}", "0123456789abcdefvalue"),
    ("${V:99}", ""),
    ("${V:1:-1}", "alu"),
    ("${V:3:-4}", ""),
    ("${V: -2}", "ue"),
    ("${V:\x1d2}", "lue"),
    ("${TAG#v}", "1.2.3"),
    ("${TAG##v}", "1.2.3"),
    ("${REF#*/}", "heads/feature/x"),
    ("${REF##*/}", "x"),
    ("${REF%/*}", "refs/heads/feature"),
    ("${REF%%/*}", "refs"),
    ("${TAG#[a-z]}", "1.2.3"),
    ("${TAG#?1}", ".2.3"),
    ("${TAG#nothing}", "v1.2.3"),
    ("${TWO/a/c} ${TWO//a/c} ${TWO/#a/c} ${TWO/%a/c}", "c-b-a c-b-c c-b-a a-b-c"),
    ("${REF//\\//-}", "refs-heads-feature-x"),
    ("${TWO//a}", "-b-"),
    ("${TWO/*/c}", "a-b-a"),
]

REFUSED = [
    "${V",
    "${}",
    "${V.x}",
    "${ V }",
    "${V[0]}",
    "${!V}",
    "${V@Q}",
    "${V-d}",
    "${{ secrets.X }}",
    "${V^^a}",
    "${",
]


@pytest.mark.parametrize(("text", "result"), TABLE)
def test_every_form_gives_what_drone_gives(text: str, result: str) -> None:
    assert substitute(text, VARIABLES) == result


@pytest.mark.parametrize("text", REFUSED)
def test_what_drone_cannot_read_is_an_error_with_its_place_and_a_cure(text: str) -> None:
    with pytest.raises(SubstitutionError) as caught:
        substitute("ok " + text, VARIABLES)

    assert caught.value.offset == 3
    assert caught.value.cure


@given(st.text(alphabet="${}V:-#%/^,\\*?[]a1 \n", max_size=60))
def test_any_text_is_substituted_or_refused(text: str) -> None:
    with suppress(SubstitutionError):
        assert isinstance(substitute(text, VARIABLES), str)


@given(st.text())
def test_a_text_whose_dollars_are_doubled_comes_out_as_it_was(text: str) -> None:
    assert substitute(text.replace("$", "$$"), VARIABLES) == text


@given(st.text(), st.text(alphabet="ab*?", max_size=8), st.sampled_from(["#", "##", "%", "%%"]))
def test_trimming_only_takes_from_one_end(value: str, pattern: str, operator: str) -> None:
    rest = substitute(f"${{X{operator}{pattern}}}", {"X": value})

    assert value.endswith(rest) if operator[0] == "#" else value.startswith(rest)


def test_a_pattern_of_many_stars_takes_no_time() -> None:
    assert substitute("${X##*a*a*a*a*a*a*a*a*a*a*b}", {"X": "a" * 5000}) == "a" * 5000


def test_a_text_that_grows_without_measure_is_refused() -> None:
    with pytest.raises(SubstitutionError, match="too long"):
        substitute("${X}" * 3000, {"X": "x" * 1000})


def test_deep_nesting_is_refused() -> None:
    with pytest.raises(SubstitutionError, match="inside one another"):
        substitute("${A:-" * 5000 + "}" * 5000, {})


STEP = "kind: pipeline\ntype: exec\nsteps:\n- name: a\n"


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_a_value_never_changes_the_structure(value: str) -> None:
    text = STEP + "  commands:\n  - echo ${MESSAGE}\n  environment:\n    A: ${MESSAGE}\n"
    [pipeline] = load_manifest(text, variables={"MESSAGE": value}).pipelines

    assert pipeline.steps[0].commands == ("echo " + value,)
    assert pipeline.steps[0].environment == ({"A": value} if value else {})


def test_an_expression_in_a_flow_list_is_one_text() -> None:
    text = "kind: pipeline\nsteps:\n- name: a\n  image: x\n"
    text += "  settings: {tags: [ ${TAG}-arm, latest, ${N:-a, b}], t: ${TAG}}\n"
    [pipeline] = load_manifest(text, variables=VARIABLES).pipelines

    assert pipeline.steps[0].settings == {"tags": ("v1.2.3-arm", "latest", "a, b"), "t": "v1.2.3"}


def test_a_substituted_setting_stays_text_where_a_written_one_is_typed() -> None:
    text = "kind: pipeline\nsteps:\n- name: a\n  image: x\n  settings: {a: 1.10, b: '${N}', c: ${N}}\n"
    [pipeline] = load_manifest(text, variables={"N": "1.10"}).pipelines

    assert pipeline.steps[0].settings == {"a": 1.1, "b": "1.10", "c": "1.10"}


def test_a_truth_value_may_come_from_a_variable() -> None:
    [pipeline] = load_manifest(STEP + "  detach: ${YES}\n", variables={"YES": "true"}).pipelines

    assert pipeline.steps[0].detach


def test_a_bad_expression_in_a_block_is_shown_at_its_line_and_column() -> None:
    text = STEP + "  commands:\n  - |\n    echo one ${V}\n    echo ${V.x}\n"
    [error] = [problem for problem in load_manifest(text).errors if problem.code == "substitution"]

    assert (error.line, error.column) == (8, 10)
    assert "echo ${V.x}" in error.excerpt


def test_comments_may_say_what_they_like() -> None:
    assert not load_manifest("# ${{ x }} ${...}\n" + STEP + "  commands: [ a ] # ${\n").problems


def test_characters_that_stand_in_for_others_come_out_as_they_are() -> None:
    text = STEP + '  environment: {A: "\\ue000\\ue001 ${V}", B: "\ue002 ${V}"}\n'
    [pipeline] = load_manifest(text, variables=VARIABLES).pipelines

    assert pipeline.steps[0].environment == {"A": "\ue000\ue001 value", "B": "\ue002 value"}


def test_variables_in_keys_and_in_the_shell_s_form_stay() -> None:
    text = STEP + "  commands: [ 'echo $V $${V}' ]\n  environment: {'${V}': x}\n"
    [pipeline] = load_manifest(text, variables=VARIABLES).pipelines

    assert pipeline.steps[0].commands == ("echo $V ${V}",)
    assert pipeline.steps[0].environment == {"${V}": "x"}
