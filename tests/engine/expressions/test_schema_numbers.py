"""Ints and doubles as a JSON Schema says, and the numbers that are refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead.engine.expressions.numbers import normalise

NUMBER = {"type": "number"}
INTEGER = {"type": "integer"}


@pytest.mark.parametrize(
    "value, schema, expected",
    [
        (1.0, None, 1),
        (1, None, 1),
        (1.5, None, 1.5),
        (-0.0, None, 0),
        (1, NUMBER, 1.0),
        (1.0, NUMBER, 1.0),
        (1.0, INTEGER, 1),
        (1.0, {"type": ["number", "null"]}, 1.0),
        (1.0, {"type": ["number", "integer"]}, 1),
        (True, NUMBER, True),
        ("1", NUMBER, "1"),
        (None, NUMBER, None),
        ([1, 2.0], {"items": NUMBER}, [1.0, 2.0]),
        ([1, 2.0, 3.0], {"prefixItems": [NUMBER], "items": INTEGER}, [1.0, 2, 3]),
        ({"a": 1, "b": 1.0}, {"properties": {"a": NUMBER}}, {"a": 1.0, "b": 1}),
        ({"a": 1, "b": 1}, {"properties": {"a": INTEGER}, "additionalProperties": NUMBER}, {"a": 1, "b": 1.0}),
        ({"x-a": 1, "b": 1}, {"patternProperties": {"^x-": NUMBER}}, {"x-a": 1.0, "b": 1}),
        ({"a": 1}, {"$ref": "#/$defs/p", "$defs": {"p": {"properties": {"a": NUMBER}}}}, {"a": 1.0}),
        ({"a": 1}, {"allOf": [{"properties": {"a": NUMBER}}, {"required": ["a"]}]}, {"a": 1.0}),
        (1, {"anyOf": [NUMBER, {"type": "string"}]}, 1.0),
        (1, {"oneOf": [NUMBER, {"type": "null"}]}, 1.0),
        (1, {"anyOf": [NUMBER, INTEGER]}, 1),
        (1, {"$ref": "#/$defs/a~1b", "$defs": {"a/b": NUMBER}}, 1.0),
        (1, {"$ref": "#/$defs/missing"}, 1),
        (1, {"$ref": "other.json#/x"}, 1),
        (1, {"$ref": "#"}, 1),
        ({"n": 1, "child": {"n": 2}}, {"properties": {"n": NUMBER, "child": {"$ref": "#"}}}, {"n": 1.0, "child": {"n": 2.0}}),
        (1, True, 1),
        ({"a": 1}, {"properties": {"a": True}}, {"a": 1}),
        (10**30, NUMBER, 1e30),
    ],
)  # fmt: skip
def test_the_schema_of_the_place_decides(value, schema, expected):
    """A whole number is an int, unless the schema that holds for its place says `number`."""
    found = normalise(value, schema)

    assert found == expected
    assert repr(found) == repr(expected)


@pytest.mark.parametrize(
    "value, schema, message",
    [
        (2**63, None, "the value is 9223372036854775808, beyond the 64 bits of an int"),
        ({"a": [1, -(2**63) - 1]}, None, r"a\[1\] is -9223372036854775809"),
        ({"order": {"id": 12345678901234567890123}}, None, "order.id is 12345678901234567890123"),
        ({"a": 1e23}, None, "a is 99999999999999991611392"),
        ({"a": float("nan")}, NUMBER, "a is nan, which JSON cannot hold"),
        ([float("inf")], {"items": NUMBER}, r"\[0\] is inf"),
        (10**400, NUMBER, "the value has 401 digits, more than a double can hold"),
        ({"a": {1, 2}}, None, "a is a set, expected a JSON value"),
    ],
)
def test_what_no_number_can_hold_is_refused(value, schema, message):
    """The message names the path and the value."""
    with pytest.raises(ValueError, match=message):
        normalise(value, schema)


def test_deep_values_are_refused():
    """Nesting has a bound."""
    value: object = 1
    for _ in range(1_000):
        value = [value]

    with pytest.raises(ValueError, match="nested deeper than 200 levels"):
        normalise(value, None)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(-1e15, 1e15) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(json_values)
def test_normalising_twice_changes_nothing(value):
    """What was normalised is equal to what it was, and normal."""
    once = normalise(value, None)

    assert once == value
    assert repr(normalise(once, None)) == repr(once)


@given(json_values)
def test_what_was_given_is_not_changed(value):
    """Normalising makes new values."""
    before = repr(value)

    normalise(value, {"items": NUMBER, "additionalProperties": NUMBER})

    assert repr(value) == before
