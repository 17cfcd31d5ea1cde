"""The variables of the core's settings and of a backend's, which one environment holds."""

from __future__ import annotations

import pytest

from delegate_core.settings import RunnerSettings, Settings
from delegate_core.settings.naming import settings_of
from delegate_drone.settings import DroneSettings
from delegate_harness.settings import HarnessSettings


@pytest.mark.parametrize("model", [DroneSettings, HarnessSettings])
def test_no_variable_of_a_backend_means_something_else_to_the_core(model: type[Settings]) -> None:
    variables = [
        {name for each in settings_of(one).values() for name in each.variables} for one in (RunnerSettings, model)
    ]
    assert not variables[0] & variables[1]
