"""What a check has found."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal, Self

__all__ = ["Finding", "Status"]

Status = Literal["ok", "warning", "problem", "skipped"]


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check has found.

    Attributes:
        status: ``problem`` keeps the runner from its work, ``warning`` may one day; ``skipped`` was not looked at.
        seen: one line, without secrets.
        cure: what to do about it, one line; empty where there is nothing to do.
        code: of a problem, the status that the command exits with; see ``delegate_core.errors``.
    """

    status: Status
    seen: str
    cure: str = ""
    code: int = 1

    @classmethod
    def ok(cls, seen: str) -> Self:
        """All is well."""
        return cls("ok", seen)

    @classmethod
    def warning(cls, seen: str, cure: str) -> Self:
        """Somebody should look at it."""
        return cls("warning", seen, cure)

    @classmethod
    def problem(cls, seen: str, cure: str, *, code: int = 1) -> Self:
        """A runner could not work."""
        return cls("problem", seen, cure, code)

    @classmethod
    def skipped(cls, why: str, cure: str = "") -> Self:
        """It was not looked at."""
        return cls("skipped", why, cure)

    @classmethod
    def of_text(cls, text: str, *, code: int = 1) -> Self:
        """A problem told by one of this program's errors, which end with what to do, behind a semicolon or a colon."""
        line = "; ".join(part.strip() for part in text.splitlines() if part.strip())
        for mark in ("; ", ": "):
            seen, found, cure = line.rpartition(mark)
            if found:
                return cls.problem(seen, cure, code=code)
        return cls.problem(line, "see the runner's log", code=code)

    @classmethod
    def of_engine_down(cls, text: str, types: Collection[str]) -> Self:
        """An engine that does not answer: a problem where tasks of these types need it, else not worth a look."""
        found = cls.of_text(text)
        if not types:
            return cls.skipped(f"{found.seen}; no task type here needs it")
        return cls.problem(found.seen, f"{found.cure} (tasks of type {', '.join(sorted(types))} need it)")
