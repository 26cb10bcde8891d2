"""What can be said of expressions and templates without evaluating them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead.engine.expressions.checks import analyse_expression, analyse_template

INPUTS = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "name": {"type": "string"},
        "n": {"type": "integer"},
        "f": {"type": "number"},
        "maybe": {"type": ["integer", "null"]},
        "either": {"anyOf": [{"type": "string"}, {"type": "integer"}]},
        "kind": {"enum": ["red", "blue"]},
        "flag": {"type": "boolean"},
        "point": {"$ref": "#/$defs/point"},
        "open": {"type": "object", "properties": {"a": {"type": "string"}}},
        "free": {"type": "object"},
        "wide": {"type": "object", "properties": {"a": {}}, "additionalProperties": {"type": "integer"}},
        "words": {"type": "array", "items": {"type": "string"}},
        "lines": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "sku": {"type": "string"},
                    "qty": {"type": "number"},
                    "price": {"type": "number"},
                },
            },
        },
    },
    "$defs": {
        "point": {"type": "object", "properties": {"x": {"type": "integer"}}, "additionalProperties": False}
    },
}
TYPES = {"inputs": INPUTS}


def problems(source: str, *, condition: bool = False) -> list[tuple[str, str, int, str]]:
    found = analyse_expression(source, types=TYPES, condition=condition)
    return [(each.severity, each.reason, each.offset, each.message) for each in found.problems]


@pytest.mark.parametrize(
    "source, kind",
    [
        ("inputs.lines.map(i, i.qty * i.price).sum() > 10", "bool"),
        ("inputs.lines.map(i, i.qty * i.price)", "list"),
        ("inputs.lines.pluck('qty').max()", "double"),
        ("inputs.lines.sortBy('qty')[0].sku + 'x'", "string"),
        ("inputs.lines.groupBy('sku')['a'][0].qty", "double"),
        ("inputs.lines.zip(inputs.words)[0]", "list"),
        ("[inputs.words, inputs.words].flatten().unique()", "list"),
        ("inputs.words.avg() > 1", None),
        ("inputs.f * 2.0", "double"),
        ("inputs.n * 2", "int"),
        ("inputs.n > 1.5", "bool"),
        ("inputs.n == 1.0", "bool"),
        ("inputs.f * 2.0 > 100", "bool"),
        ("inputs.words.size() < 2.5", "bool"),
        ("inputs.name + '!'", "string"),
        ("inputs.maybe + 1", "int"),
        ("inputs.either + 'x'", "string"),
        ("inputs.point.x + 1", "int"),
        ("inputs.free.anything.at.all", "anything"),
        ("inputs.wide.other + 1", "int"),
        ("has(inputs.open.b) ? inputs.open.b : 'none'", None),
        ("inputs.?open.?b.orValue('none')", "anything"),
        ("inputs.open.?a.orValue('none')", "string"),
        ("inputs.words.exists(w, w.startsWith('x'))", "bool"),
        ("inputs.free.map(k, k + '!')", "list"),
        ("inputs['name'] + inputs.kind", "string"),
        ("inputs.flag ? 1 : 2", "int"),
        ("inputs.words[0] + inputs.name", "string"),
        ("{'a': inputs.n}.a + 1", "int"),
        ("vars.x.y.z + 1.5", "double"),
        ("now - duration('1h') < now", "bool"),
        ("optional.of(inputs.n).optMap(x, x + 1).orValue(0)", "int"),
    ],
)
def test_what_fits_is_not_found_fault_with(source, kind):
    """Expressions that can be right have no errors, and what is known of their value is known."""
    found = analyse_expression(source, types=TYPES)

    if kind is not None:
        assert found.problems == ()
        assert str(found.shape) == kind


@pytest.mark.parametrize(
    "source, severity, reason, offset, message",
    [
        ("inputs.nme", "error", "UnknownProperty", 7, "inputs has no property 'nme'; did you mean 'name'?"),
        ("inputs['nme']", "error", "UnknownProperty", 6, "did you mean 'name'?"),
        ("inputs.?nme.orValue(1)", "error", "UnknownProperty", 8, "did you mean 'name'?"),
        ("has(inputs.nme)", "error", "UnknownProperty", 11, "did you mean 'name'?"),
        ("inputs.point.y", "error", "UnknownProperty", 13, "inputs.point has no property 'y'; its schema names x"),
        ("inputs.open.b", "warning", "UnknownProperty", 12, "inputs.open has no property 'b'; its schema names a"),
        ("inputs.lines.map(i, i.qt)", "warning", "UnknownProperty", 22, "i has no property 'qt'; did you mean 'qty'?"),
        ("inputs.lines.pluck('pric')", "warning", "UnknownProperty", 19, "has no property 'pric'; did you mean 'price'?"),
        ("inputs.lines[0].skuu", "warning", "UnknownProperty", 16, "did you mean 'sku'?"),
        ("inputs.f * 2", "error", "TypeMismatch", 9, "2 is an int and inputs.f a double; write 2.0"),
        ("inputs.n * 2.5", "error", "TypeMismatch", 9, "write double(inputs.n)"),
        ("inputs.n + inputs.f", "error", "TypeMismatch", 9, "write double(inputs.n)"),
        ("inputs.name + 3", "error", "TypeMismatch", 12, "write string(...)"),
        ("inputs.name + inputs.n", "error", "TypeMismatch", 12, "inputs.name (string) and inputs.n (int)"),
        ("inputs.flag - 1", "error", "TypeMismatch", 12, "'-' does not take inputs.flag (bool) and 1 (int)"),
        ("inputs.name > 3", "error", "TypeMismatch", 12, "'>' does not compare a string with an int"),
        ("inputs.name == 3", "warning", "NeverEqual", 12, "a string is never equal to an int"),
        ("inputs.kind == 'rad'", "warning", "NeverEqual", 15, "inputs.kind is never 'rad'; did you mean 'red'?"),
        ("inputs.name.x", "error", "TypeMismatch", 12, "inputs.name is a string, and only a map has a 'x'"),
        ("inputs.words['a']", "error", "TypeMismatch", 12, "a list has numbers for its elements"),
        ("inputs.flag && inputs.name", "error", "TypeMismatch", 21, "'&&' needs true or false, but inputs.name is a string"),
        ("inputs.name ? 1 : 2", "error", "TypeMismatch", 6, "the condition before '?' must be true or false"),
        ("inputs.n in inputs.name", "error", "TypeMismatch", 9, "'in' needs a list or a map"),
        ("inputs.name.sum()", "error", "TypeMismatch", 15, "sum() needs a list, but inputs.name is a string"),
        ("inputs.words.sum()", "error", "TypeMismatch", 16, "sum() needs numbers, but inputs.words holds string"),
        ("inputs.n.contains('x')", "error", "TypeMismatch", 17, "contains() needs a string, but inputs.n is an int"),
        ("inputs.n.map(i, i)", "error", "TypeMismatch", 12, "map() needs a list or a map, but inputs.n is an int"),
        ("inputs.lines.filter(i, i.sku)", "error", "TypeMismatch", 24, "filter() needs true or false for each element"),
        ("inputs.lines.all(i, i.qty)", "error", "TypeMismatch", 21, "all() needs true or false for each element"),
        ("inputs.lines.pluck('qty').sum() * 1.5", "warning", "EmptySum", 29, "sum() of no elements is the int 0"),
        ("input.n", "error", "UnknownName", 0, "did you mean 'inputs'?"),
        ("inputs.n +", "error", "ExpressionInvalid", 10, "ends too early"),
    ],
)  # fmt: skip
def test_what_must_be_wrong_is_found(source, severity, reason, offset, message):
    """Each fault is found before anything runs, at its place, with what was expected."""
    found = problems(source)

    assert [each[:3] for each in found] == [(severity, reason, offset)]
    assert message in found[0][3]


def test_all_faults_are_found_at_once():
    """One fault hides no other."""
    assert [each[2] for each in problems("inputs.nme + inputs.pont.x == 3 && inputs.name > 3")] == [7, 20, 47]
    assert [each[1:3] for each in problems("foo.x + inptus.y")] == [("UnknownName", 0), ("UnknownName", 8)]


def test_conditions():
    """A condition that can never be true or false is an error; one that may be is none."""
    assert [each[1] for each in problems("inputs.name", condition=True)] == ["TypeMismatch"]
    assert problems("inputs.flag", condition=True) == []
    assert problems("inputs.free.x", condition=True) == []
    assert [each[1] for each in problems("1 + 1", condition=True)] == ["TypeMismatch"]


def test_templates_place_their_problems():
    """A problem in a template has the place of its string and the offset within that string."""
    found = analyse_template(
        {
            "a": ["x ${inputs.nme}", "${1+}"],
            "b": {"c": "${inputs.n", "d": "$${inputs.nme}"},
            "${inputs.nme}": 1,
        },
        types=TYPES,
    )

    assert [(each.place, each.reason, each.offset) for each in found.problems] == [
        (".a[0]", "UnknownProperty", 11),
        (".a[1]", "ExpressionInvalid", 4),
        (".b.c", "ExpressionInvalid", 0),
    ]
    assert not found.ok


def test_references_and_calls_have_places():
    """Who reads what and calls what, and where, for the rules about names that are not everywhere allowed."""
    found = analyse_template(["${nodes.a.outputs.x + uuid()}", "${item.map(nodes, nodes.b)} ${now}"])

    assert [(each.path, each.place, each.offset) for each in found.references] == [
        (("nodes", "a", "outputs", "x"), "[0]", 2),
        (("item",), "[1]", 2),
        (("now",), "[1]", 30),
    ]
    assert [(each.path, each.place) for each in found.calls] == [(("uuid",), "[0]")]
    assert found.roots == {"nodes", "item", "now"}
    assert found.reads == (("item",), ("nodes", "a", "outputs", "x"), ("now",))
    assert found.ok


@pytest.mark.parametrize(
    "template, kind",
    [
        ("${inputs.n}", "int"),
        ("${inputs.n} ", "string"),
        ("$${inputs.n}", "string"),
        ("x", "string"),
        ({"a": 1}, "anything"),
    ],
)
def test_the_shape_of_a_template(template, kind):
    """One hole alone has the type of its expression, any other string is a string."""
    assert str(analyse_template(template, types=TYPES).shape) == kind


def test_locals_have_types_too():
    """The name of a forEach's items is checked like any root."""
    item = {"type": "object", "properties": {"sku": {"type": "string"}}, "additionalProperties": False}

    found = analyse_expression("line.skuu", locals=frozenset({"line"}), types={"line": item})

    assert [each.reason for each in found.problems] == ["UnknownProperty"]


SCHEMAS = st.recursive(
    st.sampled_from(
        [
            True,
            {},
            {"type": "string"},
            {"type": "nonsense"},
            {"enum": [1, "a"]},
            {"$ref": "#"},
            {"$ref": 3},
            {"type": 7},
        ]
    ),
    lambda inner: st.fixed_dictionaries(
        {},
        optional={
            "type": st.sampled_from(["object", "array", "number", ["object", "null"], [1]]),
            "properties": st.dictionaries(st.sampled_from("abc"), inner, max_size=2) | st.just(4),
            "items": inner,
            "prefixItems": st.lists(inner, max_size=2) | st.just("x"),
            "additionalProperties": inner | st.just(False),
            "patternProperties": st.dictionaries(st.sampled_from(["^a", "("]), inner, max_size=2),
            "allOf": st.lists(inner, max_size=2) | st.just({}),
            "anyOf": st.lists(inner, max_size=2),
        },
    ),
    max_leaves=6,
)


@given(SCHEMAS)
def test_no_schema_breaks_the_checks(schema):
    """A schema that is none, or that refers to itself, is no reason to fail: nothing is known of its values."""
    sources = [
        "inputs.a.b + 1",
        "inputs.b[0].c > 'x'",
        "inputs.map(k, inputs.c.pluck('a.b'))",
        "inputs.a.exists(x, x.b && x)",
    ]
    for source in sources:
        analyse_expression(source, types={"inputs": schema}, condition=True)
