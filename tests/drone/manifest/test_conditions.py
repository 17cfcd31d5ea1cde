"""Globs and conditions match as the official runner matches them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from delegate_drone.manifest import Condition, Conditions, Manifest, load_manifest, matches_glob

GLOBS = [
    ("*", "a/b", False),
    ("*", "master", True),
    ("*", "", True),
    ("?", "/", False),
    ("feature/**", "feature/a/b", True),
    ("feature/**", "feature", False),
    ("**/x", "x", True),
    ("**/x", "a/b/x", True),
    ("**", "a/b/c", True),
    ("a/**/b", "a/b", True),
    ("refs/tags/**", "refs/tags/v1/rc", True),
    ("refs/tags/*", "refs/tags/v1/rc", False),
    ("v*", "v1.0", True),
    ("*", ".hidden", True),
    ("{a,b}", "a", True),
    ("{a,b}/{c,d}", "b/c", True),
    ("{a}", "a", True),
    ("[0-9]", "5", True),
    ("[^a]", "b", True),
    ("[^a]", "a", False),
    ("[!a]", "b", False),
    ("[!a]", "a", True),
    ("main", "Main", False),
    ("[", "[", False),
    ("{a,b", "a", False),
    ("a\\", "a\\", False),
    ("\\*", "*", True),
    ("@(a)", "@(a)", True),
    ("!a", "b", False),
    ("/feature\\/.*/", "feature/x", False),
    ("", "", True),
    ("", "a", False),
]


@pytest.mark.parametrize(("pattern", "value", "matches"), GLOBS)
def test_a_glob_matches_like_the_official_one(pattern: str, value: str, matches: bool) -> None:  # noqa: FBT001 - a table
    assert matches_glob(pattern, value) is matches


@given(st.text(alphabet="ab*?[]{},!^\\/-.", max_size=30), st.text(alphabet="ab/.-", max_size=10))
def test_any_pattern_matches_or_not(pattern: str, value: str) -> None:
    assert matches_glob(pattern, value) in {True, False}


@pytest.mark.parametrize(
    "pattern", ["*a" * 40 + "b", "**/*a" * 40 + "/b", "a*" * 40 + "[^a]", "?*" * 40 + "b", "**/a/" * 40 + "b"]
)
@pytest.mark.parametrize("value", ["a" * 2000, "a/" * 1000])
def test_a_pattern_that_can_fail_in_countless_ways_fails_at_once(pattern: str, value: str) -> None:
    assert not matches_glob(pattern, value)


@pytest.mark.parametrize(
    ("pattern", "value", "matches"),
    [
        ("a*a", "a", False),
        ("a*a", "aa", True),
        ("*ab*ab", "abxabxab", True),
        ("*ab*b", "ab", False),
        ("**/a/**/b", "x/a/a/y/b", True),
        ("**/a/**/b", "x/a/b/y", False),
        ("a/**/**/b", "a/b", True),
        ("[]a]*", "]x", True),
        ("[a\\]]", "]", True),
        ("[b-a]", "b", False),
        ("a**b", "a/b", False),
        ("*\n", "x\n", True),
    ],
)
def test_what_stands_between_stars_is_found(pattern: str, value: str, matches: bool) -> None:  # noqa: FBT001 - a table
    assert matches_glob(pattern, value) is matches


def test_a_pattern_of_many_braces_is_bounded() -> None:
    assert not matches_glob("{a,b}" * 500, "a" * 500)
    assert not matches_glob("{a,b}" * 20, "c")


def test_an_exclude_wins_over_an_include() -> None:
    condition = Condition(include=("release/*",), exclude=("release/old",))

    assert condition.matches("release/new")
    assert not condition.matches("release/old")
    assert not condition.matches("main")


def test_no_include_means_everything_that_is_not_excluded() -> None:
    assert Condition(exclude=("main",)).matches("other")
    assert Condition().matches("")


def test_all_conditions_must_hold_and_paths_do_not_count() -> None:
    conditions = Conditions(branch=Condition(("main",)), event=Condition(("push",)), paths=Condition(("nowhere",)))

    assert conditions.match({"branch": "main", "event": "push"})
    assert not conditions.match({"branch": "main", "event": "tag"})


@pytest.mark.parametrize(
    ("status", "policy"),
    [
        (Condition(), "on-success"),
        (Condition(("failure",)), "on-failure"),
        (Condition(("success",)), "on-success"),
        (Condition(("success", "failure")), "always"),
        (Condition(exclude=("success",)), "on-failure"),
        (Condition(("changed",)), "on-success"),
    ],
)
def test_status_says_when_a_step_runs(status: Condition, policy: str) -> None:
    assert Conditions(status=status).run_policy == policy


def when(condition: str) -> Manifest:
    text = "kind: pipeline\ntype: exec\nsteps:\n- name: a\n  commands: [ x ]\n"
    return load_manifest(text + f"  when: {condition}\n")


@pytest.mark.parametrize(
    ("written", "branch"),
    [
        ("{branch: main}", Condition(("main",))),
        ("{branch: [main, 1.10]}", Condition(("main", "1.10"))),
        ("{branch: {include: [a], exclude: [b]}}", Condition(("a",), ("b",))),
        ("{branch: }", Condition()),
        ("", Condition()),
        ("{branch: {exclude: [b]}, branch: a}", Condition(("a",), ("b",))),
    ],
)
def test_every_shape_of_a_condition_is_read(written: str, branch: Condition) -> None:
    [pipeline] = when(written).pipelines

    assert pipeline.steps[0].when.branch == branch


@pytest.mark.parametrize(
    ("written", "cure"),
    [
        ("{branch: {include: main}}", "write `include: [ main ]`"),
        ("{branhc: main}", "did you mean `branch`?"),
        ("{include: [main]}", "below the condition"),
        ("{branch: {includes: [main]}}", "include and exclude"),
        ("{branch: [ {a: b} ]}", "write a text"),
        ("{branch: [ ]}, ", ""),
        ("[]", "key: value"),
        ("text", "key: value"),
    ],
)
def test_a_condition_that_would_silently_always_hold_is_an_error(written: str, cure: str) -> None:
    manifest = when(written)

    assert not manifest.pipelines
    assert manifest.errors[0].line == 6
    assert cure in manifest.errors[0].cure
