"""Inputs are checked against their schema before anything starts, and their numbers are settled (semantics 36)."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from fairlead.engine.validation import check_inputs
from fairlead.engine.validation.inputs import problems_against

ORDER = {
    "type": "object",
    "required": ["order"],
    "properties": {
        "order": {
            "type": "object",
            "properties": {
                "items": {
                    "type": "array",
                    "minItems": 1,
                    "items": {
                        "type": "object",
                        "properties": {
                            "sku": {"type": "string", "pattern": "^[a-z]"},
                            "qty": {"type": "integer", "minimum": 1},
                        },
                        "additionalProperties": False,
                    },
                },
                "price": {"type": "number"},
                "kind": {"enum": ["new", "used"]},
                "tags": {"type": "array", "uniqueItems": True, "maxItems": 3},
            },
        }
    },
}


def order(**fields: Any) -> dict[str, Any]:
    """Inputs with an order."""
    return {"order": fields}


WRONG = [
    ({}, "inputs", "order is missing; expected an object under that name"),
    ({"ordr": {}}, "inputs", "order is missing, and ordr is not known"),
    ({"order": 3}, "inputs.order", "3 stands here; expected an object"),
    (order(items={}), "inputs.order.items", "an object stands here; expected a list"),
    (order(items=[]), "inputs.order.items", "the length of the list is 0; expected at least 1"),
    (order(items=[{"qty": "2"}]), "inputs.order.items[0].qty", "'2' stands here; expected a whole number"),
    (order(items=[{"qty": 0}]), "inputs.order.items[0].qty", "0 does not fit; expected at least 1"),
    (
        order(items=[{}, {"quantity": 1}]),
        "inputs.order.items[1]",
        "'quantity' is not known here; expected sku, qty",
    ),
    (order(items=[{"sk": "a"}]), "inputs.order.items[0]", "'sk' is not known here; did you mean sku?"),
    (
        order(items=[{"sku": "X"}]),
        "inputs.order.items[0].sku",
        "'X' does not fit; expected text that matches ^[a-z]",
    ),
    (order(kind="old"), "inputs.order.kind", "'old' is not allowed; expected one of 'new', 'used'"),
    (order(tags=[1, 2, 1]), "inputs.order.tags", "items 0 and 2 are both 1; expected each item once"),
    (order(tags=[1, 2, 3, 4]), "inputs.order.tags", "the length of the list is 4; expected at most 3"),
    (order(price=float("nan")), "inputs", "order.price"),
    (order(n=2**63), "inputs", "beyond the 64 bits"),
]


@pytest.mark.parametrize("inputs, path, part", WRONG, ids=[part for _, _, part in WRONG])
def test_what_does_not_fit_is_told_with_value_and_expectation(inputs: dict[str, Any], path: str, part: str):
    """One finding names the place, the value and what was expected; the inputs come back as they were."""
    same, (finding,) = check_inputs(ORDER, inputs)
    assert (finding.reason, finding.path, finding.severity) == ("InputsInvalid", path, "error")
    assert part in finding.message
    assert same is inputs


def test_numbers_are_what_the_schema_says():
    """Where the schema says number there is a double, elsewhere a number without a fraction is an int."""
    normal, findings = check_inputs(ORDER, order(price=3, items=[{"qty": 2.0}], other=4.0))
    assert not findings
    made = normal["order"]
    assert [type(made["price"]), type(made["items"][0]["qty"]), type(made["other"])] == [float, int, int]


def test_without_a_schema_any_object_fits():
    """No schema: every object is taken, its numbers are settled all the same."""
    assert check_inputs(None, {"x": 1.0, "y": [None]}) == ({"x": 1, "y": [None]}, [])


def test_everything_is_told_at_once_up_to_twenty():
    """Of a hundred mistakes twenty are told."""
    _, findings = check_inputs(
        {"items": {}, "additionalProperties": {"type": "integer"}}, {f"k{i}": "x" for i in range(100)}
    )
    assert len(findings) == 20


DOUBLING = {f"a{i}": {"anyOf": [{"$ref": f"#/$defs/a{i + 1}"}] * 2} for i in range(40)}


@pytest.mark.parametrize(
    "schema, inputs",
    [
        ({"$ref": "#"}, {}),
        ({"$defs": {**DOUBLING, "a40": False}, "$ref": "#/$defs/a0"}, {}),
        (
            {"properties": {"x": {"items": {"anyOf": [*[{"type": "string"}] * 50, {}]}}}},
            {"x": list(range(20_000))},
        ),
    ],
    ids=[
        "a schema that is itself",
        "twice as much at each of forty levels",
        "many alternatives for many items",
    ],
)
def test_a_schema_that_would_take_for_ever_is_given_up(schema: dict[str, Any], inputs: dict[str, Any]):
    """The work is counted; beyond the limit there is one finding that says so."""
    ((path, message),) = problems_against(schema, inputs, max_steps=3_000)
    assert path == ()
    assert "takes too long; expected a simpler schema or fewer values" in message


def test_patterns_are_matched_in_linear_time():
    """A pattern over which backtracking would never end answers at once."""
    schema = {"properties": {"x": {"pattern": "^(a+)+$"}}}
    _, (finding,) = check_inputs(schema, {"x": "a" * 100_000 + "b"})
    assert "expected text that matches ^(a+)+$" in finding.message


def test_alternatives_name_the_nearest():
    """Where none of several schemas fits, what the nearest one says is told."""
    kinds = [{"properties": {"a": {"type": "string"}}, "required": ["a"]}, {"type": "string"}]
    _, (finding,) = check_inputs({"properties": {"x": {"anyOf": kinds}}}, {"x": {"a": 1}})
    assert finding.message.startswith(
        "{a: ...} fits none of 2 alternatives; the nearest says: 1 stands here; expected text"
    )


def test_a_schema_that_is_none_is_told_instead():
    """With a broken schema nothing is checked against it."""
    _, (finding,) = check_inputs({"type": "objct"}, {"x": 1})
    assert "the schema of the inputs cannot be used: 'objct' is no type" in finding.message


def test_dialect_and_base_do_not_matter():
    """`$schema` and `$id` neither switch the validator nor make it look elsewhere."""
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "https://example.com/s",
        "properties": {"x": {"$ref": "#/$defs/n"}},
        "$defs": {"n": {"type": "integer", "$schema": "https://json-schema.org/draft/2020-12/schema"}},
    }
    assert check_inputs(schema, {"x": 1})[1] == []
    assert "expected a whole number" in check_inputs(schema, {"x": "1"})[1][0].message


_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-3, 3)
    | st.sampled_from([0.5, 1.0])
    | st.sampled_from(["", "a", "ab"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b", "ab"]), inner, max_size=3)
    ),
    max_leaves=6,
)
_SUBSCHEMAS = st.recursive(
    st.fixed_dictionaries(
        {},
        optional={
            "type": st.sampled_from(
                ["object", "array", "string", "integer", "number", "null", ["string", "null"]]
            ),
            "minimum": st.integers(-2, 2),
            "pattern": st.sampled_from(["^a", "b$"]),
            "required": st.lists(st.sampled_from(["a", "b"]), unique=True),
            "uniqueItems": st.booleans(),
            "enum": st.just([1, "a", None]),
            "maxItems": st.integers(0, 2),
        },
    ),
    lambda inner: st.fixed_dictionaries(
        {},
        optional={
            "properties": st.dictionaries(st.sampled_from(["a", "b"]), inner, max_size=2),
            "patternProperties": st.dictionaries(st.sampled_from(["^a", "b$"]), inner, max_size=2),
            "additionalProperties": inner | st.booleans(),
            "items": inner,
            "anyOf": st.lists(inner, min_size=1, max_size=2),
            "oneOf": st.lists(inner, min_size=1, max_size=2),
            "not": inner,
            "if": inner,
            "then": inner,
        },
    ),
    max_leaves=5,
)


@given(_SUBSCHEMAS, st.dictionaries(st.sampled_from(["a", "b", "ab"]), _VALUES, max_size=3))
def test_it_says_what_jsonschema_says(schema: dict[str, Any], inputs: dict[str, Any]):
    """Our own keywords for patterns, unique items and unknown fields change no verdict."""
    assert bool(check_inputs(schema, inputs)[1]) == (not Draft202012Validator(schema).is_valid(inputs))
