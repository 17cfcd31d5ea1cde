"""Keys that mean nothing in a pipeline of some type: whatever is below them, they are warned of and not read."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["IGNORED_IN_EXEC_PIPELINE", "IGNORED_IN_STEP"]

_CONTAINER_KEYS = (
    "command",
    "devices",
    "dns",
    "dns_search",
    "entrypoint",
    "extra_hosts",
    "mem_limit",
    "memswap_limit",
    "network_mode",
    "privileged",
    "pull",
    "settings",
    "shm_size",
    "user",
    "volumes",
    "working_dir",
)
IGNORED_IN_EXEC_PIPELINE = ("environment", "image_pull_secrets", "services", "volumes", "workspace")
IGNORED_IN_STEP: Mapping[str, tuple[str, ...]] = {"exec": (*_CONTAINER_KEYS, "shell"), "docker": ("shell",)}
