"""Templates: JSON values with `${ cel }` in their strings."""

from __future__ import annotations

import pytest

from fairlead.engine.expressions import (
    ExpressionError,
    ExpressionSyntaxError,
    ExpressionTooExpensive,
    compile_expression,
    compile_template,
)

SCOPE = {
    "inputs": {"n": 3, "f": 2.0, "text": "t", "none": None, "list": [1, {"b": 1, "a": 2}], "flag": True},
    "nodes": {"a": {"outputs": {}}},
}


@pytest.mark.parametrize(
    "template, expected",
    [
        ("${inputs.n}", 3),
        ("${inputs.f}", 2.0),
        ("${inputs.list}", [1, {"b": 1, "a": 2}]),
        ("${inputs.none}", None),
        (" ${inputs.n}", " 3"),
        ("${inputs.n}${inputs.text}", "3t"),
        (
            "n=${inputs.n} f=${inputs.f} t=${inputs.text} l=${inputs.list}",
            'n=3 f=2.0 t=t l=[1,{"a":2,"b":1}]',
        ),
        ("${inputs.none}/${inputs.flag}", "null/true"),
        ("$${inputs.n} is ${inputs.n}", "${inputs.n} is 3"),
        ({"${inputs.n}": "${inputs.n}", "k": ["x", "${inputs.text}!"]}, {"${inputs.n}": 3, "k": ["x", "t!"]}),
        ([1, None, 2.5, True, {}], [1, None, 2.5, True, {}]),
        ({"a": "$${x}"}, {"a": "${x}"}),
    ],
)
def test_rendering(template, expected):
    """One hole alone keeps its type; in a text strings stand as they are, all else as compact JSON; keys are no templates."""
    found = compile_template(template).evaluate(SCOPE)

    assert found == expected
    assert type(found) is type(expected)


def test_a_template_without_holes_gives_back_its_very_value():
    """Constant templates cost nothing and copy nothing."""
    value = {"a": [1, {"b": "text"}], "c": None}
    template = compile_template(value)

    assert template.constant
    assert template.evaluate({}) is value
    assert template.reads == ()


def test_reads_are_those_of_all_expressions():
    """The reads of a template cover every string in it."""
    template = compile_template({"a": "${inputs.n} ${nodes.a.outputs.x}", "b": ["${inputs}"]})

    assert not template.constant
    assert template.reads == (("inputs",), ("nodes", "a", "outputs", "x"))


def test_entries_are_templates_of_their_own():
    """A map's keys can be evaluated one by one, so that one that cannot be read is left out."""
    template = compile_template({"good": "${inputs.n}", "bad": "${nodes.a.outputs.x}", "plain": [1]})
    entries = template.entries()

    assert {key: entry.reads for key, entry in entries.items()} == {
        "good": (("inputs", "n"),),
        "bad": (("nodes", "a", "outputs", "x"),),
        "plain": (),
    }
    assert entries["plain"].constant
    assert (entries["good"].evaluate(SCOPE), entries["plain"].evaluate(SCOPE)) == (3, [1])
    with pytest.raises(ExpressionError):
        entries["bad"].evaluate(SCOPE)


def test_entries_of_constant_maps_and_of_none():
    """A map without holes has entries too, escapes undone; what is no map has none."""
    assert {
        key: entry.evaluate({}) for key, entry in compile_template({"a": 1, "b": "$${x}"}).entries().items()
    } == {
        "a": 1,
        "b": "${x}",
    }
    assert compile_template({}).entries() == {}
    with pytest.raises(TypeError, match="only a template that is a map"):
        compile_template(["${inputs.n}"]).entries()


def test_uuids_depend_on_the_seed_and_the_place_in_the_template():
    """Each string has its own ids, the same whether the whole template or one entry is evaluated."""
    template = compile_template({"a": "${uuid()}", "b": ["${uuid()}", "${uuid()} ${uuid()}"]})
    whole = template.evaluate({}, "seed")
    ids = [whole["a"], whole["b"][0], *whole["b"][1].split()]

    assert len(set(ids)) == 4
    assert template.evaluate({}, "seed") == whole
    assert {key: entry.evaluate({}, "seed") for key, entry in template.entries().items()} == whole
    assert template.evaluate({}, "other")["a"] != whole["a"]
    assert compile_expression("uuid()").evaluate({}, "seed") not in ids


def test_an_error_names_the_string_its_place_and_the_column():
    """A wrong expression is reported by its offset in the string and the string's place in the value."""
    with pytest.raises(ExpressionSyntaxError) as caught:
        compile_template({"items": ["fine", "x\n${inputs.n} ${input.n}"]})

    error = caught.value
    assert (error.place, error.line, error.column) == (".items[1]", 2, 15)
    assert (error.reason, error.name, error.suggestion) == ("UnknownName", "input", "inputs")


def test_a_failing_expression_fails_the_template():
    """The first error ends the evaluation, and shows the expression rather than the whole string."""
    with pytest.raises(ExpressionError) as caught:
        compile_template("a ${1 / (inputs.n - 3)} b").evaluate(SCOPE)

    assert caught.value.expression == "1 / (inputs.n - 3)"


def test_locals_are_known_in_templates():
    """The name of a forEach's item can be used in the templates of its body, and only there."""
    template = compile_template("${line.sku}-${line_index}", locals=frozenset({"line", "line_index"}))

    assert template.evaluate({"line": {"sku": "s"}, "line_index": 2}) == "s-2"
    with pytest.raises(ExpressionSyntaxError, match="there is no name 'line'"):
        compile_template("${line.sku}")


def test_the_whole_of_a_template_is_bounded():
    """Values that are small one by one must not add up to more than one value may hold."""
    scope = {"inputs": {"half": "x" * 600_000}}

    assert len(compile_template("${inputs.half}").evaluate(scope)) == 600_000
    for template in (["${inputs.half}", "${inputs.half}"], "${inputs.half}${inputs.half}"):
        with pytest.raises(ExpressionTooExpensive, match="more than 1024 KiB"):
            compile_template(template).evaluate(scope)


def test_a_value_nested_without_end_is_refused():
    """A template deeper than any value may be is an error, not a stack that overflows."""
    value: object = "${inputs.n}"
    for _ in range(5_000):
        value = [value]

    with pytest.raises(ExpressionSyntaxError, match="nested deeper than 200 levels"):
        compile_template(value)
