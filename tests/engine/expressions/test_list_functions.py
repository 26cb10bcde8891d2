"""Our own CEL functions: lists in member form, and the few that are called by name."""

from __future__ import annotations

import hashlib
import uuid
from typing import Any

import pytest

from fairlead.engine.expressions import ExpressionError, ExpressionTooExpensive, compile_expression

SCOPE = {
    "inputs": {
        "xs": [3, 1, 2],
        "mixed": [1, 2.5],
        "words": ["b", "a", "b"],
        "empty": [],
        "orders": [
            {"id": 1, "to": {"city": "Oslo"}, "sum": 2.5},
            {"id": 2, "to": {"city": "Rome"}, "sum": 1.0},
            {"id": 3, "to": {"city": "Oslo"}, "sum": 4.0},
        ],
        "n": 3,
        "huge": [2**63 - 1, 1],
    }
}


def value(source: str, seed: str = "") -> Any:
    return compile_expression(source).evaluate(SCOPE, seed)


@pytest.mark.parametrize(
    "source, expected",
    [
        ("inputs.xs.sum()", 6),
        ("inputs.mixed.sum()", 3.5),
        ("inputs.empty.sum()", 0),
        ("[0.1, 0.2, 0.3].sum() == 0.6", True),
        ("inputs.xs.avg()", 2.0),
        ("inputs.xs.min()", 1),
        ("inputs.words.max()", "b"),
        ("[true, false].min()", False),
        ("inputs.xs.sort()", [1, 2, 3]),
        ("inputs.words.sort()", ["a", "b", "b"]),
        ("inputs.empty.sort()", []),
        ("inputs.words.unique()", ["b", "a"]),
        ("[1, 1.0, true, 'true', null, null, [1], [1]].unique()", [1, True, "true", None, [1]]),
        ("[[1, 2], 3, [[4]]].flatten()", [1, 2, 3, [4]]),
        ('inputs.orders.pluck("to.city")', ["Oslo", "Rome", "Oslo"]),
        ('inputs.orders.sortBy("sum").pluck("id")', [2, 1, 3]),
        ('inputs.orders.sortBy("to.city").pluck("id")', [1, 3, 2]),
        ('inputs.empty.sortBy("a")', []),
        ('inputs.orders.groupBy("to.city").Oslo.pluck("id")', [1, 3]),
        ('inputs.orders.groupBy("id")["2"][0].to.city', "Rome"),
        ("inputs.xs.zip(inputs.words)", [[3, "b"], [1, "a"], [2, "b"]]),
        ("range(inputs.n)", [0, 1, 2]),
        ("range(0)", []),
        ("parseJson('{\"a\": [1, 2.5, 3.0, null]}')", {"a": [1, 2.5, 3, None]}),
        ("toJson({'b': 1, 'a': [2.5, 'ü']})", '{"a":[2.5,"ü"],"b":1}'),
        ("toJson(timestamp('2026-01-01T00:00:00Z'))", '"2026-01-01T00:00:00Z"'),
        ("toJson(null) + toJson(true) + toJson(1u)", "nulltrue1"),
    ],
)
def test_functions(source, expected):
    """Each function gives what its name says, ints stay ints, order is kept where there is one."""
    found = value(source)

    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    "source, message",
    [
        ("inputs.words.sum()", 'sum() needs numbers, but element 0 is "b" (string)'),
        ("inputs.huge.sum()", "beyond the 64 bits of an int"),
        ("inputs.empty.avg()", "avg() needs at least one element"),
        ("inputs.empty.min()", "min() needs at least one element"),
        ("[1, 'a'].max()", 'element 1 is "a" (string) and element 0 is 1 (int)'),
        ("[[1], [2]].sort()", "sort() needs numbers only, strings only or bools only"),
        ('inputs.orders.pluck("to.town")', 'pluck("to.town") finds no "town" in element 0, which has city'),
        ('inputs.xs.pluck("a")', 'finds no "a" in element 0, which is 3 (int)'),
        ('inputs.orders.sortBy("to")', "sortBy() needs numbers only"),
        ("inputs.xs.zip([1])", "they have 3 and 1 elements"),
        ("range(-1)", "not negative"),
        ("parseJson('{')", "which is no JSON"),
        ("parseJson('[NaN]')", "which is no JSON"),
        ("parseJson('[1e400]')", "out of range"),
        ("parseJson('12345678901234567890123')", "beyond the 64 bits"),
        ("range(inputs.mixed[1])", "range() does not take double"),
        ("[timestamp('2026-01-01T00:00:00Z')].sort()", "sort() needs numbers only"),
    ],
)
def test_what_a_function_does_not_take(source, message):
    """A function that cannot do its work says what it needs and shows the element."""
    with pytest.raises(ExpressionError) as caught:
        value(source)

    assert message in caught.value.message


def test_a_function_on_something_else_than_a_list_is_refused():
    """Member functions are those of lists alone."""
    with pytest.raises(ExpressionError, match=r"\.sum\(\) is not something that a int has"):
        value("inputs.n.sum()")


def test_hash_is_sha_256_of_canonical_json():
    """The order of keys does not count, nor whether a whole number is an int or a double."""
    expected = hashlib.sha256(b'{"a":2,"b":"x"}').hexdigest()

    assert value("hash({'b': 'x', 'a': 2})") == expected
    assert value("hash({'a': 2.0, 'b': 'x'})") == expected
    assert value("hash('x')") == hashlib.sha256(b'"x"').hexdigest()


def test_uuids_follow_from_the_seed_and_their_place_in_the_evaluation():
    """The same seed gives the same ids again, each call another one, another seed others."""
    first = value("[uuid(), uuid()] + range(3).map(i, uuid())", "seed")

    assert isinstance(first, list)
    assert first == value("[uuid(), uuid()] + range(3).map(i, uuid())", "seed")
    assert len(set(first)) == 5
    assert not set(first) & set(value("[uuid(), uuid()] + range(3).map(i, uuid())", "other"))


def test_a_uuid_is_one():
    """It is a UUID by its form, of the version for hashes of one's own (RFC 9562, version 8)."""
    found = uuid.UUID(str(value("uuid()", "seed")))

    assert (found.version, found.variant) == (8, uuid.RFC_4122)


def test_range_has_a_bound():
    """No text makes a list of a billion numbers."""
    assert value("range(10000).size()") == 10_000
    with pytest.raises(ExpressionTooExpensive, match="more than 10000 elements"):
        value("range(1000000000).size()")
