"""From a Drone pipeline to the spec that an engine executes.

    stage = compile_stage(pipeline, facts, options=options, secrets=secrets)

Nothing here does I/O: what is known of the build, the runner and the secrets are arguments.
"""

from delegate_drone.compiler.clone import clone_commands
from delegate_drone.compiler.environment import runtime_environment, substitution_variables
from delegate_drone.compiler.facts import Facts
from delegate_drone.compiler.options import CLONE_IMAGE, ContainerOptions, Options
from delegate_drone.compiler.secrets import pull_secrets, secret_names
from delegate_drone.compiler.sharing import SharedVolume
from delegate_drone.compiler.stage import compile_stage

__all__ = [
    "CLONE_IMAGE",
    "ContainerOptions",
    "Facts",
    "Options",
    "SharedVolume",
    "clone_commands",
    "compile_stage",
    "pull_secrets",
    "runtime_environment",
    "secret_names",
    "substitution_variables",
]
