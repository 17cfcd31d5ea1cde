"""Expressions in a task's data."""

from __future__ import annotations

import json
from contextlib import suppress

from delegate_core.secrets.errors import ExpressionError
from delegate_core.secrets.expressions import parse
from tests.fuzz.registry import fields, target, text_of

_OUTSIDE = "\ue000"


@target(
    "expression",
    words=(
        "${{secrets.a}}",
        "$${{secrets.a}}",
        "<{ ",
        " | getAsBase64 }>",
        "|",
        '"',
        "\\",
        "<<{",
        "fromBase64",
        "shellQuote",
        "trim",
        "}>",
    ),
    calls=2000,
)
def expression(data: bytes) -> None:
    """Data comes out with its secrets in their places, whatever the secret holds; what is wrong is said without it."""
    text, secret = map(text_of, fields(data, 2))
    with suppress(ExpressionError):
        template = parse({"key": [text]})
        known = dict.fromkeys(template.secrets, secret)
        template.check(known)
        resolved = template.resolve(known).data
        if "getAs" not in text and "|" not in text:
            elsewhere = template.resolve(dict.fromkeys(known, _OUTSIDE)).data
            assert resolved == {"key": [_only(elsewhere).replace(_OUTSIDE, secret)]} or _OUTSIDE in text


def _only(data: object) -> str:
    assert isinstance(data, dict)
    (text,) = data["key"]
    assert isinstance(text, str)
    return text


@target("expression-tree", words=("[", "{", '"a":', "${{secrets.a}}", "1", "null"), calls=2000)
def tree(data: bytes) -> None:
    """Data of any form is read, or refused in our words."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return
    with suppress(ExpressionError):
        template = parse(value)
        template.check({"a"})
        template.resolve({"a": "b"})
