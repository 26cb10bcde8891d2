"""What an expression reads is known from its text, and nothing else is ever looked up."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from fairlead.engine.expressions import ExpressionError, compile_expression


@pytest.mark.parametrize(
    "source, reads",
    [
        ("1 + 1", ()),
        ("inputs", (("inputs",),)),
        ("nodes.a.outputs.x", (("nodes", "a", "outputs", "x"),)),
        ("nodes['a'].outputs[\"x\"]", (("nodes", "a", "outputs", "x"),)),
        ("nodes.?a.?outputs.x.orValue(1)", (("nodes", "a", "outputs", "x"),)),
        ("nodes[?'a'].orValue({})", (("nodes", "a"),)),
        ("has(nodes.a.outputs.x)", (("nodes", "a", "outputs", "x"),)),
        ("inputs.items[0].name", (("inputs", "items"),)),
        ("nodes[vars.which].outputs", (("nodes",), ("vars", "which"))),
        ("nodes.a.outputs.items.map(i, i.x + vars.y)", (("nodes", "a", "outputs", "items"), ("vars", "y"))),
        ("inputs.items.map(item, item.x)", (("inputs", "items"),)),
        ("inputs.items.map(item, .item.x)", (("inputs", "items"), ("item", "x"))),
        ("inputs.a.b + inputs.a + inputs.a.c", (("inputs", "a"),)),
        ("inputs.ab + inputs.a", (("inputs", "a"), ("inputs", "ab"))),
        ("now > timestamp(inputs.at)", (("inputs", "at"), ("now",))),
        (
            "inputs.xs.exists(x, inputs.ys.all(y, y == x + index))",
            (("index",), ("inputs", "xs"), ("inputs", "ys")),
        ),
    ],
)
def test_the_reads_are_the_shortest_static_paths(source, reads):
    """Dots, quoted keys, optional steps and has() make a path; what is known later ends it; loop variables are no reads."""
    assert compile_expression(source).reads == reads


def test_locals_are_roots_of_their_own():
    """The name that a forEach gives its items is read like any other root."""
    expression = compile_expression("line.sku + string(line_index)", locals=frozenset({"line", "line_index"}))

    assert expression.reads == (("line", "sku"), ("line_index",))
    assert expression.evaluate({"line": {"sku": "s"}, "line_index": 4}) == "s4"


class Lazy(Mapping[str, Any]):
    """A mapping that makes each value when it is asked for, and notes what was asked."""

    def __init__(self, make: Any, keys: tuple[str, ...] = ()) -> None:
        self.make = make
        self.names = keys
        self.asked: list[str] = []

    def __getitem__(self, key: str) -> Any:
        self.asked.append(key)
        return self.make(key)

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)


def test_only_what_is_read_is_looked_up():
    """Of ten thousand lazy nodes an expression about one makes exactly that one."""
    nodes = Lazy(lambda key: {"outputs": {"x": int(key[1:])}}, tuple(f"n{i}" for i in range(10_000)))

    value = compile_expression("nodes.n7.outputs.x + nodes.n9.outputs.x > 10").evaluate({"nodes": nodes})

    assert value is True
    assert nodes.asked == ["n7", "n9"]


def test_a_lazy_mapping_that_is_read_whole_becomes_a_plain_map():
    """Where the key is only known at run time, all of the mapping is handed over, lazy parts within it too."""
    inner = Lazy(lambda key: key.upper(), ("x", "y"))
    nodes = Lazy(lambda key: {"outputs": inner, "name": key}, ("a", "b"))

    value = compile_expression("nodes[vars.which].outputs").evaluate({"nodes": nodes, "vars": {"which": "b"}})

    assert value == {"x": "X", "y": "Y"}


def test_a_lookup_may_evaluate_another_expression():
    """A computed value is made while another expression reads it; both have their own uuids and their own limits."""
    total = compile_expression("[uuid(), inputs.a]")
    computed = Lazy(lambda _: total.evaluate({"inputs": {"a": 2}}, "computed"))

    value = compile_expression("[uuid(), computed.total[0], computed.total[1]]").evaluate(
        {"computed": computed}, "node"
    )

    assert value == [
        compile_expression("uuid()").evaluate({}, "node"),
        compile_expression("uuid()").evaluate({}, "computed"),
        2,
    ]


def test_an_error_of_a_lookup_is_passed_on():
    """When a computed value fails, the error is the one that names its own expression."""
    broken = compile_expression("1 / inputs.zero")
    computed = Lazy(lambda _: broken.evaluate({"inputs": {"zero": 0}}))

    with pytest.raises(ExpressionError, match="divide by zero") as caught:
        compile_expression("computed.total > 3").evaluate({"computed": computed})

    assert caught.value.expression == "1 / inputs.zero"
