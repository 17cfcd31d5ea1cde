"""The folders of one stage: made, private, and taken away."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from delegate_core import removal
from delegate_core.engines.engine import EngineError
from delegate_core.engines.host.claim import claim
from delegate_core.engines.host.layout import HostLayout
from delegate_core.engines.netrc import netrc_line
from delegate_core.pipeline.spec import Stage
from delegate_core.processes import ProcessUser

__all__ = ["StageFolder", "write_new"]


class StageFolder:
    """What one stage has on the disk. All its methods block.

    Where its steps run as another user, home and workspace are that user's. What they are in stays ours: its steps get
    through it, and put nothing in the place of what we make there.

    Attributes:
        layout: where everything is.
        workspace: where the steps start: a folder of the stage, or one that it uses in place.
    """

    def __init__(
        self,
        stage: Stage,
        layout: HostLayout,
        home_links: Mapping[str, str] | None = None,
        user: ProcessUser | None = None,
    ) -> None:
        self.layout = layout
        self._user = user
        self._home_links = home_links or {}
        self._stage = stage
        source = stage.workspace.source
        self.in_place = source is not None
        self.workspace = layout.workspace if source is None else Path(source).absolute()
        self._claim: int | None = None

    def make(self) -> None:
        """Make it all; `remove` afterwards also where this raises.

        Raises:
            EngineError: it cannot be made.
        """
        if self.in_place:
            _check_source(self.workspace)
        try:
            self._claim_root()
            self._fill()
            self._give_away()
        except FileExistsError:
            raise EngineError(
                f"the stage's folder {self.layout.root} is in use, or something else is in its place; "
                "wait for the other run, or remove it"
            ) from None
        except OSError as error:
            raise EngineError(
                f"cannot make the stage's folder {self.layout.root}: {error.strerror}; "
                "look at its disk and its permissions, or choose another root"
            ) from None

    def remove(self) -> None:
        """Delete what `make` has made. A folder used in place stays as it is."""
        if self._claim is None:
            return
        removal.remove(self.layout.root)
        os.close(self._claim)
        self._claim = None

    def _claim_root(self) -> None:
        around = self.layout.root.parent
        if not around.exists():
            around.mkdir(mode=0o700, parents=True, exist_ok=True)
            if self._user is not None:
                around.chmod(0o711)  # for the users of all stages to get through
        self._claim = claim(self.layout.root)

    def script(self, name: str, content: bytes) -> Path:
        """Write a script for a step.

        Raises:
            OSError: it cannot be written.
        """
        file = self.layout.scripts / name
        write_new(file, content)
        if self._user is not None:
            self._user.own(file)
        return file

    def _fill(self) -> None:
        own = () if self.in_place else (self.layout.workspace,)
        for folder in (self.layout.home, self.layout.scripts, *own):
            folder.mkdir(mode=0o700)
        if self._stage.netrc is not None:
            write_new(self.layout.home / ".netrc", netrc_line(self._stage.netrc).encode())
        for name, target in self._home_links.items():
            self._link(name, target)

    def _give_away(self) -> None:
        """Last of all, and from within to without: until then nobody but us gets in."""
        if self._user is None:
            return
        for parent, folders, files in os.walk(self.layout.home, topdown=False):
            for name in (*folders, *files):
                self._user.own(Path(parent, name))
        for folder in (self.layout.home, self.layout.workspace):
            if folder.is_dir():
                self._user.own(folder)
        for folder in (self.layout.scripts, self.layout.root):
            self._user.admit(folder)

    def _link(self, name: str, target: str) -> None:
        """Put a link into the home; what it leads to stays when the stage's folder is removed."""
        link = self.layout.home / name
        if Path(name).is_absolute() or ".." in link.parts or link == self.layout.home:
            raise EngineError(f"{name!r} is no place in a stage's home: name a relative path without '..'")
        link.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        link.symlink_to(target)


def write_new(file: Path, content: bytes) -> None:
    """Write a file that only its owner may read, and that must not be there yet.

    Raises:
        OSError: it is there, as a link too, or cannot be written.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(file, flags, 0o600), "wb") as opened:
        opened.write(content)


def _check_source(source: Path) -> None:
    if not source.exists():
        raise EngineError(f"the workspace {source} does not exist; name the folder in which the steps are to run")
    if not source.is_dir():
        raise EngineError(f"the workspace {source} is no folder; name the folder in which the steps are to run")
