"""The steps of a docker pipeline: containers."""

from __future__ import annotations

from dataclasses import replace

from delegate_core.pipeline.container import Container, Device, Pull
from delegate_core.pipeline.spec import Limits, Netrc, RunPolicy, Secret, Step
from delegate_drone.compiler.environment import container_environment, without_empty
from delegate_drone.compiler.facts import Facts
from delegate_drone.compiler.host import HostSteps
from delegate_drone.compiler.images import full_reference
from delegate_drone.compiler.options import Options
from delegate_drone.compiler.privileges import may_be_privileged
from delegate_drone.compiler.registries import credentials_for
from delegate_drone.compiler.secrets import KnownSecrets, Variables
from delegate_drone.compiler.settings import plugin_variables
from delegate_drone.compiler.volumes import Volumes
from delegate_drone.compiler.workspace import ContainerWorkspace
from delegate_drone.manifest import Clone, Pipeline
from delegate_drone.manifest import Step as ManifestStep

__all__ = ["ContainerSteps"]

_PULLS = {pull.value: pull for pull in Pull}


class ContainerSteps:
    """Compiles one pipeline's steps and services."""

    def __init__(
        self,
        pipeline: Pipeline,
        facts: Facts,
        options: Options,
        secrets: KnownSecrets,
        *,
        workspace: ContainerWorkspace,
        volumes: Volumes,
        netrc: Netrc | None,
    ) -> None:
        self._pipeline = pipeline
        self._host = HostSteps(pipeline, facts, options, secrets) if options.container.clone_on_host else None
        self._folder = workspace.path
        self._options = options.container
        self._secrets = secrets
        self._volumes = volumes
        self._environment = container_environment(facts, pipeline, workspace, options)
        self._inherited_names = frozenset({*pipeline.environment, *facts.build.params})
        self._netrc = {} if netrc is None else _netrc_variables(netrc)
        self._masked = tuple(
            Secret(name=name, value=value, variable=name) for name, value in options.masked_environment.items()
        )

    def clone(self, name: str) -> Step:
        """The step that fetches the source, by its image or on the host; it always gets the account for git."""
        if self._host is not None:
            return self._host.clone(name, self._folder)
        image = self._options.clone_image
        container = Container(
            image=full_reference(image),
            pull=Pull.IF_NOT_EXISTS,
            credentials=credentials_for(image, self._options.registries),
            mounts=self._volumes.mounts,
            shm_size=self._options.shm_size,
        )
        own = Variables(_clone_settings(self._pipeline.clone), ())
        step = Step(name=name, container=container, limits=self._options.limits, run=RunPolicy.ALWAYS)
        return self._with_environment(step, own, netrc=True)

    def step(self, step: ManifestStep) -> Step:
        """What runs for a step or service of the manifest."""
        compiled = Step(
            name=step.name,
            commands=step.commands,
            working_dir=step.working_dir or None,
            limits=self._limits(step),
            container=self._container(step),
        )
        own = self._secrets.resolve({**step.environment, **plugin_variables(step.settings)})
        return self._with_environment(compiled, own, netrc=not self._options.netrc_clone_only)

    def _with_environment(self, step: Step, own: Variables, *, netrc: bool) -> Step:
        taken = {*own.plain, *(secret.variable for secret in own.secrets)}
        account = [each for name, each in self._netrc.items() if netrc and name not in taken]
        environment = without_empty({**self._environment, **own.plain})
        return replace(step, environment=environment, secrets=(*account, *own.secrets, *self._masked))

    def _container(self, step: ManifestStep) -> Container:
        own_command = not step.commands  # the engine starts the shell for commands
        return Container(
            image=full_reference(step.image),
            pull=_PULLS.get(step.pull.lower(), Pull.DEFAULT),
            credentials=credentials_for(step.image, self._options.registries),
            entrypoint=step.entrypoint if own_command else (),
            command=step.command if own_command else (),
            user=step.user,
            privileged=step.privileged or may_be_privileged(step, self._inherited_names, self._options),
            mounts=self._volumes.mounted(step),
            devices=tuple(Device(device.name, device.path) for device in step.devices),
            network_mode=step.network_mode,
            dns=step.dns,
            dns_search=step.dns_search,
            hosts=step.extra_hosts,
            shm_size=step.shm_size or self._options.shm_size,
        )

    def _limits(self, step: ManifestStep) -> Limits:
        limits = self._options.limits
        memory = step.mem_limit if step.mem_limit > 0 else limits.memory
        swap = step.memswap_limit or limits.memory_swap
        return replace(limits, memory=memory, memory_swap=swap)


def _netrc_variables(netrc: Netrc) -> dict[str, Secret]:
    """The account for git as the clone image reads it; the file's text is hidden by hiding the password."""
    line = f"machine {netrc.machine} login {netrc.login} password {netrc.password}"
    values = {"FILE": line, "MACHINE": netrc.machine, "PASSWORD": netrc.password, "USERNAME": netrc.login}
    variables = {f"DRONE_NETRC_{key}": (value, key == "PASSWORD") for key, value in values.items()}
    return {name: Secret(name=name, value=value, variable=name, mask=mask) for name, (value, mask) in variables.items()}


def _clone_settings(clone: Clone) -> dict[str, str]:
    skip_verify = {"PLUGIN_SKIP_VERIFY": "true", "GIT_SSL_NO_VERIFY": "true"} if clone.skip_verify else {}
    numbers = {"PLUGIN_DEPTH": clone.depth, "PLUGIN_RETRIES": clone.retries}
    return {**{name: str(number) for name, number in numbers.items() if number > 0}, **skip_verify}
