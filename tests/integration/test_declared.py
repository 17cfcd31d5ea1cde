"""Handlers of the settings file, as an operator sees them."""

from __future__ import annotations

import json

from tests.integration.command import Command

_GOOD = """
[handler.resize]
executable = "sh"

[handler."image/*"]
forward = "http://127.0.0.1:9000/image?key=hush"
"""
_BROKEN = """
[handler.resize]
executable = "./not-there"

[handler.crop]
executable = "sh"
"""


async def test_declared_handlers_are_listed_with_their_kind_and_what_is_broken(delegate: Command) -> None:
    file = delegate.folder / "delegate.toml"
    file.write_text(_GOOD)
    listed = json.loads((await delegate("plugins", "list", "--json")).out)
    shown = [(row["name"], row["kind"], row["module"], row["state"]) for row in listed if row["kind"] != "backend"]
    assert ("resize", "executable", "sh", "ok") in shown
    assert ("image/*", "forward", "http://127.0.0.1:9000/image", "ok") in shown
    file.write_text(_BROKEN)
    table = await delegate("plugins", "list")
    assert table.code == 1
    assert "handler 'resize': the program ./not-there does not exist" in table.out
    (crop,) = [line for line in table.out.splitlines() if line.startswith("crop")]
    assert crop.split()[-1] == "ok"


async def test_a_table_that_cannot_be_used_ends_the_start_with_its_place_and_no_traceback(delegate: Command) -> None:
    (delegate.folder / "delegate.toml").write_text('[handler.resize]\nexecutable = "sh"\nlimit = 0\n')
    ended = await delegate("dev", "--backend", "harness")
    assert ended.code == 2
    assert ended.err.endswith("delegate: [handler.resize] limit: Input should be greater than or equal to 1\n")
