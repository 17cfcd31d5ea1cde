"""A handler for the tasks beside this file: ``delegate task FILE --handlers handlers.py``."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel

from delegate_core import handler

HERE = Path(__file__).parent


class ReadFile(BaseModel):
    """Which file; relative to this folder."""

    path: Path


@handler("read-file")
def read_file(params: ReadFile) -> dict[str, str]:
    """What a secret task answers: an object with a value."""
    return {"value": (HERE / params.path).read_text("utf-8").strip()}
