"""Optional values: unwrapped they are fine, and nowhere else can they get out or into a function of ours."""

from __future__ import annotations

import pytest

from fairlead.engine.expressions import ExpressionSyntaxError, compile_expression

SCOPE = {"inputs": {"a": {"b": 1}, "xs": [5]}}


@pytest.mark.parametrize(
    "source, expected",
    [
        ("inputs.?a.?b.orValue(0)", 1),
        ("inputs.?a.b.orValue(0)", 1),
        ("inputs.?c.?b.orValue(0)", 0),
        ("inputs.xs[?0].orValue(0)", 5),
        ("inputs.xs[?7].orValue(0)", 0),
        ("inputs.?c.hasValue()", False),
        ("inputs.?c.or(inputs.?a).value().b", 1),
        ("[?inputs.?c, ?inputs.?xs, 1]", [[5], 1]),
        ("{?'a': inputs.?c, 'b': 2}", {"b": 2}),
        ("inputs.?xs.optMap(x, x.sum() + 1).orValue(0)", 6),
        ("inputs.?a.optFlatMap(x, x.?b).orValue(0)", 1),
        ("(has(inputs.c) ? inputs.?c : inputs.?a).value().b", 1),
        ("optional.ofNonZeroValue('').orValue('none')", "none"),
    ],
)
def test_unwrapped(source, expected):
    """Chains, optional entries and the two macros work and end in a plain value."""
    assert compile_expression(source).evaluate(SCOPE) == expected


def test_as_a_condition():
    """CEL's checker itself refuses an optional value where true or false must be, in our words."""
    with pytest.raises(ExpressionSyntaxError, match="does not take bool and optional"):
        compile_expression("inputs.xs.exists(x, inputs.?flag)")


@pytest.mark.parametrize(
    "source",
    [
        "inputs.?a",
        "inputs.xs[?0]",
        "inputs.?a.b",
        "inputs.?xs[0]",
        "optional.of(1)",
        "true ? optional.none() : optional.of(1)",
        "[inputs.?a]",
        "[inputs.xs[?0]].size()",
        "{'a': inputs.?a}",
        "inputs.xs.map(x, inputs.?a)",
        "[optional.of(1)].sum()",
        "toJson(inputs.?a)",
        "inputs.?a.orValue(inputs.?b)",
        "optional.of(optional.of(1)).value()",
        "inputs.?a == inputs.?b",
        "dyn(inputs.?a)",
        "inputs.?a.optMap(x, x.?b).value()",
    ],
)
def test_misused(source):
    """Where an optional value would have to be a plain one, the text does not compile and says how to end it."""
    with pytest.raises(ExpressionSyntaxError, match=r"end it with \.orValue\(\.\.\.\) or \.value\(\)"):
        compile_expression(source)
