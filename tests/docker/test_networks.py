"""Networks that containers join besides their stage's own."""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial

import anyio
import pytest

from delegate_core.engines.engine import EngineError
from delegate_core.pipeline.states import Broken, Exited
from delegate_core.testing.engine_contract_base import Printed
from tests.docker.neighbour import neighbour
from tests.docker.test_steps import Opened, opened

__all__ = ["opened"]

pytestmark = pytest.mark.anyio

FETCH = "for each in 1 2 3 4 5 6 7 8 9; do wget -q -O - http://{}/ && break; sleep 0.2; done"

LOOK = ("echo options timeout:1 attempts:1 >> /etc/resolv.conf", "ping -c 1 database")
"""Ask for an address once: there may be no server to pass the question on to."""


async def test_a_step_reaches_containers_of_each_network_that_it_joins_by_name(
    docker_host: str, opened: Opened
) -> None:
    with ExitStack() as stack:
        (first, one), (second, two) = (
            stack.enter_context(neighbour(docker_host, text)) for text in ("of-the-first", "of-the-second")
        )
        async with opened(networks=(first, second, first)) as room:
            ending, text = await room.run(FETCH.format(one), FETCH.format(two))
    assert ending == Exited(0), text
    assert "\nof-the-first\n" in text
    assert text.endswith("\nof-the-second\n")


async def test_a_service_is_not_mistaken_for_one_of_its_name_in_another_stage(docker_host: str, opened: Opened) -> None:
    with neighbour(docker_host, "x") as (network, _):
        async with opened(networks=(network,)) as other, opened(networks=(network,)) as own:
            ready = Printed()
            async with anyio.create_task_group() as group:
                group.start_soon(partial(other.run, "echo up", "sleep 600", name="database", printed=ready))
                await ready.until("up")
                _, seen_there = await other.run(*LOOK)
                ending, seen_here = await own.run(*LOOK)
                group.cancel_scope.cancel()
    assert "bytes from" in seen_there
    assert ending == Exited(1)
    assert "bad address 'database'" in seen_here


async def test_a_network_that_does_not_exist_breaks_the_step_and_says_what_to_do(opened: Opened) -> None:
    async with opened(networks=("no-such-network",)) as room:
        ending, _ = await room.run("echo never")
    assert isinstance(ending, Broken)
    assert ending.error.startswith("it cannot join the network 'no-such-network': ")
    assert "docker network create no-such-network" in ending.error


async def test_options_of_the_stage_s_network_are_the_driver_s(opened: Opened) -> None:
    async with opened(network_options={"com.docker.network.driver.mtu": "1337"}) as room:
        _, text = await room.run("cat /sys/class/net/eth0/mtu")
    assert text.endswith("\n1337\n")


async def test_an_option_that_the_driver_does_not_take_is_told_with_the_stage(opened: Opened) -> None:
    with pytest.raises(EngineError, match=r"cannot set the stage up: .*(mtu|wide)"):
        async with opened(network_options={"com.docker.network.driver.mtu": "wide"}):
            pytest.fail("it was opened")
