"""No link of a page leads nowhere: the file is there, and the heading in it."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

from tests.docs.blocks import ROOT, pages

_FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"`[^`\n]*`")
_LINK = re.compile(r"\[[^\]]*\]\((?P<to>[^)\s]+)\)")
_HEADING = re.compile(r"^#{1,6} +(.+?) *$", re.MULTILINE)


def links(page: Path) -> list[str]:
    """Where its links lead, those to other sites left out."""
    text = _CODE.sub("code", _FENCED.sub("", page.read_text("utf-8")))
    return [found["to"] for found in _LINK.finditer(text) if not re.match(r"[a-z]+:", found["to"])]


@cache
def anchors(page: Path) -> frozenset[str]:
    """The names that GitHub, and the site after it, give to the headings of a page."""
    headings = _HEADING.findall(_FENCED.sub("", page.read_text("utf-8")))
    return frozenset(re.sub(r"[^\w\- ]", "", _LINK.sub(_words, one).lower()).replace(" ", "-") for one in headings)


def _words(link: re.Match[str]) -> str:
    return link[0].partition("]")[0].removeprefix("[")


def dead(page: Path) -> list[str]:
    """Its links that lead nowhere."""
    found = []
    for link in links(page):
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            found.append(link)
    return found


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_of_a_page_leads_somewhere(page: Path) -> None:
    assert dead(page) == []


def test_every_page_of_the_site_is_in_its_navigation() -> None:
    """What an index lists is in the menu; so is what those pages list, if they are indexes."""
    docs = ROOT / "docs"
    listed = {docs / "index.md"}
    for index in docs.rglob("index.md"):
        listed |= {(index.parent / link.partition("#")[0]).resolve() for link in links(index)}
    assert sorted(str(page.relative_to(docs)) for page in docs.rglob("*.md") if page.resolve() not in listed) == []


@pytest.mark.parametrize("text", ["[a](nowhere.md)", "[a](#nowhere)", "[a](other.md#no-such-heading)"])
def test_a_link_that_leads_nowhere_is_found(text: str, tmp_path: Path) -> None:
    (tmp_path / "other.md").write_text("# Another heading\n")
    page = tmp_path / "page.md"
    page.write_text(f"# A page\n\n{text}, [b](other.md#another-heading), [c](#a-page)\n")
    assert len(dead(page)) == 1
