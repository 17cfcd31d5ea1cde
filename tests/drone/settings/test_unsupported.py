"""Variables of Drone's runners that mean nothing here."""

from __future__ import annotations

import pytest

from delegate_drone.unsupported import unsupported


@pytest.mark.parametrize(
    ("name", "cure"),
    [
        ("DRONE_UI_REALM", "a user and a password"),
        ("DRONE_TMATE_ENABLED", "delegate exec"),
        ("DRONE_ACME_ENABLED", "put a proxy before them"),
        ("DRONE_LOG_FILE_MAX_AGE", "DELEGATE_LOG_FILE"),
        ("DRONE_DEFER_TAIL_LOG", "always waited for"),
        ("DRONE_FLAG_ALLOW_DOCKER_PLUGIN_VOLUME", "did you mean DRONE_FLAG_ALLOW_DOCKER_PLUGIN_VOLUMES?"),
        ("DRONE_RUNNER_DEVICES", "name devices in the pipeline"),
        ("DRONE_RPC_HOSTT", "did you mean DRONE_RPC_HOST?"),
        ("DRONE_RUNNER_CAPCITY", "did you mean DRONE_RUNNER_CAPACITY?"),
        ("DRONE_SECRET_PLUGIN_TOKN", "did you mean DRONE_SECRET_PLUGIN_TOKEN?"),
    ],
)
def test_each_is_named_with_the_reason_and_without_its_value(name: str, cure: str) -> None:
    (line,) = unsupported({name: "hidden"})
    assert line.startswith(f"{name} has no effect: ")
    assert cure in line
    assert "hidden" not in line


def test_known_empty_and_foreign_variables_are_passed_over() -> None:
    environ = {
        "DRONE_RPC_HOST": "a",
        "DRONE_MACHINE": "a",
        "DRONE_RUNNER_CAPACITY": "2",
        "DRONE_LIMIT_MEM_SWAP": "2",
        "DRONE_UI_PASSWORD": "secret",
        "DRONE_HTTP_BIND": ":3000",
        "DRONE_RUNNER_HOSTNAME": "of a build",
        "DRONE_BUILD_NUMBER": "1",
        "DRONE_GITHUB_CLIENT_ID": "of the server",
        "PATH": "/bin",
    }
    assert unsupported(environ) == ()


def test_they_come_in_the_order_of_their_names() -> None:
    lines = unsupported({"DRONE_UI_REALM": "x", "DRONE_HTTP_HOST": "x"})
    assert [line.split()[0] for line in lines] == ["DRONE_HTTP_HOST", "DRONE_UI_REALM"]
