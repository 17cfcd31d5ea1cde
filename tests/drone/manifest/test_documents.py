"""Files, documents and YAML: what is accepted, kept, merged and bounded."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from delegate_drone.manifest import Foreign, Manifest, Pipeline, Secret, SecretRef, Severity, Signature, load_manifest

STEP = "kind: pipeline\ntype: exec\nname: p\nsteps:\n- name: a\n  commands:\n  - x\n"
TOKENS = ["kind: pipeline", "steps:", "- ", "  ", "\n", "\t", "---", "...", "name: a", "{", "}", "[", "]", "&a ", "*a"]
TOKENS += [
    "<<: ",
    ": ",
    "'",
    '"',
    "|",
    ">",
    "#",
    "when:",
    "${",
    "}",
    "!!binary ",
    "commands:",
    "image: x",
    "\r\n",
    "? ",
]
TOKENS += [
    "? ",
    "type: exec",
    "environment:",
    "from_secret: s",
    "depends_on: [a]",
    "\u2028",
    "\x00",
    "\ud800",
    "\ue000",
]


def codes(manifest: Manifest) -> list[str]:
    return [problem.code for problem in manifest.problems]


@given(st.text() | st.lists(st.sampled_from(TOKENS), max_size=40).map("".join))
@settings(max_examples=300)
def test_any_text_gives_a_manifest_and_never_an_exception(text: str) -> None:
    for problem in load_manifest(text, variables={"a": "b"}, trusted=False).problems:
        assert problem.line >= 1
        assert problem.column >= 1
        assert problem.render().startswith(f".drone.yml:{problem.line}:{problem.column}: ")


@given(
    st.text(
        st.characters(
            codec="utf-8", exclude_categories=["Cc", "Cs"], exclude_characters="\ufeff\u2028\u2029\ufffe\uffff"
        )
    )
)
def test_a_quoted_text_comes_out_as_it_was_written(text: str) -> None:
    quoted = "'" + text.replace("'", "''") + "'"
    [pipeline] = load_manifest(STEP + f"  environment: {{A: {quoted}}}\n").pipelines or [None]

    if pipeline is not None:  # a text may hold a substitution that is refused
        assert pipeline.steps[0].environment["A"] == text
    else:
        assert "${" in text


@pytest.mark.parametrize(
    "text", ["1.10", "010", "yes", "on", "1e3", "0x1F", "2001-01-01", "1_000", "y", "12:30:45", ".5", "true", "-0"]
)
def test_an_environment_value_keeps_its_text(text: str) -> None:
    [pipeline] = load_manifest(STEP + f"  environment: {{A: {text}}}\n").pipelines

    assert pipeline.steps[0].environment == {"A": text}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("yes", True),
        ("y", True),
        ("N", False),
        ("oFF", "oFF"),
        ("'y'", "y"),
        ("010", 8),
        ("0o17", 15),
        ("0b11", 3),
        ("0x0006e", 110),
        ("-0x1", -1),
        ("089", 89.0),
        ("1_000", 1000),
        ("+1", 1),
        ("1.10", 1.1),
        (".5", 0.5),
        ("1e3", "1e3"),
        ("1e+3", 1000.0),
        ("1.", "1."),
        ("1:30", "1:30"),
        ("2001-01-01", "2001-01-01"),
        ("18446744073709551615", 2**64 - 1),
        ("99999999999999999999", 1e20),
        ("!!str 1", "1"),
        ("!!int '3'", 3),
        ("!!float 1", 1.0),
        ("!!binary aGk=", b"hi"),
        ("!foo 3", "3"),
        ("_1", "_1"),
        ("[a, 1, {b: c}]", ("a", 1, {"b": "c"})),
    ],
)
def test_a_setting_is_typed_as_by_the_official_parser(text: str, value: object) -> None:
    [pipeline] = load_manifest(f"kind: pipeline\nsteps:\n- name: a\n  image: i\n  settings: {{s: {text}}}\n").pipelines

    assert pipeline.steps[0].settings["s"] == value
    assert type(pipeline.steps[0].settings["s"]) is type(value)


def test_a_null_setting_is_left_out() -> None:
    text = "kind: pipeline\nsteps:\n- name: a\n  image: i\n  settings: {s: , t: ~, u: ''}\n"

    assert load_manifest(text).pipelines[0].steps[0].settings == {"u": ""}


def test_commands_keep_their_text_and_an_empty_one_is_empty() -> None:
    text = 'kind: pipeline\ntype: exec\nsteps:\n- name: a\n  commands: [true, , 1.10, "a"]\n'.replace(", ,", ", ~,")

    assert load_manifest(text).pipelines[0].steps[0].commands == ("true", "", "1.10", "a")


def test_secrets_are_references_with_their_fallback() -> None:
    text = STEP + "  environment: {A: {from_secret: s}, B: {from_secret: t, value: v}, C: {value: w}}\n"
    environment = load_manifest(text).pipelines[0].steps[0].environment

    a, b = environment["A"], environment["B"]
    assert isinstance(a, SecretRef)
    assert isinstance(b, SecretRef)
    assert (a.name, a.mark.line, b.value, environment["C"]) == ("s", 8, "v", "w")


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("\n", "\r\n"),
        lambda text: text.replace("exec", "exec\t").replace("steps:", "steps:\t"),
        lambda text: "\ufeff" + text,
        lambda text: text.rstrip("\n"),
        lambda text: "---\n" + text + "...\n",
        lambda text: "".join("  " + line for line in text.splitlines(keepends=True)),
        lambda text: "# comment\n---\n" + text + "---\n# nothing\n",
    ],
)
def test_oddities_of_the_text_are_accepted(change: object) -> None:
    assert callable(change)
    manifest = load_manifest(change(STEP))

    assert not manifest.problems
    assert manifest.pipelines[0].steps[0].commands == ("x",)


def test_one_broken_document_fails_only_itself() -> None:
    manifest = load_manifest(STEP + "---\nkind: pipeline\n  bad: x\n---\n" + STEP.replace("name: p", "name: q"))

    assert [pipeline.name for pipeline in manifest.pipelines] == ["p", "q"]
    assert [(problem.line, problem.code) for problem in manifest.errors] == [(10, "syntax")]


def test_every_kind_is_kept() -> None:
    text = (
        STEP + "---\nkind: secret\nname: s\nget: {path: p, name: k}\n---\nkind: signature\nhmac: abc\n---\n"
        "kind: pipeline\ntype: fib\nname: f\nn: 30\n---\nkind: template\nload: x\n---\n"
        '{"kind": "pipeline", "type": "vm"}\n'
    )
    contents = [document.content for document in load_manifest(text).documents]

    assert isinstance(contents[1], Secret)
    assert (contents[1].path, contents[1].key) == ("p", "k")
    assert isinstance(contents[2], Signature)
    assert isinstance(contents[3], Foreign)
    assert contents[3].data == {"kind": "pipeline", "type": "fib", "name": "f", "n": 30}
    assert [content.type for content in contents[4:] if isinstance(content, Foreign)] == ["", "vm"]


def test_lost_text_is_warned_of() -> None:
    assert codes(load_manifest("--- lost: x\n" + STEP)) == ["lost-text"]
    assert codes(load_manifest(STEP + "...\nkind: pipeline\n")) == ["lost-text"]


def test_doubled_maps_merge_and_the_last_list_wins_with_a_warning() -> None:
    text = STEP + "  environment: {A: 1, B: 1}\n  environment: {B: 2}\n  commands: [ y ]\n"
    manifest = load_manifest(text)

    assert codes(manifest) == ["duplicate-key", "duplicate-key"]
    assert manifest.pipelines[0].steps[0].environment == {"A": "1", "B": "2"}
    assert manifest.pipelines[0].steps[0].commands == ("y",)


def test_merge_keys_bring_in_what_is_not_given() -> None:
    text = (
        "x: &base {image: i, environment: {A: 1, C: 3}}\ny: &more {image: j, pull: always}\n"
        "kind: pipeline\nsteps:\n- name: a\n  <<: [*base, *more]\n  environment: {A: 2}\n"
    )
    [step] = load_manifest(text).pipelines[0].steps

    assert (step.image, step.pull) == ("i", "always")
    assert step.environment == {"A": "2", "C": "3"}


def test_an_alias_to_another_document_is_explained() -> None:
    manifest = load_manifest("a: &x 1\n---\nkind: pipeline\nname: *x\n")

    assert manifest.errors[0].code == "unknown-alias"
    assert "one document" in manifest.errors[0].cure


def test_aliases_that_multiply_are_refused() -> None:
    lines = ["a0: &a0 [x, x]"] + [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]

    assert codes(load_manifest("\n".join(lines))) == ["too-large"]


def test_merges_that_multiply_are_refused() -> None:
    lines = ["a0: &a0 {x: 1, y: 2}"] + [f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 9)}]}}" for n in range(1, 12)]

    assert codes(load_manifest("\n".join(lines))) == ["too-large"]


def test_aliases_of_a_long_text_are_bounded_by_what_they_stand_for() -> None:
    few, many = (f"a: &a {'x' * 10_000}\nb: &b [*a, *a]\nc: [{', '.join(['*b'] * times)}]\n" for times in (10, 1000))

    assert "too-large" not in codes(load_manifest(few))
    assert codes(load_manifest(many)) == ["too-large"]


@pytest.mark.parametrize("text", ["[" * 5000, "- " * 5000, "a: &a [*a]", "{" * 5000 + "}" * 5000])
def test_depth_is_bounded(text: str) -> None:
    assert load_manifest(text).errors


def test_an_unknown_key_is_a_warning_with_the_nearest_name_and_an_error_where_strict() -> None:
    text = STEP.replace("commands", "commads")
    [warning] = load_manifest(text).problems
    [error] = load_manifest(text, strict=True).problems

    assert (warning.severity, warning.cure) == (Severity.WARNING, "did you mean `commands`?")
    assert error.severity is Severity.ERROR


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("  commands: x", "`commands` of step `a` must be a list; it is a text"),
        ('  commands:\n  - echo "foo": bar', "an item of `commands` of step `a` must be a text; it is a map"),
        ("  detach: 'yes'", "`detach` of step `a` must be true or false; it is a text"),
        ("  environment: [A=b]", "`environment` of step `a` must be a map; it is a list"),
        ("  environment: {A: [x]}", "variable `A` of step `a` must be a text; it is a list"),
        ("  depends_on: b", "`depends_on` of step `a` must be a list; it is a text"),
        ("- ", "this step is empty, not a map"),
        ("clone: {depth: .inf}", "`depth` of `clone` must be a whole number; it is a number"),
        ("clone: {depth: 9223372036854775808}", "`depth` of `clone` must be a whole number; it is a number"),
        ("clone: {depth: true}", "`depth` of `clone` must be a whole number; it is a truth value"),
        ("platform: linux/amd64", "`platform` of the pipeline must be a map; it is a text"),
    ],
)
def test_a_wrong_type_is_an_error_that_shows_the_place(line: str, message: str) -> None:
    text = "kind: pipeline\ntype: exec\nsteps:\n- name: a\n" + line + "\n"
    error = load_manifest(text).errors[0]

    assert error.message == message
    assert error.cure
    assert "^" in error.excerpt


@pytest.mark.parametrize(
    "line",
    [
        "volumes: {}",
        "services: text",
        "image_pull_secrets: {a: b}",
        "environment: [x]",
        "workspace: 7",
    ],
)
def test_what_an_exec_pipeline_ignores_may_have_any_shape(line: str) -> None:
    """As the official parser takes it: only a warning that it has no effect."""
    manifest = load_manifest(f"kind: pipeline\ntype: exec\n{line}\nsteps: [{{name: a, commands: [make]}}]\n")
    assert [str(problem.severity.value) for problem in manifest.problems] == ["warning"]
    assert "has no effect in a pipeline of type exec" in manifest.problems[0].message


@pytest.mark.parametrize(
    "line", ["settings: [x]", "privileged: maybe", "shm_size: {}", "dns: 1", "volumes: text", "pull: {}"]
)
def test_what_a_step_on_the_host_ignores_may_have_any_shape(line: str) -> None:
    manifest = load_manifest(f"kind: pipeline\ntype: exec\nsteps:\n- name: a\n  {line}\n  commands: [make]\n")
    assert [str(problem.severity.value) for problem in manifest.problems] == ["warning"]


def test_a_number_with_a_fraction_is_read_at_once_and_cut_as_the_official_parser_does() -> None:
    """It was once looked for in a range of 64 bits, one number after another."""
    manifest = load_manifest("kind: pipeline\nclone: {depth: 1.10}\nsteps: [{name: a, image: b}]\n")
    assert manifest.pipelines[0].clone.depth == 1
    assert manifest.problems[0].message == "`depth` of `clone` is a whole number; the fraction is dropped"


def test_one_document_can_be_read_alone_with_its_place_in_the_file() -> None:
    text = "---\n".join(f"# {name}\nkind: pipeline\nname: {name}\ndepends_on: [a]\n" for name in "abc")
    whole = load_manifest(text)
    for document in whole.documents:
        assert isinstance(document.content, Pipeline)
        alone = load_manifest(text, at=document.content.mark.line)
        assert [one.content for one in alone.documents] == [document.content]
        assert alone.documents[0].line == document.line
