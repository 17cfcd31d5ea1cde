"""Lengths of time as people write them."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from delegate_core.settings import Duration, PositiveDuration, format_duration, parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("10ms", 0.01),
        ("3s", 3),
        ("5m", 300),
        ("1h", 3600),
        ("1h30m", 5400),
        ("1h2m3s4ms", 3723.004),
        ("1.5h", 5400),
        (" 2S ", 2),
        ("7", 7),
        ("0.25", 0.25),
        (7, 7),
        (0.25, 0.25),
        ("0s", 0),
    ],
)
def test_texts_and_numbers_are_seconds(text: object, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text", ["", " ", "s", "1x", "1h 30m", "30m1h", "1m1m", "-1s", "-1", "inf", "nan", "1e999", None, True, [], "1ms2"]
)
def test_anything_else_is_refused_with_examples(text: object) -> None:
    with pytest.raises(ValueError, match="10ms, 3s, 5m or 1h30m"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0s"), (0.01, "10ms"), (90, "1m30s"), (3600, "1h"), (90061.5, "25h1m1s500ms")]
)
def test_a_duration_is_written_in_its_units(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


@given(st.floats(min_value=0, allow_infinity=False) | st.integers(0, 10**12).map(lambda ms: ms / 1000))
def test_what_is_written_reads_back_the_same(seconds: float) -> None:
    assert parse_duration(format_duration(seconds)) == seconds


@given(st.text(max_size=8))
def test_any_text_is_a_duration_or_a_value_error(text: str) -> None:
    with suppress(ValueError):
        assert parse_duration(text) >= 0


class Timing(BaseModel):
    wait: Duration = 1.0
    poll: PositiveDuration = 1.0


def test_a_model_takes_durations() -> None:
    assert Timing.model_validate({"wait": "0", "poll": "10ms"}) == Timing(wait=0, poll=0.01)
    with pytest.raises(ValidationError, match="greater than 0"):
        Timing.model_validate({"poll": "0s"})
