"""Defaults of the schema where inputs are not given."""

from __future__ import annotations

from typing import Any

from fairlead.engine.validation import check_inputs

SCHEMA = {
    "type": "object",
    "required": ["level", "sides"],
    "properties": {
        "level": {"type": "string", "default": "info"},
        "limit": {"type": "number", "default": 2},
        "sides": {"type": "array", "items": {"$ref": "#/$defs/side"}, "default": [{}]},
        "place": {"allOf": [{"properties": {"room": {"default": None}}}]},
    },
    "$defs": {"side": {"type": "object", "properties": {"mark": {"default": "x"}}}},
}


def test_what_is_not_given_has_its_default():
    """Also what is required, and of the type that the schema says; what a default brings is taken as it stands."""
    inputs, wrong = check_inputs(SCHEMA, {})

    assert [] == wrong
    assert {"level": "info", "limit": 2.0, "sides": [{}]} == inputs
    assert isinstance(inputs["limit"], float)


def test_what_is_given_is_filled_where_it_lacks_something():
    """In objects and lists inside too, through references; the inputs that were given are not changed."""
    given: dict[str, Any] = {"level": "debug", "limit": None, "sides": [{}, {"mark": "y"}, 3], "place": {}}
    inputs, _ = check_inputs({**SCHEMA, "required": []}, {"sides": [{}, {"mark": "y"}], "place": {}})

    assert [{"mark": "x"}, {"mark": "y"}] == inputs["sides"]
    assert {"room": None} == inputs["place"]

    found, wrong = check_inputs(SCHEMA, given)
    assert found is given
    assert {"inputs.limit", "inputs.sides[2]"} == {each.path for each in wrong}
    assert {} == given["place"]


def test_a_schema_without_properties_changes_nothing():
    """Nor does none at all."""
    for schema in (None, {"type": "object"}, {"properties": {"x": True}}):
        assert ({"y": 1}, []) == check_inputs(schema, {"y": 1})
