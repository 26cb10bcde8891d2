"""Inputs from the command line: what `-i key=value` means by the schema, and where inputs come from."""

from __future__ import annotations

import json

import pytest

from fairlead.apps.cli.values import gathered, kinds_of, typed, yaml_value
from fairlead.model.errors import InvalidInput

SCHEMA = {
    "type": "object",
    "properties": {
        "text": {"type": "string"},
        "count": {"type": "integer"},
        "price": {"type": "number"},
        "flag": {"type": "boolean"},
        "list": {"type": "array"},
        "maybe": {"type": ["string", "null"]},
        "far": {"$ref": "#/$defs/deep/inner"},
        "ring": {"$ref": "#/properties/ring"},
        "choice": {"enum": ["1", "2"]},
        "either": {"anyOf": [{"type": "string"}, {"type": "integer"}]},
        "open": {},
    },
    "$defs": {"deep": {"inner": {"type": "string"}}},
}


@pytest.mark.parametrize(
    "key, text, value",
    [
        ("text", "1.10", "1.10"),
        ("text", "true", "true"),
        ("text", "", ""),
        ("text", "a=b", "a=b"),
        ("count", "17", 17),
        ("count", "x", "x"),
        ("price", "2", 2),
        ("price", "2.50", 2.5),
        ("flag", "true", True),
        ("list", "[1, two]", [1, "two"]),
        ("maybe", "null", None),
        ("maybe", "5", "5"),
        ("far", "007", "007"),
        ("ring", "5", 5),
        ("choice", "1", "1"),
        ("either", "5", 5),
        ("either", "true", "true"),
        ("open", "5", 5),
        ("unknown", "5", 5),
    ],
)
def test_a_value_is_what_the_schema_wants(key, text, value):
    """Text stays text where text is wanted; a value that does not fit is left for the schema check to refuse."""
    found = gathered([f"{key}={text}"], None, {}, SCHEMA)[key]

    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    "text, value",
    [
        ("3", 3),
        ("3.5", 3.5),
        ("true", True),
        ("yes", "yes"),
        ("null", None),
        ("~", None),
        ("", ""),
        ("[1,2]", [1, 2]),
        ("{a: 1}", {"a": 1}),
        ("'3'", "3"),
        ('"3"', "3"),
        ("a: b", "a: b"),
        ("- a", "- a"),
        ("@x", "@x"),
        ("*x", "*x"),
        ("&x", "&x"),
        ("#x", "#x"),
        ("x # y", "x # y"),
        ("{curly", "{curly"),
        ("2026-11-21", "2026-11-21"),
        ("two\nlines", "two\nlines"),
        ("99999999999999999999", 99999999999999999999),
    ],
)
def test_without_a_schema_a_value_is_read_as_yaml(text, value):
    """What is no YAML scalar, list or object on one line is the text itself."""
    found = yaml_value(text)

    assert (found, type(found)) == (value, type(value))
    assert typed(text, kinds_of(None, "x")) == value


@pytest.mark.parametrize("pair", ["x", "=x", ""])
def test_what_is_no_pair_is_refused(pair):
    """A pair has a key and an equals sign."""
    with pytest.raises(InvalidInput, match="expected key=value"):
        gathered([pair], None, {}, None)


def test_pairs_lie_over_the_file_and_the_file_over_the_manifest(tmp_path):
    """The last word is the command line's; of two pairs of one key the later one counts."""
    file = tmp_path / "inputs.yaml"
    file.write_text("b: 2\nc: 2\n", encoding="utf-8")

    found = gathered(["c=3", "d=3", "d=4"], file, {"a": 1, "b": 1}, None)

    assert found == {"a": 1, "b": 2, "c": 3, "d": 4}


@pytest.mark.parametrize(
    "text, expected",
    [("[1]", "expected one object"), ("", "the text is empty"), ("{", "line 1"), ("a: 1\n---\nb: 2\n", "expected one object")],
)  # fmt: skip
def test_a_file_of_inputs_holds_one_object(tmp_path, text, expected):
    """Anything else is refused with the name of the file."""
    file = tmp_path / "inputs.json"
    file.write_text(text, encoding="utf-8")

    with pytest.raises(InvalidInput, match=expected) as refused:
        gathered([], file, {}, None)
    assert str(file) in str(refused.value)


def test_inputs_that_do_not_fit_start_nothing(cli):
    """All that is wrong is told with its path, exit code 2, and there is no store."""
    schema = {"type": "object", "required": ["size"], "properties": {"size": {"type": "integer"}}}
    file = cli.workflow({"name": "a", "set": {"x": "${inputs.size}"}}, inputs=schema)

    for pair, words in (
        ("size=abc", "inputs.size: 'abc'"),
        ("m=1", "size is missing; expected a whole number under that name"),
        ("size=99999999999999999999", "64 bits"),
    ):
        done = cli("run", file, "-i", pair)
        assert (done.returncode, done.stdout) == (2, "")
        assert words in done.stderr
        assert done.stderr.rstrip().endswith("nothing was started")
    schema["required"] = ["size", "m"]
    file = cli.workflow({"name": "a", "set": {"x": "${inputs.size}"}}, inputs=schema)
    done = cli("run", file, "-i", "size=abc")
    assert [
        "error InputsInvalid: m is missing; expected a value under that name (inputs)",
        "error InputsInvalid: 'abc' stands here; expected a whole number (inputs.size)",
        "error: the inputs have 2 errors; nothing was started",
    ] == done.stderr.splitlines()
    assert not cli.store.exists()
    schema["required"] = ["size"]
    file = cli.workflow({"name": "a", "set": {"x": "${inputs.size}"}}, inputs=schema)
    assert json.loads(cli("run", file, "-i", "size=7", "-o", "json").stdout)["variables"] == {"x": 7}


def test_a_number_of_the_schema_is_a_double(cli):
    """`-i price=2` is 2.0 where the schema says number (semantics 36): arithmetic with doubles works."""
    schema = {"type": "object", "properties": {"price": {"type": "number"}}}
    file = cli.workflow({"name": "a", "set": {"x": "${inputs.price * 1.5}"}}, inputs=schema)

    assert cli.json("run", file, "-i", "price=2")["variables"] == {"x": 3.0}


def test_inputs_can_come_from_stdin(cli):
    """`--inputs -` reads an object from stdin."""
    file = cli.workflow({"name": "a", "set": {"x": "${inputs.n}"}})

    done = cli("run", file, "--inputs", "-", "-o", "json", stdin='{"n": [1, 2]}')

    assert json.loads(done.stdout)["variables"] == {"x": [1, 2]}


@pytest.mark.parametrize(
    "schema, warnings",
    [
        ({}, ["did you mean shards?", "it names shards"]),
        ({"additionalProperties": True}, []),
        ({"patternProperties": {"^sh": {}}}, []),
        ({"anyOf": [{"required": ["shards"]}, {"required": ["shrads"]}]}, []),
    ],
)
def test_an_input_that_the_schema_does_not_name_is_told(cli, schema, warnings):
    """It is allowed, and most often misspelt: a warning on stderr, unless the schema speaks of more names than it lists."""
    inputs = {"type": "object", "properties": {"shards": {"type": "integer", "default": 4}}, **schema}
    file = cli.workflow({"name": "a", "set": {"x": "${inputs.shards}"}}, inputs=inputs)

    done = cli("run", file, "-i", "shrads=5", "-i", "zz=1")

    assert done.returncode == 0
    told = [line.partition("; ")[2].rpartition(" (")[0] for line in done.stderr.splitlines()]
    assert told == warnings
