"""The canonical form: what means the same has the same digest."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead.model.manifests import Node, WorkflowSpec, canonical_json, digest, parse_spec
from fairlead.model.manifests.scalars import check_json

NODE = {"name": "n", "set": {"a": 1}}


def spec(**fields: object) -> WorkflowSpec:
    return parse_spec(WorkflowSpec, {"nodes": [NODE]} | fields)


def test_the_form() -> None:
    """Keys are sorted, nothing is spaced, text is UTF-8, defaults are left out."""
    found = canonical_json(spec(variables={"z": "ü", "a": None}, failFast=True))
    assert found == '{"nodes":[{"name":"n","set":{"a":1}}],"variables":{"a":null,"z":"ü"}}'.encode()


def test_a_digest_is_pinned() -> None:
    """A digest stays the same over releases: executions are pinned by it."""
    assert digest(spec()) == "sha256:9ccd0c1009e7d1a6491a0c745a27d687446d3b1a33f09ec7e9167b1adf2f6284"


@pytest.mark.parametrize(
    "one, other",
    [
        ({"timeout": "90s"}, {"timeout": "1m30s"}),
        ({"priority": 0}, {}),
        ({"failFast": True}, {}),
        ({"connections": []}, {}),
        ({"variables": {"a": 1, "b": 2}}, {"variables": {"b": 2, "a": 1}}),
        ({"variables": {"a": 1.0}}, {"variables": {"a": 1}}),
        ({"defaults": {"retry": {"multiplier": 2}}}, {"defaults": {"retry": {"multiplier": 2.0}}}),
        ({"defaults": {"retry": {"multiplier": 3}}}, {"defaults": {"retry": {"multiplier": 3.0}}}),
        ({"defaults": {"resources": {"cpu": 1}}}, {"defaults": {"resources": {"cpu": "1"}}}),
        ({"description": None}, {}),
    ],
)
def test_same_meaning_same_digest(one: dict[str, Any], other: dict[str, Any]) -> None:
    """How a manifest is written does not change its digest."""
    assert digest(spec(**one)) == digest(spec(**other))


@pytest.mark.parametrize(
    "fields",
    [
        {"timeout": "90s"},
        {"failFast": False},
        {"variables": {"a": 1}},
        {"variables": {"a": "1"}},
        {"variables": {"a": 1.5}},
    ],
)
def test_other_meaning_other_digest(fields: dict[str, Any]) -> None:
    """A change of meaning changes the digest."""
    assert digest(spec(**fields)) != digest(spec())


def test_order_of_nodes_counts() -> None:
    """Nodes in another order are another workflow: entry points are numbered by it."""
    nodes = [{"name": "a", "set": {}}, {"name": "b", "set": {}}]
    assert digest(spec(nodes=nodes)) != digest(spec(nodes=nodes[::-1]))


def test_a_part_has_a_canonical_form() -> None:
    """A node alone has one too."""
    assert canonical_json(parse_spec(Node, NODE)) == b'{"name":"n","set":{"a":1}}'


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(JSON)
def test_free_json_survives(value: Any) -> None:
    """Any JSON comes back equal from a manifest, and reading the canonical form again gives the same bytes."""
    node = parse_spec(Node, {"name": "n", "set": {"a": value}})
    assert node.set_ == {"a": value}
    again = parse_spec(Node, json.loads(canonical_json(node)))
    assert canonical_json(again) == canonical_json(node)


@pytest.mark.parametrize(
    "value, expected", [(1.0, 1), (-0.0, 0), (2.5, 2.5), (1e300, 1e300), ({"a": [3.0]}, {"a": [3]})]
)
def test_integral_numbers_become_integers(value: Any, expected: Any) -> None:
    """As the API server does it, a number with an integral value is an integer (semantics 36)."""
    found = check_json(value)
    assert (found, json.dumps(found)) == (expected, json.dumps(expected))
