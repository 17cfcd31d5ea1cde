"""Where the values of a pipeline's secrets come from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import anyio

from delegate_drone.encrypted import DecryptError, decrypt
from delegate_drone.external.client import Extension, subject
from delegate_drone.external.errors import ExtensionFailed, SecretError
from delegate_drone.manifest.models import Secret
from delegate_drone.wire import Details

__all__ = ["Resolved", "SecretSources"]

_ACCEPT = "application/vnd.drone.secret.v1+json"
_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class Resolved:
    """What became of the names.

    Attributes:
        values: the secrets that were found, none of them empty.
        missing: the names that no source knows, or gives to this build.
        notes: why something is missing where the reason is known, a line each, without any value.
    """

    values: Mapping[str, str] = field(default_factory=dict, repr=False)
    missing: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


class SecretSources:
    """Asks for each secret in turn: the server's, the manifest's encrypted ones, the runner's own, the extension.

    The first value that is not empty counts. Names of the server's and the runner's secrets are compared without
    regard to capitals, as Drone does. What a source withholds from this build counts as if it were not there.

    Args:
        static: the runner's own secrets; never given to a pull request.
        extension: asked for the manifest's secrets that name a place in an external store.
    """

    def __init__(self, static: Mapping[str, str] | None = None, extension: Extension | None = None) -> None:
        self._static = {name.casefold(): value for name, value in (static or {}).items()}
        self._extension = extension

    async def resolve(self, names: Iterable[str], documents: Sequence[Secret], details: Details) -> Resolved:
        """Find the values of these secrets.

        Args:
            names: as ``from_secret`` and ``image_pull_secrets`` write them.
            documents: the ``kind: secret`` documents of the manifest.
            details: the stage's.

        Raises:
            SecretError: a source failed, so that nobody knows whether the secret exists. The stage must fail.
        """
        wanted = tuple(dict.fromkeys(names))
        search = _Search(self._static, documents, details)
        values = {name: value for name in wanted if (value := search.here(name))}
        values |= await self._ask(search, [name for name in wanted if name not in values])
        missing = tuple(name for name in wanted if name not in values)
        notes = tuple(note for name in missing for note in search.notes(name, asked=self._extension is not None))
        return Resolved({name: values[name] for name in wanted if name in values}, missing, notes)

    async def _ask(self, search: _Search, names: Sequence[str]) -> dict[str, str]:
        """What the extension knows; several at once. The first failure in the order of the names is raised."""
        places = {name: search.places(name) for name in names}
        extension = self._extension
        if extension is None:
            return {}
        answers: dict[str, str | SecretError] = {}
        limiter = anyio.CapacityLimiter(_AT_ONCE)

        async def ask(name: str) -> None:
            async with limiter:
                answers[name] = await _stored(extension, name, places[name], search.details)

        async with anyio.create_task_group() as group:
            for name in (name for name in names if places[name]):
                group.start_soon(ask, name)
        return {name: _value(answers[name]) for name in names if answers.get(name)}


async def _stored(extension: Extension, name: str, places: Sequence[Secret], details: Details) -> str | SecretError:
    """The secret at the first of these places that has one."""
    for place in places:
        question = {"path": place.path, "name": place.key, **subject(details)}
        try:
            value = _data(await extension.ask(_ACCEPT, question))
        except ExtensionFailed as error:
            return SecretError(name, str(error))
        if value is None:
            return SecretError(name, f"{extension.name} answered something that is no secret: check its address")
        if value:
            return value
    return ""


def _data(answer: Any) -> str | None:
    """The value of an answer; empty where there is no such secret, None where the answer is none."""
    if answer is None:
        return ""
    data = (answer.get("data") or "") if isinstance(answer, dict) else None
    return data if isinstance(data, str) else None


def _value(answer: str | SecretError) -> str:
    if isinstance(answer, SecretError):
        raise answer
    return answer


@dataclass(frozen=True, slots=True)
class _Search:
    """One build's secrets, as far as they are here already."""

    static: Mapping[str, str]
    documents: Sequence[Secret]
    details: Details

    @property
    def _is_pull_request(self) -> bool:
        return self.details.build.event == "pull_request"

    @property
    def _withholds_encrypted(self) -> bool:
        """Anyone may open a pull request for a public repository, and have it print what it is given."""
        fork = bool(self.details.build.source_repo)
        return self._is_pull_request and fork and not self.details.repository.private

    def here(self, name: str) -> str:
        """The value from the server, the manifest or the runner; empty where none has it."""
        return self._of_the_server(name) or self._encrypted(name) or self._of_the_runner(name)

    def _of_the_server(self, name: str) -> str:
        for secret in self.details.secrets:
            withheld = self._is_pull_request and not secret.pull_request
            if secret.name.casefold() == name.casefold() and secret.data and not withheld:
                return secret.data
        return ""

    def _encrypted(self, name: str) -> str:
        if self._withholds_encrypted:
            return ""
        for document in self._documents(name):
            if document.data and (value := self._decrypted(document)):
                return value
        return ""

    def _decrypted(self, document: Secret) -> str:
        try:
            return decrypt(document.data, self.details.repository.secret.encode())
        except DecryptError as error:
            cure = "encrypt it anew for this repository"
            place = f"the manifest's line {document.mark.line}"
            raise SecretError(document.name, f"{place} cannot be decrypted: {error}: {cure}") from None

    def _of_the_runner(self, name: str) -> str:
        return "" if self._is_pull_request else self.static.get(name.casefold(), "")

    def places(self, name: str) -> tuple[Secret, ...]:
        """The documents that say where an external store keeps it."""
        return tuple(document for document in self._documents(name) if document.path or document.key)

    def notes(self, name: str, *, asked: bool) -> Iterable[str]:
        """Why it is missing, where that is known."""
        if self._withholds_encrypted and any(document.data for document in self._documents(name)):
            yield f"secret {name} is encrypted in the manifest, and not given to pull requests from forks"
        if self._is_pull_request and self._is_withheld(name):
            yield f"secret {name} is not given to pull requests"
        if not asked and self.places(name):
            yield f"secret {name} is kept in an external store: give --secret-plugin-endpoint of its extension"

    def _is_withheld(self, name: str) -> bool:
        of_the_server = any(secret.name.casefold() == name.casefold() for secret in self.details.secrets)
        return of_the_server or name.casefold() in self.static

    def _documents(self, name: str) -> tuple[Secret, ...]:
        return tuple(document for document in self.documents if document.name == name)
