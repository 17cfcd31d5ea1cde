"""From flags, environment and file to one settings object."""

import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import SecretStr, field_validator

from delegate_core.errors import SettingsError
from delegate_core.settings import Environment, Flag, Loaded, RunnerSettings, Settings, find_file, load


class BackendSettings(Settings):
    endpoint: Annotated[str, Environment("OLD_URL", "OLDER_URL")] = "none"
    account_secret: Annotated[SecretStr | None, Environment("OLD_SECRET")] = None
    labels: Annotated[tuple[str, ...], Flag("label")] = ()

    @field_validator("account_secret")
    @classmethod
    def _refuse_a_bad_secret(cls, secret: SecretStr | None) -> SecretStr | None:
        if secret is not None and "bad" in secret.get_secret_value():
            raise ValueError(f"{secret.get_secret_value()} will not do, give 32 digits")
        return secret


class Required(Settings):
    account_id: str


def write(folder: Path, text: str) -> Path:
    file = folder / "delegate.toml"
    file.write_text(text)
    return file


def core(
    flags: Mapping[str, Any] | None = None, environ: Mapping[str, str] | None = None, file: Path | None = None
) -> Loaded[RunnerSettings]:
    return load(RunnerSettings, flags=flags or {}, environ=environ or {}, file=file)


def backend(
    flags: Mapping[str, Any] | None = None, environ: Mapping[str, str] | None = None, file: Path | None = None
) -> Loaded[BackendSettings]:
    return load(BackendSettings, flags=flags or {}, environ=environ or {}, file=file, table="harness")


def complaints(*arguments: Any, of: Any = core) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        of(*arguments)
    return str(caught.value).splitlines()


SOURCES = ["flag", "ours", "alias", "older alias", "file"]
ORIGINS = ["--endpoint", "DELEGATE_ENDPOINT", "OLD_URL", "OLDER_URL", "delegate.toml line 2 [harness]", "default"]


@pytest.mark.parametrize("first", range(6))
def test_precedence_is_flag_ours_aliases_file_default(tmp_path: Path, first: int) -> None:
    given = SOURCES[first:]
    names = {"ours": "DELEGATE_ENDPOINT", "alias": "OLD_URL", "older alias": "OLDER_URL"}
    loaded = backend(
        {"endpoint": "flag" if "flag" in given else None},
        {name: source for source, name in names.items() if source in given},
        write(tmp_path, '[harness]\nendpoint = "file"') if "file" in given else None,
    )
    assert loaded.values.endpoint == [*SOURCES, "none"][first]
    assert str(loaded.origin("endpoint")) == ORIGINS[first]


def test_without_any_source_the_defaults_hold() -> None:
    loaded = core()
    assert loaded.values == RunnerSettings()
    assert loaded.values.name == socket.gethostname()
    assert loaded.origin("capacity").kind == "default"
    assert (loaded.values.grace, loaded.values.log_limit) == (10, 5 * 1024 * 1024)
    assert loaded.warnings == ()


def test_a_file_gives_typed_values_with_their_lines(tmp_path: Path) -> None:
    text = '# ours\ncapacity = 4\ngrace = "1m30s"\nlog_limit = "64MiB"\ntags = ["a"]\n[limits]\ngpu = 1\n'
    loaded = core(file=write(tmp_path, text))
    assert loaded.values == RunnerSettings.model_validate(
        {"capacity": 4, "grace": 90, "log_limit": 64 * 1024 * 1024, "tags": ("a",), "limits": {"gpu": 1}}
    )
    assert str(loaded.origin("grace")) == "delegate.toml line 3"
    assert str(loaded.origin("limits")) == "delegate.toml line 6"


def test_the_environment_gives_lists_pairs_and_truths() -> None:
    environ = {"DELEGATE_TAG": "a, b", "DELEGATE_LIMIT": "gpu=1,fib=2", "DELEGATE_STRICT": "true"}
    values = core(environ=environ).values
    assert (values.tags, values.limits, values.strict) == (("a", "b"), {"gpu": 1, "fib": 2}, True)


def test_a_repeated_flag_gives_lists_and_pairs() -> None:
    loaded = core({"tags": ["a", "b"], "limits": ["gpu=1"], "ca_files": [Path("a.pem")], "capacity": 3})
    assert (loaded.values.tags, loaded.values.limits) == (("a", "b"), {"gpu": 1})
    assert loaded.values.ca_files == (Path("a.pem"),)
    assert [str(loaded.origin(name)) for name in ("tags", "limits", "capacity")] == ["--tag", "--limit", "--capacity"]


def test_mappings_of_two_sources_do_not_mix(tmp_path: Path) -> None:
    loaded = core({"limits": {"fib": 2}}, {}, write(tmp_path, "[limits]\ngpu = 1"))
    assert loaded.values.limits == {"fib": 2}


def test_an_empty_variable_counts_as_not_given() -> None:
    assert core(environ={"DELEGATE_CAPACITY": ""}).values.capacity is None


def test_a_backends_table_is_not_the_cores_business(tmp_path: Path) -> None:
    file = write(tmp_path, 'capacity = 2\n[harness]\nendpoint = "e"\n')
    assert core(file=file).values.capacity == 2
    assert backend(file=file).values.endpoint == "e"


def test_a_file_without_the_backends_table_is_fine(tmp_path: Path) -> None:
    assert backend(file=write(tmp_path, "capacity = 2")).values.endpoint == "none"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("capacty = 1", "capacty (delegate.toml line 1): there is no such setting: did you mean capacity?"),
        ("[limts]\na = 1", "limts (delegate.toml line 1): there is no such setting: did you mean limits?"),
        ("zzz = 1", "zzz (delegate.toml line 1): there is no such setting: remove it"),
    ],
)
def test_an_unknown_key_is_an_error_with_the_nearest_name(tmp_path: Path, text: str, complaint: str) -> None:
    assert complaints(None, None, write(tmp_path, text)) == [complaint]


def test_an_unknown_key_of_a_backend_is_an_error(tmp_path: Path) -> None:
    file = write(tmp_path, '[harness]\nendpint = "e"')
    assert complaints(None, None, file, of=backend) == [
        "endpint (delegate.toml line 2 [harness]): there is no such setting: did you mean endpoint?"
    ]


def test_unknown_variables_are_warnings_with_the_nearest_name() -> None:
    environ = {"DELEGATE_CAPACTY": "1", "DELEGATE_ENDPOINT": "e", "DELEGATE_QQQ": "1", "PATH": "/bin"}
    loaded = load(RunnerSettings, flags={}, environ=environ, file=None, others=[BackendSettings])
    assert loaded.warnings == (
        "DELEGATE_CAPACTY: there is no such setting: did you mean DELEGATE_CAPACITY?",
        "DELEGATE_QQQ: there is no such setting",
    )


def test_all_errors_are_reported_together_with_their_origins(tmp_path: Path) -> None:
    file = write(tmp_path, 'log_limit = "big"\nnme = "x"\n')
    assert complaints({"capacity": "0"}, {"DELEGATE_GRACE": "soon", "DELEGATE_LIMIT": "gpu=x"}, file) == [
        "capacity (--capacity): '0': Input should be greater than or equal to 1",
        "grace (DELEGATE_GRACE): 'soon': give a number of seconds, or a text like 10ms, 3s, 5m or 1h30m",
        "limits.gpu (DELEGATE_LIMIT): 'x': Input should be a valid integer, unable to parse string as an integer",
        "log_limit (delegate.toml line 1): 'big': could not parse value and unit from byte string",
        "nme (delegate.toml line 2): there is no such setting: did you mean name?",
    ]


def test_a_choice_names_its_values() -> None:
    assert complaints(None, {"DELEGATE_CONSOLE": "fancy"}) == [
        "console (DELEGATE_CONSOLE): 'fancy': Input should be 'auto', 'live', 'plain', 'json' or 'quiet'"
    ]


def test_a_missing_setting_names_every_way_to_give_it() -> None:
    with pytest.raises(SettingsError) as caught:
        load(Required, flags={}, environ={}, file=None, table="harness")
    assert str(caught.value) == (
        "account_id: missing: give --account-id, DELEGATE_ACCOUNT_ID, or account_id in [harness] of the settings file"
    )


def test_a_named_file_must_exist(tmp_path: Path) -> None:
    missing = tmp_path / "missing.toml"
    assert complaints(None, None, missing) == [
        f"{missing}: No such file or directory: name a settings file that exists"
    ]


def test_a_file_that_is_not_toml_names_the_line(tmp_path: Path) -> None:
    (complaint,) = complaints(None, None, write(tmp_path, 'name = "a"\ncapacity = = 2'))
    assert "delegate.toml: not TOML" in complaint
    assert "line 2" in complaint


def test_a_backends_key_must_be_a_table(tmp_path: Path) -> None:
    assert complaints(None, None, write(tmp_path, "harness = 3"), of=backend) == [
        "harness (delegate.toml line 1): write it as a table: [harness]"
    ]


def secret_of(loaded: Loaded[BackendSettings]) -> str | None:
    secret = loaded.values.account_secret
    return secret.get_secret_value() if secret else None


@pytest.mark.parametrize("way", ["flag", "environment", "file"])
def test_a_secret_may_be_in_a_file_of_its_own(tmp_path: Path, way: str) -> None:
    own = tmp_path / "secret"
    own.write_text("s3cr3t \r\n")
    own.chmod(0o600)
    loaded = {
        "flag": lambda: backend({"account_secret_file": own}),
        "environment": lambda: backend(environ={"DELEGATE_ACCOUNT_SECRET_FILE": str(own)}),
        "file": lambda: backend(file=write(tmp_path, f"[harness]\naccount_secret_file = '{own}'")),
    }[way]()
    assert secret_of(loaded) == "s3cr3t "
    assert loaded.origin("account_secret").kind == way
    assert loaded.warnings == ()
    assert "s3cr3t" not in repr(loaded)


def test_a_secret_file_that_everyone_can_read_is_a_warning(tmp_path: Path) -> None:
    own = tmp_path / "secret"
    own.write_text("s3cr3t")
    own.chmod(0o644)
    loaded = backend({"account_secret_file": own})
    assert loaded.warnings == (f"account_secret_file (--account-secret-file): everyone can read {own}: chmod 600 it",)


def test_a_secret_file_of_an_earlier_source_goes_before_a_secret_of_a_later_one(tmp_path: Path) -> None:
    own = tmp_path / "secret"
    own.write_text("first")
    own.chmod(0o600)
    environ = {"DELEGATE_ACCOUNT_SECRET_FILE": str(own), "OLD_SECRET": "second"}
    assert secret_of(backend(environ=environ)) == "first"


def test_a_missing_secret_file_is_named(tmp_path: Path) -> None:
    own = tmp_path / "missing"
    assert complaints({"account_secret_file": own}, of=backend) == [
        f"account_secret_file (--account-secret-file): {own}: No such file or directory: name a readable file"
    ]


def test_a_secret_that_will_not_do_is_not_shown() -> None:
    assert complaints(None, {"DELEGATE_ACCOUNT_SECRET": "bad-s3cr3t"}, of=backend) == [
        "account_secret (DELEGATE_ACCOUNT_SECRET): *** will not do, give 32 digits"
    ]


def test_no_repr_shows_a_secret(tmp_path: Path) -> None:
    loaded = backend(file=write(tmp_path, '[harness]\naccount_secret = "s3cr3t"'))
    assert secret_of(loaded) == "s3cr3t"
    assert "s3cr3t" not in repr(loaded) + str(loaded.values)


def test_the_file_in_the_folder_goes_before_the_users(tmp_path: Path) -> None:
    here, home = tmp_path / "here", tmp_path / "config" / "delegate"
    here.mkdir()
    home.mkdir(parents=True)
    environ = {"XDG_CONFIG_HOME": str(tmp_path / "config")}
    assert find_file(None, environ, here) is None
    users = write(home, "")
    assert find_file(None, environ, here) == users
    local = write(here, "")
    assert find_file(None, environ, here) == local
    assert find_file(users, environ, here) == users


def test_the_users_file_is_found_below_home(tmp_path: Path) -> None:
    folder = tmp_path / ".config" / "delegate"
    folder.mkdir(parents=True)
    users = write(folder, "")
    assert find_file(None, {"HOME": str(tmp_path)}, tmp_path) == users


@pytest.mark.parametrize("source", ["flag", "variable", "file"])
def test_a_tilde_in_a_path_is_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str) -> None:
    """No shell expands it in a file, nor in ``--state-dir=~/state``."""
    monkeypatch.setenv("HOME", str(tmp_path))
    flags = {"state_dir": "~/state"} if source == "flag" else {}
    environ = {"DELEGATE_STATE_DIR": "~/state"} if source == "variable" else {}
    file = write(tmp_path, 'state_dir = "~/state"') if source == "file" else None
    assert core(flags, environ, file).values.state_dir == tmp_path / "state"


def test_a_tilde_in_the_path_of_a_secrets_file_is_the_home_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "secret").write_text("hidden-value\n")
    loaded = backend({}, {"DELEGATE_ACCOUNT_SECRET_FILE": "~/secret"})
    assert loaded.values.account_secret == SecretStr("hidden-value")


def test_a_tilde_of_nobody_stays_as_it_is() -> None:
    assert core({"state_dir": "~no-such-user/state"}).values.state_dir == Path("~no-such-user/state")
