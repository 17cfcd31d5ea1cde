"""docs/security.md: what it promises is tested by tests that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "security.md").read_text("utf-8")
TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
NAMED = TEST.findall(PAGE)


def promises() -> list[str]:
    """Each item of the lists under "What is promised"."""
    section = PAGE.split("\n## What is promised\n")[1].split("\n## ")[0]
    return re.split(r"^\* ", section, flags=re.MULTILINE)[1:]


def test_the_page_makes_promises() -> None:
    assert len(promises()) > 30


def test_each_promise_names_the_test_that_shows_it() -> None:
    assert [promise for promise in promises() if not TEST.search(promise)] == []


@pytest.mark.parametrize(("file", "name"), NAMED, ids=[name for _, name in NAMED])
def test_a_test_that_the_page_names_exists(file: str, name: str) -> None:
    path = ROOT / file
    assert path.is_file(), file
    assert re.search(rf"^(async )?def {name}\(", path.read_text("utf-8"), re.MULTILINE), f"{file} has no {name}"
