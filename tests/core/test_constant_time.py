"""What is secret is not compared by ``==``, which takes the longer the more of a guess is right."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

_SECRET = re.compile(
    r"token|passw|secret|digest|sha\d|signature|hmac|credential|nonce|checksum|api_?key", re.IGNORECASE
)

_COMPARED = (ast.Eq, ast.NotEq, ast.In, ast.NotIn)

_ALLOWED = {
    "delegate_core/artifacts/download.py: digest != self.wanted.sha256": (
        "both are known to whoever chose the file; nobody guesses at either"
    ),
    "delegate_core/handlers/function.py: name == signature.data_name": "the signature of a function",
    "plugins/drone/delegate_drone/client.py: token != token.strip()": "our own token with itself",
    "plugins/drone/delegate_drone/external/secrets.py: secret.name.casefold() == name.casefold()": "names",
    "plugins/drone/delegate_drone/foreign.py: name not in secrets": "names",
}
"""Comparisons that may take as long as they like, and why."""


def suspicious(source: str) -> Iterator[str]:
    """Each comparison of what has the name of a secret with anything but a word of the program itself."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Compare) and isinstance(node.ops[0], _COMPARED):
            operands = [node.left, *node.comparators]
            named = any(_SECRET.search(name) for operand in operands for name in _names(operand))
            if named and not any(isinstance(operand, ast.Constant) for operand in operands):
                yield ast.unparse(node)


def _names(value: ast.expr) -> Iterator[str]:
    """The names that an operand's value goes by; the length of a secret is not the secret."""
    match value:
        case ast.Name(id=name) if not name.isupper():  # a constant of the program is in its source
            yield name
        case ast.Attribute(value=whole, attr=name):
            yield name
            yield from _names(whole)
        case ast.Subscript(value=whole, slice=ast.Constant(value=str(name))):
            yield name
            yield from _names(whole)
        case ast.Call(func=ast.Attribute(attr="count")):
            return
        case ast.Call(func=function):
            yield from _names(function)
        case ast.Set(elts=parts) | ast.Tuple(elts=parts) | ast.List(elts=parts):
            for part in parts:
                yield from _names(part)


def _found() -> set[str]:
    files = [*(ROOT / "delegate_core").rglob("*.py"), *(ROOT / "plugins").rglob("*.py")]
    return {
        f"{file.relative_to(ROOT)}: {comparison}"
        for file in files
        if "testing" not in file.parts
        for comparison in suspicious(file.read_text("utf-8"))
    }


def test_no_secret_is_compared_by_an_operator_but_where_nobody_can_guess_at_it() -> None:
    assert _found() - _ALLOWED.keys() == set(), "use hmac.compare_digest, or say in _ALLOWED why not"


def test_every_exception_is_still_needed() -> None:
    assert _ALLOWED.keys() - _found() == set()


@pytest.mark.parametrize(
    "source",
    [
        "given == self._token",
        "headers['x-token'] != wanted",
        "request.password in {one, two}",
        "sha.hexdigest() == wanted",
        "given not in self.tokens",
        "x == secret.get_secret_value()",
    ],
)
def test_a_comparison_of_a_secret_is_found(source: str) -> None:
    assert [*suspicious(source)] == [source]


@pytest.mark.parametrize(
    "source",
    [
        "token == ''",
        "len(token) == limit",
        "key in SECRET_KEYS",
        "token.count('.') == 2",
        "name == other",
        "secret < y",
    ],
)
def test_one_of_something_else_is_not(source: str) -> None:
    assert [*suspicious(source)] == []
