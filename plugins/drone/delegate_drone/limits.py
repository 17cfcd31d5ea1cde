"""Which builds this runner is willing to run."""

from __future__ import annotations

from dataclasses import dataclass

from delegate_drone.manifest.globs import matches_glob
from delegate_drone.wire import Details

__all__ = ["Limits"]


@dataclass(frozen=True, slots=True)
class Limits:
    """What a build must meet; without any, every build is run.

    Attributes:
        repos: globs of repository slugs, one of which must match; ``*`` does not cross the slash.
        events: globs of events, one of which must match.
        trusted: only trusted repositories.
    """

    repos: tuple[str, ...] = ()
    events: tuple[str, ...] = ()
    trusted: bool = False

    def refusal(self, details: Details) -> str | None:
        """Why this build is not run here; None if it is."""
        slug, event = details.repository.slug, details.build.event
        if not _meets(slug, self.repos):
            return f"this runner does not serve the repository {slug}: see its --limit-repo"
        if not _meets(event, self.events):
            return f"this runner does not serve the event {event}: see its --limit-event"
        if self.trusted and not details.repository.trusted:
            return f"this runner serves trusted repositories only, and {slug} is not: see its --limit-trusted"
        return None


def _meets(value: str, patterns: tuple[str, ...]) -> bool:
    return not patterns or any(matches_glob(pattern, value) for pattern in patterns)
