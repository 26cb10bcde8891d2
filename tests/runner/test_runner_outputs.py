"""What may be an output, and what the message says of what may not."""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.runner.conftest import Start

from fairlead_runner import lean_json, values

MIB = 1024 * 1024

in_a_process = pytest.mark.local


@in_a_process
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[1, 2]", "outputs is a list; expected a JSON object"),
        ("null", "outputs is null; expected a JSON object"),
        ("3", "outputs is the number 3; expected a JSON object"),
        ('"done"', "outputs is the text 'done'; expected a JSON object"),
        ("done", "the outputs are no JSON: a value is expected at character 0"),
        (
            '{"said": "so "she" said"}',
            "the outputs are no JSON: expecting ',' delimiter: line 1 column 15 (char 14)",
        ),
        (
            "{a: 1}",
            "the outputs are no JSON: expecting property name enclosed in double quotes: line 1 column 2",
        ),
        ('{"a" 1}', "the outputs are no JSON: expecting ':' delimiter: line 1 column 6 (char 5)"),
        ('{"a": "cut', "the outputs are no JSON: unterminated string starting at: line 1 column 7 (char 6)"),
        ("{", "the outputs are no JSON: expecting property name enclosed in double quotes: line 1 column 2"),
        ('{"a": NaN}', "the outputs are no JSON: NaN is no JSON number"),
        ('{"a": -Infinity}', "the outputs are no JSON: -Infinity is no JSON number"),
        ('{"a": [0, {"b": 1e999}]}', "outputs.a[1].b is inf; expected a finite number"),
        (
            '{"id": 123456789012345678901234}',
            "outputs.id is 123456789012345678901234, beyond 64 bits; write it as text",
        ),
        ('{"a": ' + "9" * 5000 + "}", "the outputs are no JSON: it holds an integer of thousands of digits"),
        (
            '{"a b": -9223372036854775809}',
            "outputs['a b'] is -9223372036854775809, beyond 64 bits; write it as text",
        ),
        ('{"a": 1} {"b": 2}', "the outputs are no JSON: it goes on after its end, at character 9"),
        (
            '{"a": "\\ud800"}',
            "outputs.a holds half of a surrogate pair at character 0; expected Unicode text",
        ),
        ('{"a": ' + "[" * 200 + "1" + "]" * 200 + "}", "is nested deeper than 128 levels"),
        ("[" * 100_000, "the outputs are no JSON: it is nested too deep"),
    ],
)
def test_a_file_that_is_no_output(start: Start, text: str, message: str):
    """Whatever is no JSON object of values that all of Fairlead can carry is refused, by path and value."""
    error = start(python=f"import os\nopen(os.environ['FAIRLEAD_OUTPUTS'], 'w').write({text!r})").error()

    assert error["reason"] == "OutputInvalid"
    assert message in error["message"]
    assert "exitCode" not in error


@in_a_process
@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("outputs = [1]", "outputs is a list; expected a JSON object"),
        ("outputs = None", "outputs is null; expected a JSON object"),
        ("outputs['x'] = float('nan')", "outputs.x is nan; expected a finite number"),
        ("outputs['x'] = [1, {'y': float('-inf')}]", "outputs.x[1].y is -inf; expected a finite number"),
        ("outputs['x'] = 2**63", "outputs.x is 9223372036854775808, beyond 64 bits; write it as text"),
        (
            "outputs['x'] = 10**5000",
            "outputs.x is an integer of 16610 bits, beyond 64 bits; write it as text",
        ),
        (
            "import datetime; outputs['at'] = datetime.date(2026, 11, 21)",
            "outputs.at is a date datetime.date(2026, 11, 21)",
        ),
        ("outputs['tags'] = {'only'}", "outputs.tags is a set {'only'}; expected a JSON value"),
        ("outputs['raw'] = b'x'", "outputs.raw is a bytes b'x'; expected a JSON value"),
        ("outputs['m'] = {1: 'a'}", "outputs.m has the key 1 (int); expected text"),
        ("outputs['s'] = 'a\\udc80'", "outputs.s holds half of a surrogate pair at character 1"),
        (
            "outputs['\\udc80'] = 1",
            "outputs['\\udc80'] has a key with half of a surrogate pair at character 0",
        ),
        ("a = []; a.append(a); outputs['a'] = a", "is nested deeper than 128 levels"),
    ],
)
def test_a_dict_that_is_no_output(start: Start, script: str, message: str):
    """A Python value that JSON does not have is refused, by path and value."""
    runner = start(python=script)

    error = runner.error()
    assert error["reason"] == "OutputInvalid"
    assert message in error["message"]
    assert runner.stderr == ""


@in_a_process
def test_the_range_of_integers_is_int64(start: Start):
    """The largest and smallest 64-bit integers are outputs, in both ways of giving them."""
    both = {"max": 2**63 - 1, "min": -(2**63)}

    assert start(python=f"outputs.update({both!r})").outputs() == both
    assert start(sh=f"echo '{json.dumps(both)}' > $FAIRLEAD_OUTPUTS").outputs() == both


@in_a_process
@pytest.mark.parametrize("size", [MIB, MIB + 1])
def test_outputs_end_at_one_mib(start: Start, size: int):
    """1 MiB of JSON is kept whole; one byte more is OutputTooLarge with the size, from a dict and from a file."""
    text = "x" * (size - len('{"a":""}'))
    by_dict = start(python=f"outputs['a'] = 'x' * {len(text)}").result()
    by_file = start(
        sh=f"""(printf '{{"a":"'; head -c {len(text)} /dev/zero | tr '\\0' x; printf '"}}') > $FAIRLEAD_OUTPUTS"""
    ).result()

    if size > MIB:
        error = {
            "reason": "OutputTooLarge",
            "message": f"the outputs are {size} bytes of JSON; at most {MIB} are kept",
        }
        assert [by_dict, by_file] == [{"error": error}] * 2
    else:
        assert [by_dict, by_file] == [{"outputs": {"a": text}}] * 2


@in_a_process
@pytest.mark.parametrize("script", ["", "rm $FAIRLEAD_OUTPUTS", "printf ' \\n\\t' > $FAIRLEAD_OUTPUTS"])
def test_nothing_written_is_an_empty_object(start: Start, script: str):
    """A script that writes nothing, only spaces, or takes the file away has the outputs {}."""
    assert start(sh=script).outputs() == {}


@in_a_process
@pytest.mark.parametrize("script", ["rm $F; mkdir $F", "rm $F; mkfifo $F", "ln -sf /dev/zero $F"])
def test_something_else_than_a_file(start: Start, script: str):
    """A folder, a pipe or an endless device in place of the file is refused, and nobody waits for it."""
    error = start(sh=f"F=$FAIRLEAD_OUTPUTS; {script}").error()

    assert error["reason"] == "OutputInvalid"
    assert "expected a file" in error["message"]


@in_a_process
def test_bytes_that_are_no_text(start: Start):
    """A file that is not UTF-8 says at which byte."""
    error = start(sh='printf \'{"a": "\\377"}\' > $FAIRLEAD_OUTPUTS').error()

    assert error["message"] == "the outputs are no JSON: byte 7 is no UTF-8"


@in_a_process
def test_outputs_of_a_failed_node_are_not_taken(start: Start):
    """An exit code other than 0 is the failure, whatever the outputs are."""
    error = start(sh="echo '[]' > $FAIRLEAD_OUTPUTS; exit 3").error()

    assert error["reason"] == "NonZeroExit"


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)


@given(st.dictionaries(st.text(), json_values))
def test_lean_json_agrees_with_the_standard_library(value: dict[str, Any]):
    """The C half alone writes and reads what the whole `json` module does, and every JSON object is an output."""
    text = lean_json.encode(values.check(value))

    assert text == json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    assert lean_json.decode(text) == json.loads(text) == value
    assert lean_json.decode(f" \n{json.dumps(value, indent=2)}\t") == value


@given(st.text(alphabet='{}[]",:0123456789.eE+-truefalsn \\u'))
def test_lean_json_refuses_what_the_standard_library_refuses(text: str):
    """A text is JSON for both or for none, NaN and Infinity apart; a refusal is a ValueError with a sentence."""
    try:
        expected = json.loads(text, parse_constant=pytest.fail)
    except ValueError:
        with pytest.raises(ValueError) as refusal:
            lean_json.decode(text)
        assert str(refusal.value)
    else:
        assert lean_json.decode(text) == expected


def test_an_integer_of_any_length_is_described():
    """Python refuses to write integers of thousands of digits; the message gets by without."""
    assert sys.get_int_max_str_digits() < 10_000
    with pytest.raises(values.Unfit, match="33220 bits"):
        values.check({"n": 10**10_000})
