"""The reply to a runner that asks for all it has to know of a stage."""

from __future__ import annotations

import base64
import json
from typing import Any
from urllib.parse import urlsplit

from .parts import Parts
from .records import Build

__all__ = ["details"]


def details(parts: Parts, stage_id: int, url: str) -> dict[str, Any]:
    """Build, stage, manifest, repository with its key, secrets and the server itself.

    Raises:
        NoRowError: there is no such stage.
    """
    stage = parts.store.stages.find(stage_id)
    build = parts.store.builds.find(stage.build_id)
    text = parts.store.configs.find(build.id) or b""
    return {
        "build": build.model_copy(update={"stages": parts.store.stages_of(build.id)}).encode(),
        "stage": stage.encode(),
        "config": {"Data": base64.b64encode(text).decode(), "Hash": None},
        "netrc": None,
        "repository": parts.store.repositories.find(stage.repo_id).encode(),
        "secrets": _secrets(parts, build),
        "system": {
            "proto": urlsplit(url).scheme,
            "host": urlsplit(url).netloc,
            "link": url,
            "version": parts.rules.version,
        },
    }


def _secrets(parts: Parts, build: Build) -> list[dict[str, Any]] | None:
    """The secrets that a build may have; null without any."""
    kept = json.loads(parts.store.secrets.find(build.id) or b"{}")
    if build.event == "pull_request" and not kept.get("secrets_in_pull_requests"):
        return None
    shown = {"pull_request": True} if kept.get("secrets_in_pull_requests") else {}
    found = [
        {"id": number, "repo_id": build.repo_id, "name": name, "data": data, **shown}
        for number, (name, data) in enumerate(kept.get("secrets", {}).items(), start=1)
    ]
    return found or None
