"""What the settings give to the containers of docker pipelines."""

from __future__ import annotations

from delegate_core.pipeline.container import RegistryCredentials
from delegate_core.pipeline.spec import Limits
from delegate_drone.compiler import ContainerOptions, SharedVolume
from delegate_drone.containers import container_options
from tests.drone.settings.test_settings import settings


def test_without_settings_containers_get_what_drone_s_runner_gives_them() -> None:
    assert container_options(settings()) == ContainerOptions(clone_image="drone/git:latest")


def test_every_variable_of_drone_s_runner_reaches_the_containers() -> None:
    found = settings(
        DRONE_RUNNER_CLONE_IMAGE="octo/git:1",
        DRONE_RUNNER_VOLUMES="/certs:/etc/certs:ro",
        DRONE_RUNNER_NETWORKS="shared",
        DRONE_RUNNER_NETWORK_OPTS="com.docker.network.driver.mtu:1450",
        DRONE_DOCKER_STREAM_PULL="false",
        DRONE_RUNNER_PRIVILEGED_IMAGES="octo/builder",
        DRONE_FLAG_ALLOW_DOCKER_PLUGIN_VOLUMES="true",
        DRONE_NETRC_CLONE_ONLY="true",
        DRONE_SHM_SIZE="64m",
        DRONE_MEMORY_LIMIT="1g",
        DRONE_MEMORY_SWAP_LIMIT="-1",
        DRONE_CPU_PERIOD="100000",
        DRONE_CPU_QUOTA="50000",
        DRONE_CPU_SHARES="512",
        DRONE_CPU_SET="0,2",
    )
    account = RegistryCredentials(address="a.example", username="u", password="p")
    assert container_options(found, (account,)) == ContainerOptions(
        clone_image="octo/git:1",
        registries=(account,),
        privileged_images=("octo/builder",),
        plugin_volumes=True,
        volumes=(SharedVolume("/certs", "/etc/certs", read_only=True),),
        networks=("shared",),
        network_options={"com.docker.network.driver.mtu": "1450"},
        show_pulls=False,
        limits=Limits(
            memory=1 << 30, memory_swap=-1, cpu_period=100_000, cpu_quota=50_000, cpu_shares=512, cpu_set="0,2"
        ),
        shm_size=64 << 20,
        netrc_clone_only=True,
    )
