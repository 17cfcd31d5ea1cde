"""Accepting a stage, whose lost reply looks like another runner's success."""

from __future__ import annotations

from typing import NamedTuple

from delegate_drone.client import DroneClient
from delegate_drone.faults import DroneFault, LockLost, NoSuchRow
from delegate_drone.records.patience import Patience, persist
from delegate_drone.records.record import StageRecord
from delegate_drone.wire import Details

__all__ = ["Claim", "claim"]


class Claim(NamedTuple):
    """A stage that is ours.

    Attributes:
        record: what a `StageBook` starts from; journal its ``plain()``.
        details: what there is to run, if it had to be asked for already: do not ask again, each call is costly.
    """

    record: StageRecord
    details: Details | None = None


async def claim(
    client: DroneClient, stage_id: int, machine: str, *, again: bool = False, patience: Patience | None = None
) -> Claim | None:
    """Accept a stage, trying until it is answered, or keeps being answered with an error; None: it is not to be had.

    The intent has to be journaled before this is called.

    Args:
        client: the server's.
        stage_id: of an offered stage.
        machine: our name, which no other runner and no other state folder may have.
        again: an earlier call for this stage was broken off, or died with the runner, so it may be ours already.
        patience: the pauses between tries.

    Raises:
        ServerFault, Unusable: it may be ours, and the server keeps answering with an error, or with nonsense.
    """
    patience, doubt = patience or Patience(), again

    def note(fault: DroneFault) -> None:
        nonlocal doubt
        doubt = doubt or fault.uncertain

    try:
        stage = await persist(lambda: client.accept(stage_id, machine), patience, tries=patience.tries, noted=note)
    except NoSuchRow:
        return None
    except LockLost:
        return await _taken(client, stage_id, machine, patience) if doubt else None
    return Claim(StageRecord.of(stage.model_copy(update={"machine": machine})))


async def _taken(client: DroneClient, stage_id: int, machine: str, patience: Patience) -> Claim | None:
    """Somebody has the stage, maybe we. Only then are its details asked for before it is known to be ours."""
    try:
        details = await persist(lambda: client.details(stage_id), patience, tries=patience.tries)
    except NoSuchRow:
        return None
    stage = details.stage
    is_ours = stage.machine == machine and stage.status == "pending" and not details.build.is_done
    return Claim(StageRecord.of(stage), details) if is_ours else None
