"""Which image is for which platform."""

from __future__ import annotations

import pytest

from delegate_core.pipeline.spec import Platform
from delegate_docker.platforms import is_for, platform_text


@pytest.mark.parametrize(
    ("image", "platform", "fits"),
    [
        ("linux/amd64", "", True),
        ("linux/amd64", "linux/amd64", True),
        ("linux/amd64", "linux/arm64", False),
        ("windows/amd64", "linux/amd64", False),
        ("linux", "linux/arm64", True),
        ("linux/arm/v6", "linux/arm/v7", True),
        ("linux/arm/v7", "linux/arm/v6", False),
        ("linux/arm", "linux/arm/v7", True),
        ("linux/arm/v7", "linux/arm", True),
        ("linux/arm64/v8.2", "linux/arm64/v8", False),
        ("linux/arm64/v8", "linux/arm64/v8", True),
    ],
)
def test_an_image_is_for_a_platform_unless_it_says_otherwise(
    image: str,
    platform: str,
    fits: bool,  # noqa: FBT001 - a case
) -> None:
    shown = dict(zip(("Os", "Architecture", "Variant"), image.split("/"), strict=False))
    assert is_for(shown, named(platform)) == fits


def test_a_platform_without_an_architecture_is_the_engine_s_own() -> None:
    assert platform_text(Platform(os="linux", variant="v8")) == ""
    assert platform_text(Platform(arch="arm", variant="v7")) == "linux/arm/v7"


def named(text: str) -> Platform:
    return Platform(**dict(zip(("os", "arch", "variant"), text.split("/") if text else (), strict=False)))
