"""Manifests, their globs and variables, and the commands and environments that are made of what a server says."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from contextlib import suppress

from delegate_core.pipeline.graph import GraphError
from delegate_core.pipeline.states import StepState
from delegate_drone.compiler import (
    Facts,
    Options,
    clone_commands,
    compile_stage,
    runtime_environment,
    substitution_variables,
)
from delegate_drone.manifest import Clone, SubstitutionError, load_manifest, matches_glob, substitute
from delegate_drone.wire import Build, Repository
from delegate_drone.wire import Stage as StageRow
from tests.fuzz.registry import fields, target, text_of

_YAML = (
    *("kind: pipeline\n", "type: exec\n", "type: docker\n", "name: a\n", "steps:\n", "- name: b\n", "  image: i\n"),
    *("  commands: [x]\n", "  environment: {A: b}\n", "  settings: {a: b}\n", "from_secret: s", "clone:\n", "when:\n"),
    *("  depth: 1\n", "trigger:\n", "branch: [m*]\n", "exclude: [a]\n", "volumes:\n", "services:\n", "depends_on: [a]"),
    *(
        "platform: {os: linux}\n",
        "workspace: {base: /a}\n",
        "kind: secret\n",
        "get: {path: a, name: b}\n",
        "data: AAAA",
    ),
    *(
        "&a ",
        "*a",
        "<<: *a",
        "!!binary ",
        "!!python/object:a.b ",
        "---\n",
        "...\n",
        "? ",
        "|\n  ",
        ">-\n",
        "\t",
        "%YAML 1.1\n",
    ),
    *(
        "${A##b}",
        "${A:-${B}}",
        "$${A}",
        "{",
        "}",
        "[",
        "]",
        "\r\n",
        "\ufeff",
        "\u2028",
        "\x85",
        "detach: true",
        "mem_limit: 1g",
    ),
)


@target("manifest", words=_YAML, longest=4096, calls=2000)
def manifest(data: bytes) -> None:
    """Whatever the text, there are documents and problems, each problem within the file."""
    text = text_of(data)
    lines = len(text.splitlines()) + 2
    for variables in (None, {"A": "b", "DRONE_BRANCH": "${A}\n- x: [", "B": "\x00\udc80"}):
        found = load_manifest(text, strict=True, trusted=False, variables=variables)
        assert all(1 <= problem.line <= lines and problem.column >= 1 for problem in found.problems)
        assert all(document.sound or document.problems for document in found.documents)


@target("glob", words=("*", "**", "/", "{a,b}", "[a-z]", "[^a]", "?", "\\", "a*a*a*"), longest=512, calls=4000)
def glob(data: bytes) -> None:
    """A pattern matches or not, and what has no signs matches itself only."""
    pattern, value = map(text_of, fields(data, 2))
    matched = matches_glob(pattern, value)
    if not set("*?[]{}\\!@+()|-~") & set(pattern):
        assert matched is (pattern == value), (pattern, value)
    if pattern == "**":
        assert matched


@target(
    "substitution",
    words=("${A}", "${A##", "${A%%*", "${A:1:2}", "${A/", "//", "/#", "^^", ":-", ":=", "$$", "[!a-", "${#A}"),
)
def substitution(data: bytes) -> None:
    """A text comes out within its bound, or it is said what is wrong with it."""
    text, value = map(text_of, fields(data, 2))
    with suppress(SubstitutionError):
        result = substitute(text, {"A": value, "B": "", "C": "${A}"})
        assert len(result) <= 1 << 20
        assert "$" in text or result == text


@target(
    "stage",
    words=(*_YAML, "refs/heads/", "refs/tags/", "refs/pull/1/head", "--upload-pack=", "$(x)", "-"),
    longest=4096,
    calls=2000,
)
def stage(data: bytes) -> None:
    """What a pipeline and a build become: no environment holds what no process can be given."""
    branch, message, text = map(text_of, fields(data, 3))
    build = Build(
        ref=f"refs/heads/{branch}",
        target=branch,
        source=branch,
        message=message,
        title=message,
        after=branch,
        params={branch: message, "P": branch},
    )
    facts = Facts(
        build=build, repository=Repository(slug=branch, git_http_url=message, timeout=1), stage=StageRow(name=branch)
    )
    found = load_manifest(text, variables=substitution_variables(facts, Options()))
    for pipeline in found.pipelines:
        with suppress(GraphError):
            compiled = compile_stage(pipeline, facts, options=Options(), secrets={"s": message})
            for step in compiled.steps:
                _check_environment(step.environment)
    _check_environment(runtime_environment(facts, StepState(name=branch, number=1), [branch], now=1.0))


def _check_environment(environment: Mapping[str, object]) -> None:
    """Names are the author's: one that no process can be given is an error that is explained where it starts."""
    for value in environment.values():
        if isinstance(value, str):
            assert "\0" not in value
            value.encode("utf-8", "surrogateescape")


_OPTIONS = frozenset({"--quiet", "--", "--hard", "--detach", "--no-edit", "-e", "--depth=3", "--depth=2147483647"})
_SIGNS = frozenset({"||", ">", ">&"})


@target(
    "clone",
    words=(
        "refs/heads/",
        "refs/tags/",
        "refs/pull/1/head",
        "--upload-pack=touch x",
        "$(x)",
        "`x`",
        "'",
        '"',
        "\\",
        "\n",
        ";",
        "ext::sh -c x",
        "-",
    ),
)
def clone(data: bytes) -> None:
    """Whatever a build says, its words are words to the shell, and none is an option to git."""
    ref, branch, commit, url = map(text_of, fields(data, 4))
    commands = clone_commands(Build(ref=ref, target=branch, after=commit), Repository(git_http_url=url), Clone(depth=3))
    for command in commands:
        assert "\0" not in command
        reader = shlex.shlex(command, posix=True, punctuation_chars=True)
        reader.commenters = ""
        words = list(reader)
        signs = [word for word in words if set(word) <= set("();<>|&")]
        assert set(signs) <= _SIGNS | set(map(str.strip, (ref, branch, commit, url))), command
        before = words[: words.index("--")] if "--" in words else words
        assert all(word in _OPTIONS for word in before if word.startswith("-")), command
