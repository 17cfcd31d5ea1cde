"""The unit that makes a runner a service of systemd."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

__all__ = ["Unit"]

_LAST_WORDS: Final = 15
"""Seconds on top of the drain's time and the grace that the runner gets to say goodbye, before systemd kills it."""

_START: Final = 30
"""Seconds on top of the time that the first registration may take."""

_TEMPLATE: Final = """\
# Made by `delegate service`; yours to change.
[Unit]
Description=Runner {name} ({backend})
Wants=network-online.target
After=network-online.target

[Service]
# The runner says itself when it is registered, and feeds the watchdog from its own event loop: an outage of the server
# ends nothing.
Type=notify
NotifyAccess=main
WatchdogSec=60
ExecStart={command}
{identity}
# Secrets and DRONE_* variables may stand there, NAME=value a line; keep it readable for its owner only.
EnvironmentFile=-{environment}

# SIGTERM drains: running tasks finish, results are delivered. Only then, or after this time, are its processes killed.
KillMode=mixed
TimeoutStopSec={stop}
TimeoutStartSec={start}
ExecReload=/bin/kill -HUP $MAINPID

# Exit codes 2, 3, 4 and 7 (settings, plugin, credentials, ended by the server) do not mend themselves.
Restart=on-failure
RestartSec=5
RestartPreventExitStatus=2 3 4 7

# A build that eats all memory is killed, the runner is not.
OOMPolicy=continue
OOMScoreAdjust=-500
LimitNOFILE=65536
TasksMax=infinity

# Hardening. What is commented out would also bind what tasks may do: take it where yours bear it.
UMask=0077
LockPersonality=yes
RestrictRealtime=yes
ProtectClock=yes
ProtectKernelLogs=yes
# NoNewPrivileges=yes       # no sudo and no setuid program in a task
# PrivateTmp=yes            # a /tmp of its own
# ProtectSystem=strict      # the whole file system read-only but the state folder
# ProtectHome=yes           # no /home
# ProtectKernelModules=yes
# RestrictNamespaces=yes    # no containers without an engine

[Install]
WantedBy={target}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """A runner's unit.

    Args:
        name: the runner's.
        backend: its backend.
        program: the absolute path of the ``delegate`` command.
        config: the settings file, absolute; None: there is none.
        user: who runs it, for a system's unit; None: whoever systemd's manager belongs to.
        system: a unit of the system, not of one user's manager.
        state_dir: the state folder where the settings name one; None: systemd makes one.
        for_others: tasks run as other users, and the settings name no folder for theirs: systemd makes one.
        environment: a file of variables.
        drain: seconds that a drain may take, the grace included.
        register: seconds that the first registration may take.
    """

    name: str
    backend: str
    program: Path
    config: Path | None
    user: str | None
    system: bool
    state_dir: Path | None
    for_others: bool
    environment: Path
    drain: float
    register: float

    @property
    def file_name(self) -> str:
        """``delegate-NAME.service``, with what a unit's name may hold."""
        safe = "".join(sign if sign.isascii() and (sign.isalnum() or sign in "._-") else "_" for sign in self.name)
        return f"delegate-{safe}.service"

    def text(self) -> str:
        """The unit's file."""
        return _TEMPLATE.format(
            name=_escaped(self.name),
            backend=_escaped(self.backend),
            command=self._command(),
            identity="\n".join(self._identity()),
            environment=_escaped(str(self.environment)),
            stop=round(self.drain) + _LAST_WORDS,
            start=round(self.register) + _START if self.register else "infinity",
            target="multi-user.target" if self.system else "default.target",
        )

    def _command(self) -> str:
        words = [str(self.program), "run", "--backend", self.backend, "--name", self.name, "--console", "plain"]
        words += ["--config", str(self.config)] if self.config else []
        return " ".join(_quoted(word) for word in words)

    def _identity(self) -> list[str]:
        lines = [f"User={self.user}"] if self.user and self.system else []
        if self.state_dir is None:
            lines += self._folder("State", "0700", "DELEGATE_STATE_DIR=%S")
        if self.for_others:
            lines += ["# Other users get through it to the folders of their tasks."]
            lines += self._folder("Cache", "0711", "DELEGATE_WORK_DIR=%C")
        return lines

    def _folder(self, kind: str, mode: str, variable: str) -> list[str]:
        folder = self.file_name.removesuffix(".service")
        return [f"{kind}Directory={folder}", f"{kind}DirectoryMode={mode}", f"Environment={variable}/{folder}"]


def _escaped(text: str) -> str:
    """A text in a unit, where ``%`` begins a specifier and a line's end ends the value."""
    return " ".join(text.split()).replace("%", "%%")


def _quoted(word: str) -> str:
    """A word of a command line in a unit; see systemd.service(5)."""
    plain = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{plain}"' if plain != word or not word or any(sign.isspace() or sign in "';" for sign in word) else word
