"""One accepted stage's rows at the server, told so that a lost reply or a crash leaves no doubt about them."""

from delegate_drone.records.book import StageBook
from delegate_drone.records.claim import Claim, claim
from delegate_drone.records.ending import Final
from delegate_drone.records.output import StepOutput
from delegate_drone.records.patience import Patience, persist
from delegate_drone.records.record import Phase, StageRecord, StepRecord
from delegate_drone.records.rows import EndedElsewhere, StartLost

__all__ = [
    "Claim",
    "EndedElsewhere",
    "Final",
    "Patience",
    "Phase",
    "StageBook",
    "StageRecord",
    "StartLost",
    "StepOutput",
    "StepRecord",
    "claim",
    "persist",
]
