"""What is no YAML is shown with its lines and a guess at what was meant."""

import pytest

from delegate_drone.manifest import load_manifest

HEAD = "kind: pipeline\nname: p\n"

MISTAKES = [
    (
        "steps:\n- name: a\n image: b\n",
        5,
        "has 1 spaces; with 2 it would stand beside `- name: a` on line 4",
    ),
    (
        "steps:\n  - name: a\n    image: b\n   pull: always\n",
        6,
        "is the indentation wrong? This line has 3 spaces",
    ),
    ("steps:\n- name: a\n    image: b\n", 5, "4 spaces; with 2 it would stand beside `- name: a` on line 4"),
    ("concurrency: 1\n  limit: 2\n", 4, "line 3 already has a value: is this line indented too far?"),
    ("steps\n- name: a\n", None, "is a colon missing? write `steps:`"),
    ("steps:\n- name:a\n  image: b\n", 5, "write `name: ` with a space"),
    ("steps:\n\t- name: a\n", 4, "indented with a tab"),
    ("a: 'open\nb: c\n", 3, "the quote on line 3 is never closed"),
    ('a: "\\ud83d\\ude00"\n', 3, "write the character itself"),
    ("a: [x, y\nb: c\n", None, "begins on line 3"),
    ('a: [ "a" "b" ]\n', 3, "lacks a comma"),
    ("a: *.zst\n", 3, "begins with *"),
    ("a:\n- [[ -f x ]] && y\n", 4, "quote the command"),
    ("<<<<<<< HEAD\na: b\n=======\n", None, "unfinished git merge"),
    ("{{ if .x }}\na: b\n", None, "template that nobody has filled in"),
    ("trigger:\n  branch\uff1a\n  - a\n  event: b\n", None, "U+FF1A"),
    ("a: b: c\n", 3, "quote a value that contains a colon"),
    ('a: "x" y\n', 3, "follows the closing quote"),
    ('a: "\\q"\n', 3, "backslash"),
    ("a: `x`\n", 3, "quote a text that begins with `"),
]


@pytest.mark.parametrize(("text", "line", "cure"), MISTAKES)
def test_the_commonest_mistakes_are_recognised(text: str, line: int | None, cure: str) -> None:
    [error] = [problem for problem in load_manifest(HEAD + text).errors if problem.code == "syntax"]

    assert cure in error.cure
    assert line in {None, error.line}


def test_a_problem_is_rendered_with_its_lines_a_caret_and_the_cure() -> None:
    text = "kind: pipeline\ntype: exec\nname: p\nsteps:\n- name: a\n  commands: ls\ntrigger: {}\n"
    [problem] = load_manifest(text, file="ci/x.yml").problems

    assert problem.render() == (
        "ci/x.yml:6:13: error: `commands` of step `a` must be a list; it is a text\n"
        "  4 | steps:\n"
        "  5 | - name: a\n"
        "  6 |   commands: ls\n"
        "    |             ^\n"
        "  7 | trigger: {}\n"
        "  = make it a list: each command on a line of its own, after a dash"
    )


def test_lines_are_counted_across_documents_and_odd_line_breaks() -> None:
    text = "kind: pipeline\r\nname: \u2028  x\n---\nkind: [\n"

    assert load_manifest(text).errors[-1].line >= 5
    assert load_manifest("a: b\n\n\x01").errors[0].line == 3


def test_a_very_long_line_is_shown_around_the_place() -> None:
    [error] = load_manifest(HEAD + "a: " + "x" * 5000 + ": y\n").errors

    assert max(map(len, error.excerpt.splitlines())) < 130
    assert "^" in error.excerpt


def test_the_problems_of_a_document_are_bounded_and_its_failure_is_not_lost() -> None:
    keys = "".join(f"  unknown{number}: x\n" for number in range(5000))
    manifest = load_manifest(HEAD + "type: exec\nsteps:\n- name: a\n" + keys + "  commands: x\n- name: a\n")

    assert len(manifest.problems) < 300
    assert not manifest.pipelines


def test_a_hostile_name_cannot_break_the_lines_of_a_message() -> None:
    text = HEAD + 'steps:\n- name: "a\\nforged: error"\n' + f"- name: {'n' * 5000}\n"

    for problem in load_manifest(text).problems:
        assert "\n" not in str(problem)
        assert len(problem.message) <= 500
