"""No expression holds the process up: what would take too long or too much is refused, and the process lives.

The nasty ones run in processes of their own with limits on memory and on processor time, set by the operating system: an
expression that got through would be killed, and the test would see it.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys

import pytest

from fairlead.engine.expressions import ExpressionTooExpensive, compile_expression
from fairlead.engine.expressions.costs import regex_program

SCOPE = {
    "inputs": {"xs": list(range(2_001)), "ok": list(range(2_000)), "map": {f"k{i}": i for i in range(2_001)}}
}


@pytest.mark.parametrize(
    "source, advice",
    [
        ("inputs.xs.map(i, i + 1)", "map() would walk 2001 elements"),
        ("inputs.xs.map(i, i > 3, i + 1)", "map() would walk 2001 elements"),
        ("inputs.xs.filter(i, i > 1)", "use groupBy()"),
        ("inputs.xs.all(i, i >= 0)", "`run` node"),
        ("inputs.xs.exists(i, i == 3)", "use `in`"),
        ("inputs.xs.exists_one(i, i == 3)", "exists_one() would walk"),
        ("inputs.map.map(k, k)", "map() would walk 2001 elements"),
        ("range(3000).map(i, i)", "map() would walk 3000 elements"),
        ("true || inputs.xs.map(i, i).size() > 0 || inputs.xs.all(i, true)", None),
        ("inputs.xs.all(i, true) || true", "all() would walk 2001 elements"),
        ("[1].map(j, inputs.xs.map(i, i))", "map() would walk 2001 elements"),
        ("inputs.ok.all(i, inputs.ok.all(j, true))", "together walk more than 10000 elements"),
    ],
)
def test_a_comprehension_over_more_than_2000_elements_is_refused(source, advice):
    """The refusal names the macro, the count and what to do instead, also where CEL's `||` would swallow an error."""
    expression = compile_expression(source)
    if advice is None:
        assert expression.evaluate(SCOPE) is True
        return
    with pytest.raises(ExpressionTooExpensive) as caught:
        expression.evaluate(SCOPE)

    assert advice in caught.value.message


@pytest.mark.parametrize(
    "source, expected",
    [
        ("inputs.ok.map(i, i + 1).sum()", 2_001_000),
        ("inputs.ok.filter(i, i % 2 == 0).size()", 1_000),
        ("inputs.ok.all(i, i in inputs.ok)", True),
        ("range(90).all(i, range(90).exists(j, i == j))", True),
        ("inputs.xs.sum() + inputs.xs.size()", 2_003_001),
    ],
)
def test_up_to_2000_elements_everything_works(source, expected):
    """The bound is where the messages say it is, and our list functions have none."""
    assert compile_expression(source).evaluate(SCOPE) == expected


# What runs in the process of its own: a scope with large values, and one expression.
CHILD = """
import json, sys
from fairlead.engine.expressions import ExpressionError, ExpressionSyntaxError, compile_expression

deep = []
for _ in range(900):
    deep = [deep]
objects = [{"id": i, "name": f"name-{i}"} for i in range(50_000)]
inputs = {
    "objects": objects, "same": [dict(each) for each in objects], "strings": [f"string-{i}" for i in range(100_000)],
    "ints": list(range(1_000)), "text": "a" * 1_000_000, "almost": "a" * 500_000 + "b", "deep": deep,
    "brackets": "[" * 100_000 + "]" * 100_000, "large": "x" * 5_000_000,
}
try:
    value = compile_expression(sys.argv[1]).evaluate({"inputs": inputs})
    print(json.dumps(["value", repr(value)[:80]]))
except (ExpressionError, ExpressionSyntaxError) as error:
    print(json.dumps([type(error).__name__, error.message]))
"""

REFUSED = {
    "comparing large lists again and again": "range(2000).all(i, inputs.objects == inputs.same)",
    "looking into a large list again and again": "range(2000).exists(i, 'none' in inputs.strings)",
    "searching text for long text": "inputs.text.contains(inputs.almost)",
    "searching for the index of long text": "inputs.text.indexOf(inputs.almost) > 0",
    "joining what was split": "inputs.text.split('').join(inputs.almost).size()",
    "replacing letters by long texts": "inputs.text.replace('a', inputs.almost).size()",
    "replacing nothing by long texts": "inputs.text.replace('', inputs.text).size()",
    "replacing in a chain": "'aaaaaaaaaa'" + ".replace('a', 'aaaaaaaaaa')" * 9,
    "doubling text": "optional.of('aaaaaaaa')"
    + ".optMap(a, a+a+a+a+a+a+a+a+a+a+a+a+a+a+a+a)" * 6
    + ".value().size()",
    "lists of lists that share": "optional.of([1])"
    + f".optMap(a, [{','.join(['a'] * 12)}])" * 6
    + ".value()",
    "lists of lists made by map": "[range(1000)].map(a, range(300).map(i, a)).map(b, range(300).map(i, b))",
    "a map of large lists": "range(2000).map(i, inputs.ints).map(i, i)",
    "a regular expression that is large": "range(2000).exists(i, 'a'.matches('(\\\\pL{30}){30}'))",
    "a regular expression with repetitions": "inputs.text.matches('.*a.{900}c')",
    "sorting again and again": "range(2000).map(i, inputs.ints.sort().size()).size()",
    "sorting what cannot be sorted": "range(2000).exists(i, inputs.objects.sort().size() == 1)",
    "writing JSON again and again": "range(2000).map(i, toJson(inputs.objects)).size()",
    "making lists again and again": "range(2000).map(i, range(10000).size()).size()",
    "many maps": "range(5).map(i, range(1900).map(j, j)).size()",
    "an error that is swallowed": "range(2000).exists(i, inputs.objects == inputs.same && range(100000).size() == 3)",
    "text that grows in a loop": "range(2000).map(i, inputs.almost + 'x').size()",
    "a large result": "[inputs.objects]",
    "a large value as it is": "inputs.objects",
    "a large value that is read": "size(inputs.large)",
}
ALLOWED = {
    "comparing large lists once": "inputs.objects == inputs.same",
    "looking into a large list": "'none' in inputs.strings",
    "a simple pattern on a large text": "inputs.text.matches('^a+$')",
    "many short texts": "range(2000).map(i, 'abc' + string(i)).size()",
    "plucking from a large list": "inputs.objects.pluck('id').sum()",
    "grouping a large list": "inputs.objects.groupBy('name').size()",
    "membership in a list of a thousand": "range(2000).all(i, i < 1000 || !(i in inputs.ints))",
    "a value that is nested deeply": "inputs.deep == inputs.deep",
    "large text": "inputs.text.upperAscii().size()",
}


def run(source: str) -> tuple[int, list[str], str]:
    def limits() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (2 * 1024**3, 2 * 1024**3))
        resource.setrlimit(resource.RLIMIT_CPU, (20, 20))

    done = subprocess.run(
        [sys.executable, "-c", CHILD, source],
        capture_output=True,
        text=True,
        preexec_fn=limits,
        env={"PYTHONPATH": ":".join(sys.path)},
        check=False,
    )
    return done.returncode, json.loads(done.stdout or "[]"), done.stderr


@pytest.mark.parametrize("source", REFUSED.values(), ids=REFUSED.keys())
def test_nasty_expressions_are_refused(source):
    """Each is stopped before it does what would take seconds or gigabytes, or gives what is too large for a value."""
    code, found, stderr = run(source)

    assert (code, stderr) == (0, "")
    assert found[0] in ("ExpressionTooExpensive", "ExpressionResultTooLarge")


@pytest.mark.parametrize("source", ALLOWED.values(), ids=ALLOWED.keys())
def test_large_but_linear_expressions_are_not(source):
    """What costs no more than its data is not refused, be the data large."""
    code, found, stderr = run(source)

    assert (code, stderr) == (0, "")
    assert found[0] == "value"


def test_json_nested_without_end_is_an_error():
    """ParseJson of a hundred thousand brackets gives a sentence."""
    code, found, stderr = run("parseJson(inputs.brackets)")

    assert (code, stderr) == (0, "")
    assert found[0] == "ExpressionError"
    assert "no JSON" in found[1]


@pytest.mark.parametrize(
    "pattern, at_least",
    [
        ("abc", 3),
        ("a{100}", 100),
        ("(a{30}){30}", 900),
        ("\\pL{10}", 5_000),
        ("\\p{Greek}{10}", 5_000),
        ("[\\pL]{10}", 5_000),
    ],
)
def test_repetitions_count(pattern, at_least):
    """A regular expression is as expensive as what it is written out to."""
    assert regex_program(pattern) >= at_least


NO_PATTERNS = [
    "",
    "\\",
    "\\p",
    "\\p{",
    "[",
    "[\\",
    "(",
    "((",
    ")",
    "{",
    "a{",
    "a{,}",
    "a{99999999999999999999}",
    "a{²}",
]


@pytest.mark.parametrize("pattern", NO_PATTERNS)
def test_patterns_that_are_none_have_a_cost_too(pattern):
    """What RE2 will refuse must not stop or break the estimate."""
    assert regex_program(pattern) >= 0
