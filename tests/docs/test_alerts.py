"""Rules for Prometheus in the pages: expressions that can be read, about metrics that a runner has."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from docs.generators.metrics import families
from tests.docs.blocks import all_blocks

_TOKEN = re.compile(
    r"""\s+|(?P<name>[a-z_]\w*)|(?P<labels>\{(?:\w+(?:=~|!~|!=|=)"[^"]*",?\s*)+\})|(?P<range>\[\d+[smhd]\])"""
    r"""|(?P<number>\d+(?:\.\d+)?)|(?P<operator>==|!=|>=|<=|[-+*/<>,])|(?P<open>\()|(?P<close>\))"""
)
_WORDS = frozenset({"and", "by", "histogram_quantile", "increase", "max", "min", "or", "rate", "sum", "unless", "up"})
"""Words of the language, and the one metric of Prometheus' own."""


def rules() -> Iterator[dict[str, Any]]:
    """Every rule of every page."""
    for block in all_blocks():
        if block.language == "yaml" and re.search(r"^groups:", block.text, re.MULTILINE):
            for group in yaml.safe_load(block.text)["groups"]:
                yield from group["rules"]


def tokens(expression: str) -> Iterator[tuple[str, str]]:
    """Its parts: kind and text.

    Raises:
        ValueError: something that the language has not.
    """
    at = 0
    while at < len(expression):
        found = _TOKEN.match(expression, at)
        if found is None:
            raise ValueError(f"at {expression[at:]!r}")
        if found.lastgroup:
            yield found.lastgroup, found[0]
        at = found.end()


def mistakes(expression: str) -> list[str]:
    """What is wrong with it."""
    known = {name for family, labels in families() for name in (*_names(family.name, family.type), *labels, "le")}
    depth, found = 0, []
    last, before = "operator", ""
    for kind, text in tokens(expression):
        depth += {"open": 1, "close": -1}.get(kind, 0)
        if depth < 0 or (kind == last and kind in {"name", "number", "operator"} and {text, before} & _WORDS == set()):
            found.append(f"{text!r} cannot stand there")
        if kind == "name" and text not in known | _WORDS:
            found.append(f"{text}: no metric, label or function")
        last, before = kind, text
    return found + ["a parenthesis is not closed"] * depth + ["it ends too early"] * (last == "operator")


def _names(family: str, kind: str) -> list[str]:
    suffixes = {"counter": ["_total"], "histogram": ["_bucket", "_sum", "_count"]}.get(kind, [""])
    return [family + suffix for suffix in suffixes]


@pytest.mark.parametrize("rule", list(rules()), ids=lambda rule: rule["alert"])
def test_an_alert_can_be_read_and_is_about_what_a_runner_shows(rule: dict[str, Any]) -> None:
    assert mistakes(rule["expr"]) == []
    assert re.fullmatch(r"\d+[smh]", rule.get("for", "1m"))
    assert rule["alert"].isalnum()


def test_there_are_some() -> None:
    assert len(list(rules())) >= 3


@pytest.mark.parametrize(
    "wrong",
    ["delegate_redy == 0", "rate(delegate_results_backlog[10m]", "delegate_ready ==", "delegate_ready delegate_ready"],
)
def test_one_that_is_wrong_is_found(wrong: str) -> None:
    assert mistakes(wrong)
