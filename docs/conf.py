"""How Sphinx makes the site from the Markdown of this folder: ``make docs``."""

from __future__ import annotations

import sys
from importlib.metadata import version as version_of
from pathlib import Path

from sphinx.application import Sphinx

sys.path.insert(0, str(Path(__file__).parent))

from site_drawings import with_drawings
from site_navigation import with_toctree

project = "delegate_core"
author = "the delegate_core authors"
release = version_of("delegate-core")
version = release

extensions = ["myst_parser"]
exclude_patterns = ["pictures"]
source_suffix = {".md": "markdown"}

# GitHub's anchors, so that links into a page work there and here.
myst_heading_anchors = 4

html_theme = "furo"
html_title = "delegate_core"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sourcelink = False
html_show_copyright = False
html_show_sphinx = False
pygments_style = "a11y-high-contrast-light"
pygments_dark_style = "a11y-high-contrast-dark"


CHANGELOG = Path(__file__).parents[1] / "CHANGELOG.md"


def _read(_: Sphinx, name: str, source: list[str]) -> None:
    """On GitHub the page of changes leads to the changelog; here it is the changelog, which no link can reach."""
    text = CHANGELOG.read_text("utf-8") if name == "changes" else with_toctree(name, source[0])
    source[0] = with_drawings(text)


def setup(app: Sphinx) -> None:
    """Called by Sphinx."""
    app.connect("source-read", _read)
