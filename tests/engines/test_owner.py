"""The name of a process that owns something on an engine."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from delegate_core.engines.owner import ProcessOwner
from delegate_core.processes.table import boot_id


def test_this_process_is_not_gone_and_its_name_is_read_back() -> None:
    owner = ProcessOwner.new()
    assert ProcessOwner.parse(str(owner)) == owner
    assert not owner.is_gone()


def test_two_owners_of_one_process_have_two_names() -> None:
    assert str(ProcessOwner.new()) != str(ProcessOwner.new())


def test_a_process_that_has_ended_is_gone() -> None:
    program = "from delegate_core.engines.owner import ProcessOwner; print(ProcessOwner.new())"
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.strip()
    owner = ProcessOwner.parse(said)
    assert owner is not None
    assert owner.boot_id == boot_id()
    assert owner.is_gone()


def test_a_pid_that_another_process_has_by_now_is_of_one_that_is_gone() -> None:
    assert replace(ProcessOwner.new(), start_time=1).is_gone()


@pytest.mark.parametrize(
    "elsewhere", [{"boot_id": "00000000-0000-4000-8000-000000000000"}, {"namespace": 1}], ids=["machine", "namespace"]
)
def test_a_process_that_cannot_be_seen_from_here_is_never_gone(elsewhere: dict[str, str]) -> None:
    assert not replace(ProcessOwner.new(), start_time=1, **elsewhere).is_gone()  # type: ignore[arg-type]


@given(st.text() | st.uuids().map(str))
def test_the_name_of_a_runner_is_that_of_no_process(name: str) -> None:
    assert ProcessOwner.parse(name) is None


@given(
    st.builds(
        ProcessOwner,
        boot_id=st.uuids().map(str),
        namespace=st.integers(0, 2**32),
        pid=st.integers(1, 2**40),
        start_time=st.integers(0, 2**63),
        nonce=st.just("0123456789ab"),
    )
)
def test_any_process_can_be_named_and_is_elsewhere(owner: ProcessOwner) -> None:
    assert ProcessOwner.parse(str(owner)) == owner
    assert not owner.is_gone()
