"""What happened in a repository: the facts that a build is made from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from .records import Build

__all__ = ["EVENTS", "Hook"]

EVENTS = ("push", "pull_request", "tag", "promote", "rollback", "cron", "custom")
_ALWAYS_RUN = frozenset({"tag", "cron", "custom", "promote", "rollback"})
_SKIP_WORDS = ("[ci skip]", "[skip ci]", "***no_ci***")
_LONGEST_TEXT = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Hook:
    """One event. ``target`` is the branch, ``source`` the branch that a pull request comes from."""

    event: str = "push"
    action: str = ""
    ref: str = "refs/heads/main"
    source: str = "main"
    target: str = "main"
    before: str = "0" * 40
    after: str = "0" * 40
    title: str = ""
    message: str = ""
    author_login: str = ""
    author_name: str = ""
    author_email: str = ""
    link: str = ""
    timestamp: int = 0
    cron: str = ""
    deploy_to: str = ""
    deploy_id: int = 0
    params: Mapping[str, str] = field(default_factory=dict)
    trigger: str = "@hook"
    parent: int = 0

    @property
    def skips(self) -> bool:
        """Whether the author asked for no build."""
        said = f"{self.title}\n{self.message}".lower()
        return self.event not in _ALWAYS_RUN and any(word in said for word in _SKIP_WORDS)

    def build(self) -> Build:
        """The build's record, as far as the event says."""
        return Build(
            **{name: getattr(self, name) for name in self.__slots__ if name not in {"params", "title", "message"}},
            params=dict(self.params),
            title=self.title[:_LONGEST_TEXT],
            message=self.message[:_LONGEST_TEXT],
            sender=self.author_login,
        )

    @classmethod
    def again(cls, build: Build) -> Hook:
        """The same event once more, for a build that a user restarts."""
        kept = {name: getattr(build, name) for name in cls.__slots__ if name not in {"parent", "trigger"}}
        return cls(**kept, parent=build.number, trigger=build.sender or "user")
