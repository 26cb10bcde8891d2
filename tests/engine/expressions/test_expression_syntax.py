"""Texts that are no expressions: each gives one clear sentence with its place, whatever was written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead.engine.expressions import ExpressionSyntaxError, compile_condition, compile_expression


def error_of(source: str) -> ExpressionSyntaxError:
    with pytest.raises(ExpressionSyntaxError) as caught:
        compile_expression(source)
    return caught.value


@pytest.mark.parametrize(
    "source, reason, offset, message",
    [
        ("", "ExpressionInvalid", 0, "the expression is empty"),
        (" \n ", "ExpressionInvalid", 0, "the expression is empty"),
        ("1 +", "ExpressionInvalid", 3, "ends too early"),
        ("inputs.a b", "ExpressionInvalid", 9, "'b' does not fit here"),
        ("loop.index", "ExpressionInvalid", 0, "the scope name for loops is 'pass'"),
        ("'\\ud800'", "ExpressionInvalid", 0, "Invalid string literal"),
        ("'\ud800'", "ExpressionInvalid", 1, "half of a surrogate pair"),
        ("input.a", "UnknownName", 0, "there is no name 'input'; did you mean 'inputs'?"),
        ("1 + foo.bar.baz", "UnknownName", 4, "there is no name 'foo'; expected one of computed, error"),
        ("'😀' + foo", "UnknownName", 6, "there is no name 'foo'"),
        ("inputs.a\n  + vras.b", "UnknownName", 13, "did you mean 'vars'?"),
        ("nodes.sign-off.outputs", "UnknownName", 11, "write nodes.sign_off"),
        ("inputs.xs.summ()", "UnknownFunction", 14, "there is no function 'summ'; did you mean 'sum'?"),
        ("frobnicate(1)", "UnknownFunction", 10, "there is no function 'frobnicate'"),
        ("'a' + 1", "TypeMismatch", 4, "'+' does not take string and int"),
        ("1 + 2.5", "TypeMismatch", 2, "write double(...) around the left side"),
        ("sum(inputs.xs)", "TypeMismatch", 3, "whether it is sum(x) or x.sum()"),
        ("inputs.xs.sum(1)", "TypeMismatch", 13, "'sum' cannot be called like this"),
        ("{'a': 1}.sum()", "TypeMismatch", 12, "sum() does not take map(string, int)"),
        ("[1].avg() > size([1])", "TypeMismatch", 10, "only where one is a literal: write double(...)"),
        ("double(index) > 3 && foo > 2", "UnknownName", 21, "there is no name 'foo'"),
        (
            "double(index) > 3 && 1.5 in [1] || index + 1.5 > 2",
            "TypeMismatch",
            41,
            "write double(...) around the left",
        ),
        ("size(1)", "TypeMismatch", 4, "size() does not take int"),
        ("now.getHours(inputs.zone)", "TypeMismatch", 12, "a time zone written out"),
        ("now.getHours('/dev/stdin')", "TypeMismatch", 12, "a time zone written out"),
        ("now.getHours('../../etc/localtime')", "TypeMismatch", 12, "a time zone written out"),
        ("google.protobuf.Struct{}", "ExpressionInvalid", 0, "is a protobuf message"),
        ("@enter(0, 0)", "ExpressionInvalid", 0, "the character '@' is none of CEL's"),
    ],
)
def test_the_place_and_the_cause(source, reason, offset, message):
    """The reason, the offset of the culprit and a sentence with the nearest known name."""
    error = error_of(source)

    assert (error.reason, error.offset) == (reason, offset)
    assert message in error.message


@pytest.mark.parametrize(
    "source, message",
    [
        ("inputs.a == 1 and inputs.b == 2", "'and' is no operator of CEL; expected &&"),
        ("inputs.a or inputs.b", "'or' is no operator of CEL; expected ||"),
        ("inputs.a = 1", "'=' is no operator of CEL; expected =="),
        ("inputs.a is null", "'is' is no operator of CEL; expected =="),
        ("not (inputs.a)", "there is no function 'not'; CEL says !x"),
        ("len(inputs.xs) > 1", "there is no function 'len'; CEL says size(x)"),
        ("inputs.xs.length() > 1", "there is no function 'length'; CEL says size(x)"),
        ("inputs.a == None", "there is no name 'None'; did you mean 'null'?"),
        ("inputs.a == True", "there is no name 'True'; did you mean 'true'?"),
        ("steps.build.outputs.a", "there is no name 'steps'; did you mean 'nodes'?"),
        ("inputs.parameters.a + parameters.a", "there is no name 'parameters'; did you mean 'inputs'?"),
        ("inputs.a | upper", "the character '|' is none of CEL's"),
        ("1 2", "'2' does not fit here: expected the end of the expression"),
    ],
)
def test_what_other_languages_say_is_put_into_cel(source, message):
    """One sentence names the word or sign and how CEL says it; what the parser stumbles over behind it is not told."""
    with pytest.raises(ExpressionSyntaxError) as caught:
        compile_expression(source)

    assert caught.value.message == message


def test_line_and_column_are_those_of_the_text():
    """An error on a later line is placed there, counted from one."""
    error = error_of("inputs.a &&\n  inputs.b &&\n  inptus.c")

    assert (error.line, error.column) == (3, 3)


@pytest.mark.parametrize(
    "source, kind", [("1", "an int"), ("'yes'", "a string"), ("[true]", "a list of bool")]
)
def test_a_condition_that_can_be_no_bool_is_found_at_once(source, kind):
    """Where the type is known, a condition that is not true or false does not compile."""
    with pytest.raises(ExpressionSyntaxError, match=f"must be true or false, but .* is {kind}") as caught:
        compile_condition(source)

    assert caught.value.reason == "TypeMismatch"


DEEP = {
    "parentheses": "(" * 1_000 + "1" + ")" * 1_000,
    "open parentheses": "(" * 16_000,
    "lists": "[" * 5_000 + "]" * 5_000,
    "maps": "{1:" * 3_000 + "1" + "}" * 3_000,
    "sums": "+".join(["1"] * 8_000),
    "comparisons": "<".join(["1"] * 8_000),
    "calls": "size(" * 2_000 + "item" + ")" * 2_000,
    "comprehensions": "item.map(i," * 1_000 + "1" + ")" * 1_000,
    "members": "item" + ".map(i,i)" * 1_500,
    "selects": "item" + ".a" * 8_000,
    "indices": "item" + "[0]" * 5_000,
    "choices": "true?1:" * 2_000 + "1",
}


@pytest.mark.parametrize("source", DEEP.values(), ids=DEEP.keys())
def test_nesting_without_end_is_refused(source):
    """However deep a text nests, the answer is one sentence."""
    assert "nested too deeply" in error_of(source).message


def test_long_texts_are_refused():
    """An expression has at most 16 KiB."""
    assert "more than the 16384" in error_of("'" + "x" * 16_384 + "'").message


def test_macros_that_double_the_text_are_counted():
    """CEL expands optMap by writing its target twice: thirty in a row would fill the memory before anything is checked."""
    assert "optMap" in error_of("optional.of(1)" + ".optMap(a, a)" * 30).message
    assert compile_expression("optional.of(1)" + ".optMap(a, a + 1)" * 6 + ".value()").evaluate({}) == 7


@pytest.mark.parametrize("many", ["-" * 15_000 + "1", "!" * 15_000 + "true", "&&".join(["true"] * 2_000)])
def test_long_chains_that_do_not_nest_are_fine(many):
    """What CEL folds or balances is no nesting."""
    assert compile_expression(many).evaluate({}) in (1, True)


def test_compiling_is_cached():
    """The same text with the same names is one object, for conditions apart."""
    first = compile_expression("inputs.cached")

    assert compile_expression("inputs.cached") is first
    assert compile_expression("inputs.cached", locals=frozenset({"x"})) is not first
    assert compile_condition("inputs.cached") is not first


FRAGMENTS = [
    "inputs", ".", "a", "(", ")", "[", "]", "{", "}", "'", '"', "?", ":", "1", "2.5", "+", "*", "in", "map(i,", "i", ",", "\\",
    "//", "😀", "r'", "\n", "\0", " ",
]  # fmt: skip


@given(st.lists(st.sampled_from(FRAGMENTS) | st.text(max_size=3), max_size=20).map("".join))
def test_no_text_does_more_than_fail(source):
    """Any text compiles or raises ExpressionSyntaxError with an offset inside it."""
    error = None
    try:
        compile_expression(source)
    except ExpressionSyntaxError as found:
        error = found

    assert error is None or (error.message and 0 <= error.offset <= len(source))
