"""Making builds: from an event and a manifest, as the real server's trigger does."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from delegate_drone.manifest import load_manifest

from .candidates import candidates
from .errors import LockLostError, NoRowError
from .hooks import Hook
from .lifecycle import Lifecycle
from .planning import find_cycle, mismatch, plan
from .queue import Queue
from .records import Build, Repository, Stage
from .store import Store

__all__ = ["Builds", "Order", "SkippedError"]

_CYCLE = "Error: cyclical dependencies detected in Pipeline"
_AUTO_CANCELLED = {"push": "auto_cancel_pushes", "pull_request": "auto_cancel_pull_requests"}


class SkippedError(Exception):
    """The event makes no build; the text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What a build is made from.

    Attributes:
        text: the manifest.
        hook: what happened.
        slug: whose repository: namespace and name.
        settings: what is to be changed of the repository's record first.
        secrets: by name, in clear text.
        secrets_in_pull_requests: whether builds of pull requests get them; else they do not, as is the default there.
    """

    text: str
    hook: Hook = field(default_factory=Hook)
    slug: str = "local/sandbox"
    settings: Mapping[str, Any] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    secrets_in_pull_requests: bool = False


class Builds:
    """Makes builds.

    Args:
        store: what lasts.
        queue: told of the new stages.
        lifecycle: cancels what a new build makes needless.
        clock: seconds since the epoch.
        new_key: makes the key of a new repository.
    """

    def __init__(
        self,
        store: Store,
        queue: Queue,
        lifecycle: Lifecycle,
        *,
        clock: Callable[[], float],
        new_key: Callable[[], str],
    ) -> None:
        self._store, self._queue, self._lifecycle = store, queue, lifecycle
        self._clock, self._new_key = clock, new_key

    def create(self, order: Order) -> Build:
        """Make a build with its stages; one whose pipelines wait for each other is in error and has none.

        Raises:
            SkippedError: nothing of it is to run.
        """
        if order.hook.skips:
            raise SkippedError("its message asks for no build ([ci skip])")
        repository = self._repository(order.slug, order.settings)
        everything = candidates(load_manifest(order.text))
        misses = {each.name: mismatch(each, order.hook, order.slug) for each in everything}
        chosen = [each for each in everything if not misses[each.name]]
        if find_cycle(everything):
            return self._insert(order, repository, [], error=_CYCLE)
        if not chosen:
            raise SkippedError("\n".join(misses.values()) or "the file has no document of kind pipeline")
        return self._insert(order, repository, plan(chosen, everything, repository))

    def again(self, build: Build, params: Mapping[str, str]) -> Build:
        """Make a new build of an old one's event and manifest; ``params`` are added to its own.

        Raises:
            SkippedError: nothing of it is to run.
        """
        kept = json.loads(self._store.secrets.find(build.id) or b"{}")
        hook = Hook.again(build.model_copy(update={"params": {**build.params, **params}}))
        text = (self._store.configs.find(build.id) or b"").decode()
        slug = self._store.repositories.find(build.repo_id).slug
        return self.create(Order(text=text, hook=hook, slug=slug, **kept))

    def _repository(self, slug: str, settings: Mapping[str, Any]) -> Repository:
        try:
            known = self._store.repositories.one("WHERE {}_slug = ?", slug)
        except NoRowError:
            return self._store.repositories.insert(self._new_repository(slug, settings))
        changes = {**settings, "updated": int(self._clock())}
        return self._store.repositories.update(known.model_copy(update=changes))

    def _new_repository(self, slug: str, settings: Mapping[str, Any]) -> Repository:
        namespace, _, name = slug.partition("/")
        now = int(self._clock())
        fresh = Repository(
            uid=slug, namespace=namespace, name=name, slug=slug, secret=self._new_key(), created=now, synced=now
        )
        return fresh.model_copy(update=dict(settings))

    def _insert(self, order: Order, repository: Repository, stages: list[Stage], error: str = "") -> Build:
        number, now = repository.counter + 1, int(self._clock())
        self._store.repositories.update(repository.model_copy(update={"counter": number}))
        facts = {"repo_id": repository.id, "number": number, "created": now, "updated": now, "status": "pending"}
        if error:
            facts |= {"status": "error", "error": error, "started": now, "finished": now}
        build = self._store.builds.insert(order.hook.build().model_copy(update=facts))
        self._store.configs.insert(build.id, order.text.encode())
        kept = {"secrets": dict(order.secrets), "secrets_in_pull_requests": order.secrets_in_pull_requests}
        self._store.secrets.insert(build.id, json.dumps(kept).encode())
        for stage in stages:
            self._store.stages.insert(stage.model_copy(update={"build_id": build.id, "created": now, "updated": now}))
        self._cancel_older(build, repository)
        self._queue.match()
        return build

    def _cancel_older(self, build: Build, repository: Repository) -> None:
        """Skip the older builds of the same ref, where the repository is set so."""
        flag = _AUTO_CANCELLED.get(build.event)
        if flag is None or not getattr(repository, flag):
            return
        statuses = ("pending", "running") if repository.auto_cancel_running else ("pending", "pending")
        where = "WHERE {}_repo_id = ? AND {}_event = ? AND {}_ref = ? AND {}_number < ? AND {}_status IN (?, ?)"
        for older in self._store.builds.select(where, repository.id, build.event, build.ref, build.number, *statuses):
            with suppress(LockLostError):
                self._lifecycle.cancel(older, "skipped")
