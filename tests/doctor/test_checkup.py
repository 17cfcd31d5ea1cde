"""What a running runner finds out by itself before it hurts, and says in its live view and status."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme

from delegate_core.cli.checkup import Checkup
from delegate_core.cli.doctor.patient import Patient
from delegate_core.cli.loading import load_all
from delegate_core.cli.running import make_runner
from delegate_core.console.notices import notices
from delegate_core.console.view import View
from delegate_core.runner import Runner
from delegate_harness.manager import EmbeddedManager
from tests.doctor.test_ways import certified
from tests.http.server import answering, reply, serving

pytestmark = pytest.mark.anyio


class Clock:
    """The manager's, which can be set."""

    ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


def checkup_of(environ: Mapping[str, str], folder: Path, settings: str = "") -> tuple[Runner, Checkup]:
    file = folder / "delegate.toml"
    file.write_text(f'status = "off"\ntransport = "httpx"\nstate_dir = "{folder / "state"}"\n{settings}')
    loaded = load_all(file, {"backend": "harness"}, environ)
    runner = make_runner(loaded)
    return runner, Checkup(lambda: Patient(environ, 20.0, loaded, runner=runner))


async def test_a_clock_that_has_gone_wrong_is_told_with_its_cure_until_it_is_right_again(tmp_path: Path) -> None:
    clock = Clock()
    async with EmbeddedManager(clock=clock) as manager:
        environ = {
            "DELEGATE_ENDPOINT": manager.url,
            "DELEGATE_ACCOUNT_ID": manager.account_id,
            "DELEGATE_ACCOUNT_SECRET": manager.account_secret,
        }
        runner, checkup = checkup_of(environ, tmp_path)
        await checkup.look()
        assert runner.snapshot().advice == ()
        clock.ahead = 90.0
        await checkup.look()
        (notice,) = [one for one in notices(View("harness", runner.snapshot())) if one.label == "clock"]
        assert "behind the server's" in notice.text
        assert "timedatectl set-ntp true" in notice.cure
        clock.ahead = 0.0
        await checkup.look()
        assert runner.snapshot().advice == ()


async def test_a_certificate_that_ends_soon_is_told_while_the_runner_runs(tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
    ends = datetime.now(UTC) + timedelta(days=3)
    async with serving(answering(reply(b"{}")), certified(authority, "127.0.0.1", ends)) as server:
        environ = {
            "DELEGATE_ENDPOINT": f"https://127.0.0.1:{server.port}",
            "DELEGATE_ACCOUNT_ID": "invented",
            "DELEGATE_ACCOUNT_SECRET": "0" * 32,
        }
        runner, checkup = checkup_of(environ, tmp_path, f'ca_files = ["{tmp_path / "authority.pem"}"]\n')
        await checkup.look()
    (advice,) = [one for one in runner.snapshot().advice if one.about.endswith("TLS")]
    assert f"valid until {ends:%Y-%m-%d}" in advice.text
    assert advice.cure == "have the server's certificate renewed"
