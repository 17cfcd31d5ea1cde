"""The site's navigation: what an index page lists is what stands below it in the menu, in that order."""

from __future__ import annotations

import re

_ENTRY = re.compile(r"^(?:[*-]|\d+\.|\|) *\[[^\]]+\]\((?P<page>[\w./-]+)\.md\)", re.MULTILINE)


def with_toctree(name: str, text: str) -> str:
    """The text of a page; to an index a hidden table of contents is added, of the first links of its lists' lines."""
    if name.rpartition("/")[2] != "index":
        return text
    pages = dict.fromkeys(found["page"] for found in _ENTRY.finditer(text))
    return f"{text}\n```{{toctree}}\n:hidden:\n\n" + "\n".join(pages) + "\n```\n"
