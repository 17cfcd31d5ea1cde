"""What plugins check. Light enough for a runner to import: it looks at itself by these, too."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any

from delegate_core.diagnosis import Check, Diagnosis, Finding
from delegate_core.runner import Runner

__all__ = ["contributed"]


def contributed(runner: Runner, diagnosis: Diagnosis) -> Iterator[Check]:
    """What plugins bring, the backend too; one that brings it wrongly is a problem of its own."""
    for hook in runner.plugins.each("diagnostics"):
        try:
            yield from list(_checked(hook(diagnosis=diagnosis) or ()))
        except Exception as error:  # noqa: BLE001 - a plugin may raise anything
            text = f"diagnostics of plugin {hook.plugin} failed: {type(error).__name__}: {error}"
            cure = "update or uninstall that plugin"
            yield Check(name=f"plugin {hook.plugin}", run=partial(_found, Finding.problem(text, cure, code=3)))


def _checked(brought: Iterable[Any]) -> Iterator[Check]:
    for check in brought:
        if not isinstance(check, Check):
            raise TypeError(f"{check!r} is no delegate_core.diagnosis.Check")
        yield check


async def _found(finding: Finding) -> Finding:
    return finding
