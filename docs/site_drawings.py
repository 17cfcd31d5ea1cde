"""Drawings stand within the site's pages: searchable, and in the colours of the theme that a reader has chosen."""

from __future__ import annotations

import re
from pathlib import Path

_PICTURE = re.compile(r"^!\[[^\]]*\]\([\w./-]*pictures/([\w-]+\.svg)\)$", re.MULTILINE)
_PICTURES = Path(__file__).with_name("pictures")


def with_drawings(text: str) -> str:
    """A page's text, each drawing in the place of the link to it; GitHub shows the link's picture."""
    return _PICTURE.sub(_within, text)


def _within(found: re.Match[str]) -> str:
    svg = (_PICTURES / found[1]).read_text("utf-8")
    is_drawing = svg.startswith('<svg class="drawing"')
    return f'<div class="drawing-frame">\n{svg}</div>\n' if is_drawing else found[0]
