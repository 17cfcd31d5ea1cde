"""The changelog, as its readers and a release need it; the form is that of Keep a Changelog."""

from __future__ import annotations

import re
import tomllib
from datetime import date
from importlib.metadata import version
from pathlib import Path

from docs.generators.notes import UNRELEASED, sections

_ROOT = Path(__file__).parents[2]
_KINDS = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


def test_what_is_not_released_stands_first_and_versions_follow_newest_first_with_their_dates() -> None:
    first, *versions = sections()
    dates = [date.fromisoformat(sections()[each][0]) for each in versions]
    assert first == UNRELEASED
    assert dates == sorted(dates, reverse=True)
    numbers = [tuple(map(int, each.split("."))) for each in versions]
    assert numbers == sorted(numbers, reverse=True)
    assert all(len(each) == 3 for each in numbers)


def test_the_latest_version_is_that_of_every_distribution_and_has_notes() -> None:
    latest = list(sections())[1]
    projects = [_ROOT / "pyproject.toml", *(_ROOT / "plugins").glob("*/pyproject.toml")]
    assert {tomllib.loads(each.read_text("utf-8"))["project"]["version"] for each in projects} == {latest}
    assert version("delegate-core") == latest
    assert len(sections()[latest][1]) > 100


def test_notes_are_lists_under_the_headings_of_that_form() -> None:
    for _, text in sections().values():
        kinds = re.findall(r"^### (.+)$", text, re.MULTILINE)
        assert set(kinds) <= _KINDS
        assert len(kinds) == len(set(kinds))
        assert not re.search(r"^[<=>]{7}", text, re.MULTILINE), "a conflict was not settled"
