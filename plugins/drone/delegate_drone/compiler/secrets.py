"""What comes from secrets: which a pipeline names, and what becomes of each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from delegate_core.pipeline.spec import Secret
from delegate_drone.manifest import Pipeline, SecretRef

__all__ = ["KnownSecrets", "Variables", "pull_secrets", "secret_names"]


@dataclass(frozen=True, slots=True)
class Variables:
    """A step's own variables: those in plain text, and those from secrets."""

    plain: Mapping[str, str]
    secrets: tuple[Secret, ...]


class KnownSecrets:
    """The secrets that the pipeline may have. Drone compares their names without regard to case."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values
        self._folded = {name.casefold(): value for name, value in reversed(tuple(values.items()))}

    def find(self, name: str) -> str | None:
        """The value; None if there is no such secret."""
        return self._values.get(name, self._folded.get(name.casefold()))

    def resolve(self, values: Mapping[str, str | SecretRef]) -> Variables:
        """Variables with their secrets: an unknown one gives the text beside it, or is empty but defined."""
        plain = {name: value for name, value in values.items() if isinstance(value, str)}
        secrets: list[Secret] = []
        for variable, reference in values.items():
            if isinstance(reference, str):
                continue
            found = self.find(reference.name)
            if found is None and reference.value:
                plain[variable] = reference.value
            else:
                secrets.append(Secret(name=reference.name, value=found or "", variable=variable))
        return Variables(plain, tuple(secrets))


def secret_names(pipeline: Pipeline) -> tuple[str, ...]:
    """The secrets that a pipeline asks for, each once, in the file's order."""
    return tuple(dict.fromkeys(_names(pipeline)))


def pull_secrets(pipeline: Pipeline, values: Mapping[str, str]) -> dict[str, str]:
    """The texts of a docker pipeline's ``image_pull_secrets`` by name, in its order; empty where there is none."""
    known = KnownSecrets(values)
    names = () if pipeline.type == "exec" else pipeline.image_pull_secrets
    return {name: known.find(name) or "" for name in names}


def _names(pipeline: Pipeline) -> Iterator[str]:
    if pipeline.type == "exec":
        for step in pipeline.steps:
            yield from (value.name for value in step.environment.values() if isinstance(value, SecretRef))
        return
    yield from pipeline.image_pull_secrets
    for step in (*pipeline.services, *pipeline.steps):
        values = (*step.environment.values(), *step.settings.values())
        yield from (value.name for value in values if isinstance(value, SecretRef))
