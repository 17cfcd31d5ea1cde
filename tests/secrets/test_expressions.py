"""Expressions in a task's data: what is one, what it becomes, and what is said of a wrong one."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from delegate_core.model import JsonValue
from delegate_core.secrets import FUNCTIONS, ExpressionError, parse


def resolved(data: JsonValue, **secrets: str) -> JsonValue:
    return parse(data).resolve(secrets).data


@pytest.mark.parametrize(
    ("data", "secrets", "expected"),
    [
        ('{"b":"Hi ${{secrets.n}}"}', {"n": "World"}, "Hi World"),
        ('{"b":"${{ secrets.n }}"}', {"n": "World"}, "${{ secrets.n }}"),
        ('{"b":"<{ hello | getAsBase64 }>"}', {}, "aGVsbG8="),
        ('{"b":"<{ \\"hello\\" | getAsBase64 }>"}', {}, "aGVsbG8="),
        ('{"b":"<{    padded   | getAsBase64 }>"}', {}, "cGFkZGVk"),
        ('{"b":"<{ | getAsBase64 }>"}', {}, ""),
        ('{"b":"<{ a \\"q\\" b | getAsBase64 }>"}', {}, "YSAicSIgYg=="),
        ('{"b":"<{ \\"a\\" and \\"b\\" | getAsBase64 }>"}', {}, "ImEiIGFuZCAiYiI="),
        ('{"b":"<{ ${{secrets.p}} | getAsBase64 }>"}', {"p": 'a\nb"c\\d'}, "YQpiImNcZA=="),
        ('{"b":"<{ ${{secrets.p}} | getAsBase64 }>"}', {"p": "hunter|2"}, "aHVudGVyfDI="),
        ('{"b":"<{ <{ q | getAsBase64 }> | getAsBase64 }>"}', {}, "Y1E9PQ=="),
        ('{"b":"<{ x | getAsBase64 | getAsBase64 }>"}', {}, "ZUE9PQ=="),
        ('{"b":"<{ \\" | getAsBase64 }>"}', {}, "Ig=="),
        ('{"b":"<{ a\\/b | getAsBase64 }>"}', {}, "YS9i"),
        ('{"b":"<{ \\ud83d\\ude00 | getAsBase64 }>"}', {}, "8J+YgA=="),
        ('{"b":"\\u003c{ hello | getAsBase64 }\\u003e"}', {}, "aGVsbG8="),
        ('{"b":"\\u003c{ ${{secrets.n}} | getAsBase64 }\\u003e"}', {"n": "World"}, "V29ybGQ="),
        ('{"b":"x<{y}>z"}', {}, "x<{y}>z"),
        ('{"b":"${{secrets.p}}"}', {"p": "<{ inj | getAsBase64 }>"}, "<{ inj | getAsBase64 }>"),
        ('{"b":"<{ template `resolver` }>"}', {}, "<{ template `resolver` }>"),
    ],
)
def test_the_known_vectors_give_what_one_expects(data: str, secrets: dict[str, str], expected: str) -> None:
    assert resolved(json.loads(data), **secrets) == {"b": expected}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('<{ "a|b" | getAsBase64 }>', base64.b64encode(b"a|b").decode()),
        ('<{ " a \\"b\\" " | getAsBase64 }>', base64.b64encode(b' a "b" ').decode()),
        ('<{ "u:${{secrets.n}}" | getAsBase64 }>', base64.b64encode(b"u:World").decode()),
        ('<{ "x }> y" | getAsBase64 }>', base64.b64encode(b"x }> y").decode()),
        ("<{ a <{ b | getAsBase64 }>", "<{ a Yg=="),
        ("}> <{ a", "}> <{ a"),
        ("<{ a | b c }>", "<{ a | b c }>"),
        ("$${{secrets.n}} and <<{ a | getAsBase64 }>", "${{secrets.n}} and <{ a | getAsBase64 }>"),
        ("<<{ no expression", "<<{ no expression"),
        ("<{" * 40, "<{" * 40),
        ("${{ github.sha }} | ${{secrets.}}", "${{ github.sha }} | ${{secrets.}}"),
        ("<{ it's | shellQuote }>", "'it'\"'\"'s'"),
        ("<{ a/b c | urlEncode }>", "a%2Fb%20c"),
        ("<{ aGk= | fromBase64 }>", "hi"),
        ('<{ "say \\"hi\\"" | jsonEscape }>', 'say \\"hi\\"'),
        ('<{ " x " | trim }>', "x"),
        ("<{ abc | sha256 }>", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
    ],
)
def test_quotes_escapes_and_functions(text: str, expected: str) -> None:
    assert resolved(text, n="World") == expected


def test_only_string_values_change_and_everything_else_stays_as_it_was() -> None:
    data: JsonValue = {"${{secrets.n}}": [12345678901234567890, 1e3, True, None, "${{secrets.n}}"], "a<{": "}>"}
    assert resolved(data, n='","x":"') == {
        "${{secrets.n}}": [12345678901234567890, 1e3, True, None, '","x":"'],
        "a<{": "}>",
    }


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("ab <{ x | base32 }>", "data.k[1], column 11: no function 'base32'; known: getAsBase64, "),
        ("<{ getAsBase64 x }>", "data.k[1], column 4: getAsBase64 goes after the text: <{ text | getAsBase64 }>"),
        ("<{ a|b c | getAsBase64 }>", "data.k[1], column 6: a function's name is needed after each |"),
        ("<{ a|b | getAsBase64 }>", "data.k[1], column 6: no function 'b'"),
    ],
)
def test_a_wrong_expression_is_an_error_that_says_where(text: str, said: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        parse({"k": [0, text]})
    assert said in str(caught.value)


def test_many_expressions_are_all_resolved_and_a_secret_that_is_part_of_a_function_taints_nothing() -> None:
    text = " ".join(f"<{{ {number} | getAsBase64 }}>" for number in range(150))
    found = parse([text, "${{secrets.b}}"]).resolve({"b": "getAsBase64"})
    expected = " ".join(base64.b64encode(str(number).encode()).decode() for number in range(150))
    assert found.data == [expected, "getAsBase64"]
    assert found.derived == ()


def test_an_unknown_secret_is_an_error_that_says_which_and_what_there_is() -> None:
    template = parse({"k": "a ${{secrets.zz}}"})
    with pytest.raises(ExpressionError, match=r"data\.k, column 3: no secret 'zz'; known: db, npm"):
        template.check({"npm", "db"})


def test_a_function_that_cannot_take_a_secret_says_nothing_of_it() -> None:
    with pytest.raises(ExpressionError) as caught:
        resolved("<{ ${{secrets.p}} | fromBase64 }>", p="hunter2!")
    assert str(caught.value) == "data, column 21: fromBase64: the text is no base64 of UTF-8"
    assert caught.value.__cause__ is None


def test_what_functions_make_of_secrets_is_named_for_the_mask_also_midway() -> None:
    found = parse("<{ <{ u:${{secrets.p}} | getAsBase64 }> | getAsBase64 | sha256 }> <{ open | getAsBase64 }>").resolve(
        {"p": 'a"\n|\\'}
    )
    first = base64.b64encode(b'u:a"\n|\\').decode()
    second = base64.b64encode(first.encode()).decode()
    assert found.derived == (first, second, FUNCTIONS["sha256"](second))
    assert "u:" not in repr(found)


def test_data_that_is_nested_without_end_is_refused() -> None:
    data: JsonValue = "x"
    for _ in range(5000):
        data = [data]
    with pytest.raises(ExpressionError, match="nested too deeply"):
        parse(data)


PIECES = st.lists(
    st.sampled_from(["<{", "<<{", "}>", "|", '"', "\\", "${{secrets.s}}", "$", " ", "a", "getAsBase64", "trim", "}"]),
    max_size=25,
).map("".join)


@given(PIECES, st.text(max_size=12))
def test_any_text_is_parsed_once_whatever_the_secret_holds(text: str, value: str) -> None:
    """With a value that no function changes into another's form, the result is the one of a harmless value."""
    try:
        template = parse([text])
    except ExpressionError:
        return
    if "|" in text:
        template.resolve({"s": value})  # whatever it is, it is no error and ends
    else:
        assert template.resolve({"s": value}).data == [
            template.resolve({"s": "\0"}).data[0].replace("\0", value)  # type: ignore[index,union-attr]
        ]


LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text("ab${}<>| ")


@given(st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("a<{|}>"), inner)))
def test_data_without_expressions_comes_back_equal(data: JsonValue) -> None:
    try:
        assert parse(data).resolve({}).data == data
    except ExpressionError:
        pytest.fail("no function is named here, so nothing can be wrong")


@pytest.mark.parametrize("name", ["getAsBase64", "jsonEscape"])
def test_a_chain_of_functions_that_doubles_its_text_each_time_is_refused(name: str) -> None:
    """A few hundred characters of data would take all memory there is."""
    template = parse({"a": f'<{{ "%/\\\\" {f"| {name} " * 200}}}>'})
    with pytest.raises(ExpressionError, match=r"^data\.a, column \d+: the functions make more than"):
        template.resolve({})


def test_a_secret_that_is_named_without_end_is_refused() -> None:
    template = parse({"a": "${{secrets.key}}" * 10_000})
    with pytest.raises(ExpressionError, match="the secrets put in have more than"):
        template.resolve({"key": "x" * 10_000})
