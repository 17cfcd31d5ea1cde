"""What every settings model derives from: pydantic-settings with the sources of one load instead of its own.

pydantic-settings runs the sources in order and puts their answers together; the sources are ours, since its own do not
say which of them a value came from, read nothing but `os.environ`, want lists as JSON, pass over a file that is
missing, and forget the lines of TOML.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, ClassVar, TypeVar, cast

from pydantic import SecretStr, create_model
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from delegate_core.settings.naming import Environment

__all__ = ["Layer", "Settings", "layered", "relaxed", "secrets_of"]

S = TypeVar("S", bound=BaseSettings)

Answer = Callable[[str], Any | None]
"""What a layer has for a field: its value, or None."""


class Settings(BaseSettings):
    """A settings model. Made in a program, ``RunnerSettings(capacity=4)``, it reads nothing but its arguments.

    ``runner_environment`` of a backend's model names further variables for settings of the runner itself.
    """

    runner_environment: ClassVar[Mapping[str, Environment]] = {}

    model_config = SettingsConfigDict(frozen=True, extra="forbid")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - the base's, as are the next
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments only: no variable and no file changes what a program says."""
        return (init_settings,)


def secrets_of(settings: Settings | None) -> Iterator[str]:
    """The values of the settings that are secrets."""
    for _, value in settings or ():
        if isinstance(value, SecretStr):
            yield value.get_secret_value()


class Layer(PydanticBaseSettingsSource):
    """One source of a load. A field that a layer before it has answered is not asked for again."""

    def __init__(self, settings_cls: type[BaseSettings], answer: Answer) -> None:
        super().__init__(settings_cls)
        self._answer = answer

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:  # noqa: ARG002 - the base's
        """The value, the field's own name as its key, and that it is not JSON."""
        return self._answer(field_name), field_name, False

    def __call__(self) -> dict[str, Any]:
        """What this layer adds."""
        fields = self.settings_cls.model_fields
        asked = {name: self.get_field_value(fields[name], name)[0] for name in fields.keys() - self.current_state}
        return {name: value for name, value in asked.items() if value is not None}


def layered(model: type[S], answers: Sequence[Answer]) -> S:
    """The model's instance from these layers, the first one first; raises pydantic's ValidationError."""

    class Layered(model):  # type: ignore[valid-type, misc]  # the model is an argument
        layers: ClassVar[Sequence[Answer]] = answers

        @classmethod
        def settings_customise_sources(
            cls, settings_cls: type[BaseSettings], **_: PydanticBaseSettingsSource
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            return tuple(Layer(settings_cls, answer) for answer in cls.layers)

    made = Layered()
    # An instance of the model itself: what is equal shall be equal, and the repr shall say its name.
    return cast("S", model.model_construct(made.model_fields_set, **dict(made)))


def relaxed(model: type[S], faulty: Collection[str], answer: Answer) -> S:
    """An instance of a model that would refuse these answers: its own checks are left out, and so are faulty fields.

    A faulty field is None.
    """
    fields: dict[str, Any] = {
        name: (Any, None) if name in faulty else (field.annotation, field) for name, field in model.model_fields.items()
    }
    made = layered(
        create_model(model.__name__, __base__=Settings, **fields),
        [lambda name: None if name in faulty else answer(name)],
    )
    return cast("S", model.model_construct(made.model_fields_set, **dict(made)))
