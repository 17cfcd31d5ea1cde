"""What a reload changes, and why the rest needs a restart."""

from __future__ import annotations

from delegate_core.runner.reloading import CHANGEABLE, NEEDS_RESTART, explained
from delegate_core.settings import RunnerSettings


def test_each_setting_either_takes_effect_by_a_reload_or_has_a_reason_why_not() -> None:
    assert set(RunnerSettings.model_fields) == {*CHANGEABLE, *NEEDS_RESTART}
    assert len(RunnerSettings.model_fields) == len(CHANGEABLE) + len(NEEDS_RESTART)


def test_settings_of_one_reason_share_it_and_those_of_plugins_have_one_too() -> None:
    assert explained(["console", "name", "log_file", "[harness] endpoint"]) == (
        "console, log_file (the console and the log's file are opened at the start); "
        "name (the state folder and its journal were opened with it); "
        "[harness] endpoint (backends and engines are made at the start)"
    )
