"""What goes into an expression and what comes out: JSON on both sides, CEL's types in between."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead.engine.expressions import ExpressionError, compile_condition, compile_expression
from fairlead.engine.expressions.limits import INT_MAX, INT_MIN

SCOPE = {
    "inputs": {
        "order": {"items": [{"qty": 2.0, "price": 3.5}, {"qty": 1.0, "price": 2.0}]},
        "n": 3,
        "zero": 0,
        "text": "ü😀",
        "none": None,
        "flag": True,
    },
    "computed": {"total": 1000.5},
    "nodes": {"sign_off": {"outputs": {"who": "ann"}, "status": "Succeeded"}, "later": {"outputs": {}}},
    "now": 1_700_000_000_123_456,
    "index": 4,
}


def value(source: str) -> Any:
    return compile_expression(source).evaluate(SCOPE, "seed")


@pytest.mark.parametrize(
    "source, expected",
    [
        ("inputs.order.items.map(i, i.qty * i.price).sum()", 9.0),
        ("computed.total > 1000", True),
        ("nodes.sign_off.outputs.who", "ann"),
        ("inputs.none", None),
        ("inputs.n", 3),
        ("inputs.n * 2 + index", 10),
        ("inputs.text + 'x'", "ü😀x"),
        ("size(inputs.text)", 2),
        ("has(nodes.later.outputs.x)", False),
        ("nodes.later.outputs.?x.orValue('none')", "none"),
        ("inputs.flag && inputs.n > 2", True),
        ("{'b': 1, 'a': [1.5, null]}", {"a": [1.5, None], "b": 1}),
        ("string(1000.0) + '/' + string(3)", "1000/3"),
        ("'a-b'.split('-')", ["a", "b"]),
        ("math.greatest(inputs.n, 7)", 7),
    ],
)
def test_values(source, expected):
    """Expressions as authors write them give the JSON values that they expect, with their types."""
    found = value(source)

    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    "source, expected",
    [
        ("now", "2023-11-14T22:13:20.123456Z"),
        ("now - duration('1h')", "2023-11-14T21:13:20.123456Z"),
        ("timestamp('0001-01-01T00:00:00Z')", "0001-01-01T00:00:00Z"),
        ("timestamp('2026-01-02T03:04:05+02:00')", "2026-01-02T01:04:05Z"),
        ("duration('90m')", "1h30m"),
        ("duration('-90s')", "-1m30s"),
        ("duration('0s')", "0s"),
        ("now - now", "0s"),
        ("b'abc'", "YWJj"),
        ("7u", 7),
        ("[now, duration('1s'), b'a', 1u]", ["2023-11-14T22:13:20.123456Z", "1s", "YQ==", 1]),
        ("now.getFullYear()", 2023),
        ("now.getHours('Europe/Berlin')", 23),
        ("now.getHours('+02:30')", 0),
    ],
)
def test_times_durations_bytes_and_uints_become_json(source, expected):
    """A time is RFC 3339, a duration Go style, bytes are base64, an unsigned int is an int; also within lists."""
    assert value(source) == expected


@pytest.mark.parametrize(
    "source",
    [
        "double(inputs.n) * 1.5 > 4",
        "[1, 2, 4].avg() > 2",
        "size(inputs.text) < 3.5 && computed.total / 2.0 > 1",
        "computed.total * 2.0 > -1",
        "1 == 1.0 && 1.0 in [1, 2] && 2u < 2.5",
        "[1.5].exists(i, i > 1)",
        "inputs.n < 3.5 && computed.total >= 1000 && inputs.n != 2.5",
    ],
)
def test_ints_and_doubles_are_compared(source):
    """A literal may be compared with a number of another kind, whatever the checker knows of the other side."""
    assert value(source) is True


def test_a_path_alone_gives_the_very_value():
    """An expression that only names a value hands it on as it is, with its keys in their order."""
    scope = {"inputs": {"b": {"z": 1, "a": 2}}}

    assert compile_expression("inputs.b").evaluate(scope) is scope["inputs"]["b"]
    assert compile_expression("inputs['b']").evaluate(scope) is scope["inputs"]["b"]


def test_maps_that_are_made_have_sorted_keys():
    """CEL's maps have an order of their own in every process; what comes out of an expression is sorted."""
    source = "{" + ", ".join(f"'k{i}': {i}" for i in range(9, -1, -1)) + "}"

    assert list(value(source)) == [f"k{i}" for i in range(10)]


def test_a_map_is_walked_in_the_order_of_its_keys():
    """A comprehension over a map sees its keys sorted, whether the map was read or made."""
    keys = [f"k{i}" for i in range(10)]
    literal = "{" + ", ".join(f"'{key}': 1" for key in reversed(keys)) + "}"

    read = compile_expression("inputs.map(k, k)").evaluate({"inputs": dict.fromkeys(reversed(keys), 1)})
    made = compile_expression(f"{literal}.filter(k, k != 'k3')").evaluate({})

    assert read == keys
    assert made == [key for key in keys if key != "k3"]


@pytest.mark.parametrize(
    "source, message",
    [
        ("inputs.n / inputs.zero", "divide by zero"),
        ("inputs.n % inputs.zero", "modulus by zero"),
        ("9223372036854775807 + inputs.n", "overflow"),
        ("1.0 / 0.0", "its result is inf, which JSON cannot hold"),
        ("[0.0 / 0.0]", "its result is nan, which JSON cannot hold"),
        ("{1: 2}", "its result has the key 1 (int), and JSON takes only strings: write string(...)"),
        ("type(1)", "no JSON value"),
        ("18446744073709551615u", "beyond the 64 bits of an int"),
        ("inputs.order.items[5]", "index 5 is outside of a list of 2 elements"),
        ("inputs.tex", "inputs has no key 'tex' (did you mean 'text'?)"),
        ("inputs.order.items.map(i, i.sku)", 'there is no key "sku"'),
        ("nodes.signoff.status == 'x'", "nodes has no key 'signoff' (did you mean 'sign_off'?)"),
        ("nodes.later.outputs.x + 1", "nodes.later.outputs has no key 'x' (it is empty)"),
        ("inputs.text.x", "a name after a dot needs a map"),
        ("inputs.n[0]", "brackets need a list or a map before them, not an int"),
        ("inputs.n.map(i, i)", "a comprehension such as map() or filter() needs a list or a map, not an int"),
        ("inputs.n + inputs.text", "'+' does not take int and string"),
        ("inputs.n ? 1 : 2", "the condition before '?' must be true or false"),
        ("inputs.n && inputs.n", "needs true or false on both sides"),
        ("inputs.n.sum()", ".sum() is not something that a int has"),
        ("item.x", "'item' has no value here"),
        ("timestamp(inputs.text)", "Timestamp"),
        ("inputs.text.matches('(')", "invalid regular expression"),
    ],
)
def test_what_cannot_be_evaluated_says_why(source, message):
    """Each failure is an ExpressionError with its cause in a sentence, and shows the expression."""
    with pytest.raises(ExpressionError) as caught:
        value(source)

    assert message in caught.value.message
    assert f"`{source}`" in str(caught.value)
    assert caught.value.reason == "ExpressionError"


@pytest.mark.parametrize(
    "source, write",
    [
        ("inputs.n * computed.total", "write double(inputs.n), or"),
        ("computed.total - inputs.n", "write double(inputs.n), or"),
        ("computed.total / 2 > 1.0", "write 2.0, or"),
        ("computed.total + inputs.n + computed.total", "around the right side (… + double(...))"),
        ("inputs.order.items.map(i, i.qty * inputs.n)", "write double(inputs.n), or"),
        ("size(inputs.text) * computed.total", "around the left side (double(...) * …)"),
    ],
)
def test_an_int_beside_a_double_says_where_to_write_double(source, write):
    """CEL mixes them in no arithmetic; the message says what to write where, and names the schema as the other way out."""
    with pytest.raises(ExpressionError) as caught:
        value(source)

    assert write in caught.value.message
    assert "`type: number` in the value's schema" in caught.value.message


@pytest.mark.parametrize(
    "source, offset",
    [
        ("1 + inputs.n / inputs.zero", 13),
        ("inputs.n % (inputs.n - 3)", 9),
        ("inputs.n * computed.total", 9),
        ("inputs.order.items.map(i, i.sku)", 28),
        ("inputs.n / inputs.zero + 1 / inputs.n", None),
        ("timestamp(inputs.text)", None),
    ],
)
def test_where_it_failed_is_known_if_only_one_place_can_be_meant(source, offset):
    """The runtime does not say where it failed; the one operator that can have failed is the place."""
    with pytest.raises(ExpressionError) as caught:
        value(source)

    assert caught.value.offset == offset


def test_an_error_shows_the_values_that_were_read():
    """The values are JSON by path, each cut to 200 characters, a kilobyte in all."""
    scope = {"inputs": {"a": 1, "b": 0, "long": "x" * 5_000} | {f"v{i}": "y" * 190 for i in range(20)}}
    source = (
        "[inputs.long, " + ", ".join(f"inputs.v{i}" for i in range(20)) + "].size() + inputs.a / inputs.b"
    )

    with pytest.raises(ExpressionError) as caught:
        compile_expression(source).evaluate(scope)

    assert caught.value.values["inputs.a"] == "1"
    assert caught.value.values["inputs.b"] == "0"
    assert len(caught.value.values["inputs.long"]) == 200
    assert sum(map(len, caught.value.values.values())) <= 1024


def test_a_condition_that_is_no_bool_at_run_time_is_an_error():
    """A condition over values of any type must give true or false; what it gave is shown."""
    assert compile_condition("inputs.flag").evaluate(SCOPE) is True
    with pytest.raises(ExpressionError, match=r"must be true or false, but this one is 3 \(int\)"):
        compile_condition("inputs.n").evaluate(SCOPE)
    with pytest.raises(ExpressionError, match=r"but this one is \"yes\" \(string\)"):
        compile_condition("inputs.flag ? inputs.word : false").evaluate(
            {"inputs": {"flag": True, "word": "yes"}}
        )


@pytest.mark.parametrize(
    "bad, message",
    [
        (2**63, "beyond the 64 bits"),
        (float("nan"), "nan, which JSON cannot hold"),
        ("\ud800", "half of a surrogate pair"),
        ([object()], "no JSON"),
        ({"deep": ["\udfff"]}, "no JSON"),
    ],
)
@pytest.mark.parametrize("source", ["inputs.bad", "[inputs.bad].size()"])
def test_values_that_are_no_json_are_refused(bad, message, source):
    """Whatever got into a scope, an expression that reads it fails with a sentence, and the process lives."""
    with pytest.raises(ExpressionError, match=message):
        compile_expression(source).evaluate({"inputs": {"bad": bad}})


@pytest.mark.parametrize("bad", ["a\x00b", ["\x00"], {"k": {"\x00": 1}}])
def test_text_with_nul_is_never_cut(bad):
    """The runtime ends a text at NUL without a word: an expression that would hand one over fails, a path passes it on."""
    assert compile_expression("inputs.bad").evaluate({"inputs": {"bad": bad}}) == bad
    with pytest.raises(ExpressionError, match="NUL"):
        compile_expression("[inputs.bad].size()").evaluate({"inputs": {"bad": bad}})
    with pytest.raises(ExpressionError, match="NUL"):
        compile_expression("['a\\x00b'].sort()").evaluate({})

    written = {"inputs": {"fine": {"text": "\\u0000"}}}
    assert (
        compile_expression("inputs.fine.text + toJson(inputs.fine)").evaluate(written)
        == '\\u0000{"text":"\\\\u0000"}'
    )


texts = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]))
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(INT_MIN, INT_MAX)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=20,
)


@given(json_values)
def test_json_comes_back_through_the_runtime_as_it_went_in(given_value):
    """Any JSON value that is handed to CEL and back is the same, ints and doubles apart as before."""
    found = compile_expression("true ? inputs.x : null").evaluate({"inputs": {"x": given_value}})

    assert found == given_value
    assert repr(_sorted(found)) == repr(_sorted(given_value))


@given(json_values)
def test_text_and_back(given_value):
    """parseJson(toJson(x)) is x, but for integral doubles, which are ints wherever there is no schema."""
    found = compile_expression("parseJson(toJson(inputs.x)) == inputs.x").evaluate(
        {"inputs": {"x": _small(given_value)}}
    )

    assert found is True


def _small(value: object) -> object:
    """The value without doubles that are whole but too large for an int."""
    if isinstance(value, float) and abs(value) > 2**62:
        return 0.5
    if isinstance(value, list):
        return [_small(each) for each in value]
    return {key: _small(each) for key, each in value.items()} if isinstance(value, dict) else value


def _sorted(value: object) -> object:
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value)}
    return [_sorted(each) for each in value] if isinstance(value, list) else value
