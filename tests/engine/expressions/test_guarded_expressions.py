"""Guards change what an expression costs, never what it means: the text as written and the guarded one agree."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead.engine.expressions import (
    ExpressionError,
    ExpressionSyntaxError,
    compile_expression,
    rewriting,
    runtime,
    trees,
)
from fairlead.engine.expressions.guards import Read
from fairlead.engine.expressions.syntax import Fold, walk

SCOPE = {
    "inputs": {
        "n": 3, "f": 2.5, "s": "text", "b": True, "z": None, "xs": [3, 1, 2], "words": ["b", "a"],
        "os": [{"k": "a", "v": 1}, {"k": "b", "v": 2.5}], "m": {"a": 1, "b": {"c": [1]}}, "e": [],
    },
    "index": 2,
    "now": 1_700_000_000_000_000,
}  # fmt: skip

ATOMS = [
    "1", "0", "2.5", "'a'", "true", "null", "1u", "b'x'", "inputs.n", "inputs.f", "inputs.s", "inputs.b",
    "inputs.xs", "inputs.words", "inputs.os", "inputs.m", "inputs.e", "inputs.zz", "index", "now", "uuid()",
    "duration('1h')", "inputs.?n", "inputs.?zz", "[]", "v", "v.k", "v.v", "w",
]  # fmt: skip
SHAPES = [
    "({} + {})", "({} * {})", "({} == {})", "({} < {})", "({} in {})", "({} && {})", "({} || {})",
    "({} ? {} : {})", "[{}, {}]", "{{'a': {}, 'b': {}}}", "{}.map(v, {})", "{}.map(v, {}, {})", "{}.filter(v, {})",
    "{}.all(v, {})", "{}.exists(w, {})", "{}.exists_one(v, {})", "{}.optMap(v, {})", "{}.orValue({})",
    "has(inputs.m.b)", "size({})", "string({})", "{}.sum()", "{}.sort()", "{}.pluck('k')", "{}.groupBy('k')",
    "{}.zip({})", "{}.flatten()", "toJson({})", "hash({})", "{}.contains({})", "{}.split({})",
    "{}.replace({}, {})", "{}.join({})", "{}[{}]", "{}.a", "!{}", "-{}", "{}.size()", "{}.unique()",
]  # fmt: skip


def filled(shape: str, inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    holes = shape.replace("{{", "").count("{}")
    return st.tuples(*[inner] * holes).map(lambda parts: shape.format(*parts))


SOURCES = st.recursive(
    st.sampled_from(ATOMS),
    lambda inner: st.sampled_from(SHAPES).flatmap(lambda shape: filled(shape, inner)),
    max_leaves=8,
)


def outcome(expression: Any, cheap_below: int) -> tuple[str, Any]:
    """What an expression gives when all that reads up to so many bytes runs as it was written."""
    program = expression._program
    before = program._cheap_below
    program._cheap_below = cheap_below
    try:
        return ("value", expression.evaluate(SCOPE, "seed"))
    except ExpressionError as error:
        return ("error", error.message)
    finally:
        program._cheap_below = before


@given(SOURCES)
def test_guarded_and_plain_agree(source):
    """Any expression over small values gives the same value with guards and without, or fails both ways."""
    try:
        expression = compile_expression(source)
    except ExpressionSyntaxError:
        return

    plain, guarded = outcome(expression, 2**62), outcome(expression, -1)

    # A map is walked in the runtime's own order without guards, and only in ours with them.
    if ".map(" not in source and ".filter(" not in source:
        assert (plain[0], repr(plain[1]) if plain[0] == "value" else "") == (
            guarded[0],
            repr(guarded[1]) if guarded[0] == "value" else "",
        )
    else:
        assert plain[0] == guarded[0]


def tree_of(source: str) -> trees.Tree:
    return trees.decode(runtime.environment(frozenset()).compile(source).serialize())


@pytest.mark.parametrize(
    "source",
    ["inputs.a > 3 && inputs.b == 'x'", "inputs.a + inputs.b", "[inputs.a, 1]", "'x' + string(inputs.a)"],
)
def test_what_reads_little_runs_as_it_was_written(source):
    """Without comprehensions the work is bounded by the text and by what is read, so a kilobyte needs no guards."""
    assert rewriting.cheap_below(tree_of(source)) > 10_000


@pytest.mark.parametrize(
    "source", ["inputs.a.map(i, i)", "optional.of(1).optMap(a, a).value()", "inputs.a.matches('a{9}')"]
)
def test_what_can_grow_is_always_guarded(source):
    """Comprehensions, names for values and regular expressions with repetitions pay, be the values small."""
    assert rewriting.cheap_below(tree_of(source)) == -1


def test_numbers_are_not_asked_to_pay():
    """Arithmetic and comparisons with literals are not guarded: a loop over them costs one guard."""
    _, sites = rewriting.guarded(
        tree_of("inputs.xs.filter(i, i.qty * 2 > 3 && i.name == 'x')"), runtime.ROOT_SET
    )

    assert [site.operation for site in sites] == ["filter"]


def test_a_path_is_not_handed_over_to_be_weighed():
    """What an operation reads by a static path is weighed where it lies."""
    tree, sites = rewriting.guarded(tree_of("inputs.xs.exists(i, i in inputs.ys)"), runtime.ROOT_SET)

    assert [(site.operation, site.operands) for site in sites if site.operation == "@in"] == [
        ("@in", (Read(("inputs", "ys")),))
    ]
    assert sum(isinstance(node, Fold) for node in walk(tree.root)) == 2
