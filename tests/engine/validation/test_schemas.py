"""The JSON Schema of the inputs, and of an approval's form, is one, and can be used within limits."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from tests.engine.validation.validation_support import check

from fairlead.engine.validation.schemas import schema_problems

CASES = {
    "a good one": """
        inputs:
          $schema: https://json-schema.org/draft/2020-12/schema
          $id: https://example.com/order
          type: object
          required: [order]
          properties:
            order: {$ref: "#/$defs/order"}
            again: {$ref: "#"}
            named: {$ref: "#name"}
            email: {type: string, format: email, default: x, pattern: "^([a-z]+-)*[a-z]+$"}
          patternProperties: {"^x-": {type: string}}
          $defs:
            order: {type: object, $anchor: name, properties: {"$ref": {type: string}, "type": {type: string}}}
        nodes: [{name: a, approval: {roles: [r], form: {type: object, properties: {x: {type: integer}}}}}]
    """,
    "what the standard refuses": """
        inputs:
          type: object
          required: order  # BadSchema: 'order' stands here; expected a list
          properties:
            a: {type: objct}  # BadSchema: 'objct' is no type of JSON Schema; did you mean object?
            b: {type: text}  # BadSchema: 'text' is no type of JSON Schema; expected one of array, boolean
            c: {minimum: low}  # BadSchema: minimum of the schema is wrong: 'low' stands here; expected a number
            d: 3  # BadSchema: expected an object or true or false
            e: {type: array, items: [{type: string}]}  # BadSchema: items of the schema is wrong
            f: {enum: x, minLength: -1}  # BadSchema: expected a list # BadSchema: expected at least 0
        nodes: [{name: a, log: {message: x}}]
    """,
    "what is no object": """
        inputs: {type: array}  # BadSchema: the inputs are always an object, and this schema wants 'array'; expected type: object
        nodes: [{name: a, approval: {roles: [r], form: {type: nothing}}}]  # BadSchema: 'nothing' is no type
    """,
    "references": """
        inputs:
          properties:
            a: {$ref: "#/$defs/ordr"}  # BadSchema: '#/$defs/ordr' refers to no schema; did you mean #/$defs/order?
            b: {$ref: "https://example.com/x"}  # BadSchema: refers to another document
            c: {$ref: "#nowhere"}  # BadSchema: refers to no schema
            d: {$ref: "#/properties/a"}
            e: {$ref: "#/title"}  # BadSchema: refers to no schema
            f: {$id: "https://example.com/y"}  # BadSchema: $id stands inside the schema
            g: {$schema: "http://json-schema.org/draft-07/schema#"}  # BadSchema: is another dialect
          title: x
          $defs: {order: {type: object}}
        nodes: [{name: a, log: {message: x}}]
    """,
    "patterns": """
        inputs:
          properties:
            a: {pattern: "("}  # BadSchema: the pattern '(' cannot be used
            b: {pattern: "(?=x)"}  # BadSchema: RE2, which has no look-ahead
            c: {pattern: "^(a+)+$"}
          patternProperties:
            "^(a+)+$": {}  # BadSchema: a repetition stands inside a repetition
            "[": {}  # BadSchema: the pattern '[' cannot be used
        nodes: [{name: a, log: {message: x}}]
    """,
}


@pytest.mark.parametrize("spec", CASES.values(), ids=CASES.keys())
def test_a_schema_is_one(spec: str):
    """Each comment of the manifest is a finding of its line, and there is no other."""
    check(spec)


def test_a_huge_schema_is_refused_at_once():
    """A schema of 20,000 values gives one finding, without looking at each."""
    properties = {f"p{number}": {"type": "strin"} for number in range(10_000)}
    (problem,) = schema_problems({"properties": properties})
    assert (problem.reason, problem.path) == ("SchemaTooLarge", ())
    assert "20,002 values; expected at most 10,000" in problem.message


_KEYWORDS: dict[str, list[Any]] = {
    "type": ["object", "string", ["string", "null"], "nope", 3, []],
    "minimum": [1, 1.5, "x"],
    "minLength": [0, -1, 1.5, "x"],
    "required": [["a"], ["a", "a"], "a", [1]],
    "enum": [[1], [], 3],
    "uniqueItems": [True, "yes"],
    "pattern": ["^a", 3],
    "multipleOf": [2, 0],
    "const": [None, {"type": "nope"}],
    "default": [{"type": "nope"}],
}
_SCHEMAS = st.recursive(
    st.fixed_dictionaries({}, optional={key: st.sampled_from(values) for key, values in _KEYWORDS.items()})
    | st.booleans(),
    lambda inner: st.fixed_dictionaries(
        {},
        optional={
            "properties": st.dictionaries(st.sampled_from(["a", "b", "type"]), inner, max_size=2),
            "items": inner,
            "additionalProperties": inner,
            "anyOf": st.lists(inner, max_size=2),
            "not": inner,
            "$defs": st.dictionaries(st.sampled_from(["a", "b"]), inner, max_size=2),
        },
    ),
    max_leaves=6,
)


@given(_SCHEMAS)
def test_it_refuses_what_the_standard_refuses(schema: Any):
    """Without references and patterns of its own, a schema has a problem here exactly if the metaschema has one."""
    if isinstance(schema, dict):
        standard = Draft202012Validator(Draft202012Validator.META_SCHEMA)
        assert bool(schema_problems(schema)) == (not standard.is_valid(schema))
