"""Runs the steps of a stage as processes of this machine, by the runner's own user.

    async with HostEngine().open(stage, surroundings) as place:
        ending = await place.run(step, output)

It separates stages (each has folders of its own) but contains nothing: a step may do whatever the runner's user may.
The modules, from the ground up:

- ``layout`` says where a stage lives,
- ``claim`` tells the folders of living stages from those that a dead runner left,
- ``stagefolder`` makes a stage's folders and takes them away,
- ``kept`` looks after the workspaces of failed stages,
- ``place`` runs steps,
- ``engine`` puts them together.
"""

from delegate_core.engines.host.engine import HostEngine
from delegate_core.engines.host.layout import HostLayout

__all__ = ["HostEngine", "HostLayout"]
