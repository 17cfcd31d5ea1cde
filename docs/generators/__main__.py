"""Write every page that is made from the code."""

from __future__ import annotations

from docs.generators.pages import PAGES

for path, made in PAGES.items():
    path.write_text(made(), encoding="utf-8")
