"""Variables of Drone's runners that are set and mean nothing here: each is named, with what to do instead."""

from __future__ import annotations

from collections.abc import Mapping

from delegate_core.settings import settings_of
from delegate_core.settings.naming import nearest
from delegate_drone.settings import DroneSettings

__all__ = ["unsupported"]

_REASONS = {
    "DRONE_UI_DISABLE": "DELEGATE_STATUS=off serves no dashboard",
    "DRONE_UI_": "the dashboard has a user and a password, and nothing else of that kind",
    "DRONE_HTTP_": "of the pages that are served only the address can be chosen, with DRONE_HTTP_BIND",
    "DRONE_SERVER_": "of the pages that are served only the address can be chosen; the server is DRONE_RPC_HOST",
    "DRONE_ACME_": "the pages are served without a certificate: put a proxy before them",
    "DRONE_TMATE_": "there are no debug sessions; run the pipeline at your own terminal with `delegate exec`",
    "DRONE_LOG_FILE": "the log goes to the standard output, and to the file of DELEGATE_LOG_FILE and its settings",
    "DRONE_RUNNER_DEVICES": "it never had an effect; name devices in the pipeline",
    "DRONE_DEFER_TAIL_LOG": "the last lines of a step are always waited for",
    "DRONE_FLAG_ENABLE_CARDS": "cards are always passed on",
}
"""By name, or by what a group of names begins with."""

_OURS = (
    "DRONE_CPU_",
    "DRONE_DOCKER_",
    "DRONE_ENV_",
    "DRONE_FLAG_",
    "DRONE_LIMIT_",
    "DRONE_LOGS_",
    "DRONE_MEMORY_",
    "DRONE_NETRC_CLONE",
    "DRONE_PLATFORM_",
    "DRONE_REGISTRY_",
    "DRONE_RPC_",
    "DRONE_RUNNER_",
    "DRONE_SECRET_",
)
"""What only a runner's variables begin with."""

_OF_A_BUILD = frozenset({"DRONE_RUNNER_HOST", "DRONE_RUNNER_HOSTNAME", "DRONE_RUNNER_PLATFORM"})
"""A step of a build has these, and may run a runner."""


def unsupported(environ: Mapping[str, str]) -> tuple[str, ...]:
    """A line for each variable of Drone's runners that is set in vain, by name; its value is not shown.

    Those of the server and of a build are passed over, and so are empty ones.
    """
    known = _known()
    names = sorted(name for name, value in environ.items() if value and name not in known | _OF_A_BUILD)
    return tuple(line for name in names if (line := _complaint(name, known)))


def _complaint(name: str, known: frozenset[str]) -> str | None:
    reason = next((reason for begin, reason in _REASONS.items() if name.startswith(begin)), None)
    if reason is not None:
        return f"{name} has no effect: {reason}"
    if not name.startswith(_OURS):
        return None
    meant = nearest(name, known)
    return f"{name} has no effect: there is no such variable" + (f": did you mean {meant}?" if meant else "")


def _known() -> frozenset[str]:
    own = (name for setting in settings_of(DroneSettings).values() for name in setting.variables)
    of_the_runner = (name for each in DroneSettings.runner_environment.values() for name in each.names)
    return frozenset(name for name in (*own, *of_the_runner) if name.startswith("DRONE_"))
