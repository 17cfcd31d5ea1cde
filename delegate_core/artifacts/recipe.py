"""What a repository says of its own program, in a file ``task.yml`` at its top.

::

    task:
      deps:
        apt: [{name: jq}]
      run:
        bash: {script: run.sh}        # or: go: {module: ./cmd/tool}

With ``go``, the module is built there; otherwise the script itself is the program. Packages of the system are not
installed: a runner has no business to, nor the rights; they are named in the log.

Source of the form: go-task, ``task/builder/parse.go``.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from delegate_core.artifacts.errors import ArtifactError
from delegate_core.artifacts.site import Site
from delegate_core.artifacts.sources import Within
from delegate_core.processes import ProcessSpec, ProcessStartError

__all__ = ["RECIPE", "Recipe", "is_recipe", "recipe_at"]

RECIPE: Final = "task.yml"

_LONGEST: Final = 64 * 1024
_BUILT: Final = "task.exe"


def _module(name: str) -> str:
    path = PurePosixPath(name)
    if not name.isprintable() or name.startswith(("-", "/")) or ".." in path.parts or not name:
        raise ValueError(f"{name!r} is no module of this repository; write ./cmd/tool, or . for its top")
    return name


class _Named(BaseModel):
    name: str


class _Packages(BaseModel):
    model_config = ConfigDict(extra="allow")

    apt: list[_Named] | None = None
    brew: list[_Named] | None = None


class _Go(BaseModel):
    module: Annotated[str, AfterValidator(_module)]


class _Script(BaseModel):
    script: Within


class _Run(BaseModel):
    go: _Go | None = None
    bash: _Script | None = None


class _Task(BaseModel):
    deps: _Packages | None = None
    run: _Run = Field(default_factory=_Run)


class _File(BaseModel):
    task: _Task


class Recipe:
    """A ``task.yml`` that was read."""

    def __init__(self, file: Path, task: _Task) -> None:
        self._folder = file.parent
        self._task = task

    @property
    def program(self) -> Path:
        """The program, when it is built."""
        run = self._task.run
        return self._folder / (_BUILT if run.go or run.bash is None else run.bash.script)

    async def build(self, site: Site) -> None:
        """Build it, if it has to be; the output goes to the task's log.

        Raises:
            ArtifactError: it does not build, or there is no Go on this machine.
        """
        deps = self._task.deps or _Packages()
        if packages := [one.name for one in [*(deps.apt or []), *(deps.brew or [])]]:
            names = ", ".join(packages)
            site.log(f"warning: {RECIPE} asks for {names}: a runner installs no packages; have them on this machine")
        if self._task.run.go is None:
            return
        module = self._task.run.go.module
        site.log(f"building it: go build {module}")
        environment = site.environment({"GOFLAGS": "-modcacherw"})  # so that the task's folder can be deleted
        line = ["go", "build", "-o", _BUILT, "--", module]
        try:
            ended = await site.run(ProcessSpec(argv=line, cwd=self._folder, env=environment))
        except ProcessStartError as error:
            raise ArtifactError(f"{error} {RECIPE} builds a Go program: that needs Go on this machine.") from None
        if ended.exit_code != 0:
            raise ArtifactError(f"go build {module} exited with {ended.exit_code}; its output is in the log")


def recipe_at(file: Path) -> Recipe:
    """Read one; ``file`` may also lie in the one folder that an archive has at its top.

    Raises:
        ArtifactError: there is none, or it cannot be used.
    """
    if not file.exists() and file.parent.is_dir():
        within = [each for each in file.parent.iterdir() if each.is_dir() and not each.is_symlink()]
        file = within[0] / file.name if len(within) == 1 else file
    try:
        with file.open("rb") as opened:
            text = opened.read(_LONGEST + 1)
    except OSError:
        there = ", ".join(sorted(each.name for each in file.parent.iterdir())[:10]) if file.parent.is_dir() else ""
        raise ArtifactError(f"there is no {RECIPE} in it that says what to run; there are: {there or 'none'}") from None
    if len(text) > _LONGEST:
        raise ArtifactError(f"{RECIPE} has more than {_LONGEST // 1024} KiB")
    return Recipe(file, _read(text))


def _read(text: bytes) -> _Task:
    import yaml  # noqa: PLC0415 - for these files only

    try:
        task = _File.model_validate(yaml.load(text, Loader=yaml.CSafeLoader)).task
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, problem["loc"])) or "it"
        raise ArtifactError(f"{RECIPE}: {place}: {problem['msg'].removeprefix('Value error, ')}") from None
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise ArtifactError(f"{RECIPE} cannot be read: {' '.join(str(error).split())[:200]}") from None
    if task.run.go is None and task.run.bash is None:
        raise ArtifactError(f"{RECIPE}: task.run must say what to run: bash with a script, or go with a module")
    return task


def is_recipe(run: str) -> bool:
    """Whether this file says how to build the program, and is not the program itself."""
    return PurePosixPath(run).name == RECIPE
