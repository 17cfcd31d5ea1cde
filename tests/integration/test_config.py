"""``delegate config``: as a process, with files and variables as people have them."""

from __future__ import annotations

import json
import re
import tomllib
from typing import Any

import pytest

from delegate_core.settings import RunnerSettings, settings_of
from tests.integration.command import Command

_SECRETS = {"DRONE_RPC_SECRET": "canary-secret", "DRONE_RUNNER_ENVIRON": "TOKEN:canary-variable"}


async def test_each_setting_is_shown_with_its_value_and_origin_and_no_secret(delegate: Command) -> None:
    (delegate.folder / "delegate.toml").write_text(
        'backend = "drone"\ngrace = "3s"\n[drone]\nlabels = {disk = "ssd"}\n'
    )
    shown = await delegate(
        "config", "show", "--json", DRONE_RPC_HOST="drone.example", DELEGATE_CAPACITY="7", **_SECRETS
    )
    assert shown.code == 0, shown.err
    tables = json.loads(shown.out)
    assert tables["runner"]["grace"] == {"value": '"3s"', "from": "delegate.toml line 2"}
    assert tables["runner"]["capacity"] == {"value": "7", "from": "DELEGATE_CAPACITY"}
    assert tables["runner"]["console"] == {"value": '"auto"', "from": "default"}
    assert tables["drone"]["server"] == {"value": '"drone.example"', "from": "DRONE_RPC_HOST"}
    assert tables["drone"]["secret"] == {"value": '"******"', "from": "DRONE_RPC_SECRET"}
    assert tables["drone"]["environment"] == {"value": '"******"', "from": "DRONE_RUNNER_ENVIRON"}
    assert tables["drone"]["labels"] == {"value": '{ disk = "ssd" }', "from": "delegate.toml line 4 [drone]"}
    assert "canary" not in shown.out


async def test_for_people_it_is_a_table_and_can_leave_the_defaults_out(delegate: Command) -> None:
    whole = await delegate("config", "show", "--backend", "drone", DRONE_RPC_HOST="drone.example", **_SECRETS)
    given = await delegate(
        "config", "show", "--backend", "drone", "--given", DRONE_RPC_HOST="drone.example", **_SECRETS
    )
    assert re.search(r"^drain_timeout +\"1m\" +default", whole.out, re.MULTILINE)
    assert "drain_timeout" not in given.out
    assert re.search(r"^\[drone\] .*\nserver +\"drone.example\" +DRONE_RPC_HOST", given.out, re.MULTILINE)


async def test_what_is_missing_or_wrong_is_marked_with_its_cure_between_all_the_rest(delegate: Command) -> None:
    (delegate.folder / "delegate.toml").write_text(
        'backend = "harness"\ncapacity = 0\n[harness]\nendpoint = "http://h"\n'
    )
    given = {"DELEGATE_ACCOUNT_SECRET": "canary-secret"}
    shown = await delegate("config", "show", "--given", **given)
    assert shown.code == 2
    assert re.search(r"^capacity +0 +delegate.toml line 2: 0: Input should be greater", shown.out, re.MULTILINE)
    assert re.search(r'^endpoint +"http://h" +delegate.toml line 4', shown.out, re.MULTILINE)
    assert re.search(r"^account_id +missing +give --account-id, DELEGATE_ACCOUNT_ID", shown.out, re.MULTILINE)
    assert shown.err == "delegate: not yet good for a runner: see capacity, account_id above\n"
    tables = json.loads((await delegate("config", "show", "--json", **given)).out)
    assert tables["runner"]["grace"] == {"value": '"10s"', "from": "default"}
    assert tables["harness"]["account_secret"] == {"value": '"******"', "from": "DELEGATE_ACCOUNT_SECRET"}
    assert tables["harness"]["account_id"]["problem"].startswith("give --account-id")
    assert "canary" not in shown.out + str(tables)


async def test_without_a_backend_the_runners_own_settings_are_shown_and_what_belongs_to_none_is_said(
    delegate: Command,
) -> None:
    (delegate.folder / "delegate.toml").write_text('gracee = "3s"\n')
    shown = await delegate("config", "show", DELEGATE_CAPACITY="7")
    assert shown.code == 2
    assert re.search(r"^backend +missing +no backend is named; add --backend harness", shown.out, re.MULTILINE)
    assert re.search(r"^capacity +7 +DELEGATE_CAPACITY", shown.out, re.MULTILINE)
    assert "gracee (delegate.toml line 1): there is no such setting: did you mean grace?" in shown.err


@pytest.mark.parametrize(
    ("backend", "given"),
    [
        ("drone", {"DRONE_RPC_HOST": "h", "DELEGATE_SECRET_FILE": "/no/such"}),
        (
            "harness",
            {"DELEGATE_ENDPOINT": "h", "DELEGATE_ACCOUNT_ID": "a", "DELEGATE_ACCOUNT_SECRET_FILE": "/no/such"},
        ),
    ],
)
async def test_a_secrets_file_that_cannot_be_read_is_named_once(
    delegate: Command, backend: str, given: dict[str, str]
) -> None:
    checked = await delegate("config", "check", "--backend", backend, **given)
    assert checked.code == 2
    assert len(checked.err.splitlines()) == 1
    assert "/no/such: No such file or directory: name a readable file" in checked.err


async def test_a_check_names_everything_that_is_wrong_with_origin_and_cure(delegate: Command) -> None:
    (delegate.folder / "delegate.toml").write_text('backend = "drone"\ngracee = "3s"\ncapacity = 0\n')
    checked = await delegate("config", "check", DRONE_RPC_HOST="drone.example", **_SECRETS)
    assert checked.code == 2
    assert "gracee (delegate.toml line 2): there is no such setting: did you mean grace?" in checked.err
    assert "capacity (delegate.toml line 3): 0: Input should be greater than or equal to 1" in checked.err


async def test_a_check_of_good_settings_says_how_many_and_warns_of_strange_variables(delegate: Command) -> None:
    checked = await delegate(
        "config", "check", "--backend", "drone", DRONE_RPC_HOST="h", DELEGATE_GRAC="1s", **_SECRETS
    )
    assert checked.code == 0
    assert "warning: DELEGATE_GRAC: there is no such setting: did you mean DELEGATE_GRACE?" in checked.out
    assert "good for --backend drone: 4 settings given" in checked.out


async def test_a_check_finds_a_handlers_secret_that_nothing_declares_and_patterns_that_conflict(
    delegate: Command,
) -> None:
    secret = '[handler.a]\nexecutable = "sh"\nenvironment = {A = {secret = "npm"}}\n'
    patterns = '[handler."b*"]\nexecutable = "sh"\n[handler."*b"]\nexecutable = "sh"\n'
    for text, said in (
        (secret, "handler 'a' from the settings file needs the secret 'npm', which is not declared: say where it is"),
        (patterns, "two patterns that match the same task types and are as specific: 'b*' from the settings file"),
    ):
        (delegate.folder / "delegate.toml").write_text(text)
        checked = await delegate("config", "check", "--backend", "drone", DRONE_RPC_HOST="h", **_SECRETS)
        assert (checked.code, said in checked.err) == (3, True), checked.err


async def test_without_a_backend_it_says_how_to_name_one(delegate: Command) -> None:
    checked = await delegate("config", "check")
    assert (checked.code, "no backend is named" in checked.err) == (2, True)


_FILLED = {
    "drone": {"server": '"h"', "secret_file": '"secret.txt"'},
    "harness": {"endpoint": '"http://h"', "account_id": '"a"', "account_secret_file": '"secret.txt"'},
}


@pytest.mark.parametrize("backend", ["drone", "harness"])
async def test_the_file_to_begin_with_is_good_once_what_it_calls_required_is_given_also_with_every_default(
    delegate: Command, backend: str
) -> None:
    written = await delegate("config", "init", "--backend", backend)
    assert written.code == 0, written.err
    file = delegate.folder / "delegate.toml"
    assert file.stat().st_mode & 0o777 == 0o600
    text = file.read_text()
    required = re.findall(r"^# Required: (?:.+\n# )+(\w+) =", text, re.MULTILINE)
    assert required == list(_FILLED[backend])
    (delegate.folder / "secret.txt").write_text("0" * 32)
    for name, value in _FILLED[backend].items():
        text = re.sub(rf"^# {name} =.*$", f"{name} = {value}", text, flags=re.MULTILINE)
    file.write_text(text)
    assert (await delegate("config", "check")).code == 0
    file.write_text(re.sub(r"^# (\w+ = .+)$", r"\1", text, flags=re.MULTILINE))
    assert {"grace", "log_limit"} <= tomllib.loads(file.read_text()).keys()
    checked = await delegate("config", "check")
    assert checked.code == 0, checked.err


async def test_the_file_to_begin_with_names_the_schema_beside_it_and_spares_what_is_no_schema(
    delegate: Command,
) -> None:
    folder = delegate.folder
    assert (await delegate("config", "init")).code == 0
    first = (folder / "delegate.toml").read_text().splitlines()[0]
    assert first == "#:schema ./delegate.schema.json"
    assert (folder / "delegate.schema.json").read_text() == (await delegate("config", "schema")).out
    assert (await delegate("config", "init", "--force")).code == 0
    (folder / "delegate.schema.json").write_text("mine")
    refused = await delegate("config", "init", "other.toml")
    assert (refused.code, "is in the way" in refused.err) == (2, True)
    assert (folder / "delegate.schema.json").read_text() == "mine"
    assert not (folder / "other.toml").exists()


async def test_a_file_that_is_there_is_only_replaced_on_demand(delegate: Command) -> None:
    file = delegate.folder / "own.toml"
    file.write_text("# mine")
    refused = await delegate("config", "init", "own.toml")
    assert (refused.code, file.read_text()) == (2, "# mine")
    assert "--force replaces it" in refused.err
    assert (await delegate("config", "init", "own.toml", "--force")).code == 0
    nowhere = await delegate("config", "init", "no/such/folder.toml")
    assert (nowhere.code, "cannot write" in nowhere.err) == (2, True)


async def test_the_schema_knows_each_setting_and_table_and_how_it_may_be_written(delegate: Command) -> None:
    schema: dict[str, Any] = json.loads((await delegate("config", "schema")).out)
    properties = schema["properties"]
    assert settings_of(RunnerSettings).keys() <= properties.keys()
    assert {"drone", "harness"} <= properties.keys()
    assert schema["additionalProperties"] is False
    assert all("description" in properties[name] for name in settings_of(RunnerSettings))
    assert {"type": "string", "description": "file that holds of status_user; without it only the token"}.keys() <= (
        properties["status_password_file"].keys()
    )
    assert {choice["type"] for choice in properties["grace"]["anyOf"]} == {"number", "string"}
    pattern = next(choice["pattern"] for choice in properties["grace"]["anyOf"] if "pattern" in choice)
    assert all(re.search(pattern, text) for text in ("10ms", "3s", "1h30m", "90"))
    assert not re.search(pattern, "soon")


async def test_the_schema_knows_handlers_and_the_file_that_is_written_shows_one(delegate: Command) -> None:
    schema: dict[str, Any] = json.loads((await delegate("config", "schema")).out)
    kinds = [one["$ref"].rpartition("/")[2] for one in schema["properties"]["handler"]["additionalProperties"]["anyOf"]]
    assert kinds == ["ExecutableOptions", "ForwardOptions", "AsgiApp", "_Function", "RequestOptions"]
    assert {*kinds, "Download", "GitRepository", "SecretFrom"} <= schema["$defs"].keys()
    await delegate("config", "init", "new.toml")
    text = (delegate.folder / "new.toml").read_text()
    uncommented = text.replace("# handler.resize", "handler.resize")
    assert tomllib.loads(uncommented)["handler"] == {"resize": {"executable": "./resize"}}


async def test_mistakes_of_the_runner_and_of_its_backend_are_named_at_once_with_what_was_meant(
    delegate: Command,
) -> None:
    (delegate.folder / "delegate.toml").write_text('console = "lvie"\n[harness]\nendpiont = "x"\n')
    ended = await delegate("config", "check", "--backend", "harness")
    assert ended.code == 2
    assert "did you mean live?" in ended.err
    assert "endpiont (delegate.toml line 3 [harness]): there is no such setting: did you mean endpoint?" in ended.err
    assert "account_id: missing" in ended.err
    (delegate.folder / "delegate.toml").write_text("")
    bare = await delegate("config", "check", "--backend", "harness")
    assert [line.split(": missing")[0] for line in bare.err.splitlines()] == [
        "delegate: account_id",
        "account_secret",
        "endpoint",
    ]


async def test_a_table_that_nothing_reads_is_a_warning_and_a_backend_that_is_misspelled_is_named(
    delegate: Command,
) -> None:
    (delegate.folder / "delegate.toml").write_text('[dorne]\nlabels = "a:b"\n')
    given = {"DRONE_RPC_HOST": "drone.example", "DRONE_RPC_SECRET": "secret"}
    ended = await delegate("config", "check", "--backend", "drone", **given)
    assert "[dorne] (delegate.toml line 1): nothing reads this table: did you mean [drone]?" in ended.out
    assert "did you mean drone?" in (await delegate("config", "check", "--backend", "drnoe")).err


async def test_an_address_on_which_no_status_can_be_served_is_named_with_its_origin(delegate: Command) -> None:
    given = {"DRONE_RPC_HOST": "drone.example", "DRONE_RPC_SECRET": "secret", "DRONE_HTTP_BIND": "nowhere"}
    ended = await delegate("config", "check", "--backend", "drone", **given)
    assert ended.code == 2
    assert "status (DRONE_HTTP_BIND): 'nowhere' is no address to serve on: write HOST:PORT" in ended.err
