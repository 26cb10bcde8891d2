"""Text becomes plain JSON data with places, or findings with line and column."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from fairlead.model.documents import MAX_BYTES, path_text, read_documents


def data_of(text: str | bytes) -> Any:
    """The data of a text without any finding."""
    documents, findings = read_documents(text)
    assert findings == []
    (document,) = documents
    return document.data


def told(text: str | bytes) -> list[str]:
    """Every finding as `line:column reason`."""
    return [f"{finding.line}:{finding.column} {finding.reason}" for finding in read_documents(text, "f")[1]]


SCALARS = [
    ("yes", "yes"),
    ("2026-11-21", "2026-11-21"),
    ("2026-11-21T09:00:00Z", "2026-11-21T09:00:00Z"),
    ("12:30", "12:30"),
    ("0o17", 15),
    ("0x1F", 31),
    ("+12", 12),
    ("-7", -7),
    ("1.5", 1.5),
    (".5", 0.5),
    ("1e3", 1000.0),
    ("1.", 1.0),
    ("~", None),
    ("", None),
    ("null", None),
    ("True", True),
    ("FALSE", False),
    ("tRUE", "tRUE"),
    ("'1'", "1"),
    ('"true"', "true"),
    ("!!str 5", "5"),
    ("!!int 5", 5),
    ("!!float 5", 5.0),
    ("! 5", "5"),
    ("v1", "v1"),
    ("1s", "1s"),
    ("-", None),
    ("5m", "5m"),
    (".", "."),
    ("9223372036854775807", 2**63 - 1),
    ("-9223372036854775808", -(2**63)),
    ("${inputs.a}", "${inputs.a}"),
    ("|\n  a\n  b\n", "a\nb\n"),
    ("'it''s'", "it's"),
    ('"\\u00fc\\n"', "ü\n"),
]


@pytest.mark.parametrize("text, value", [case for case in SCALARS if case[0] not in ("yes", "-")])
def test_plain_values_follow_yaml_1_2(text: str, value: Any) -> None:
    """A plain scalar is what YAML 1.2's core schema makes of it, nothing of YAML 1.1."""
    found = data_of(f"a: {text}")["a"]
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize("word", ["yes", "no", "on", "off", "y", "n", "Yes", "NO", "On", "OFF", "Y", "N"])
def test_words_that_kubectl_reads_as_booleans(word: str) -> None:
    """Such a word is text, as a key and as a value, and a warning says that kubectl thinks otherwise."""
    documents, findings = read_documents(f"{word}: {word}")
    assert documents[0].data == {word: word}
    assert [(finding.severity, finding.reason, finding.column) for finding in findings] == [
        ("warning", "AmbiguousYAML", 1),
        ("warning", "AmbiguousYAML", len(word) + 3),
    ]


@pytest.mark.parametrize("word", ["1_000", "1_0.5", "0b101", "-0x1F", "-0o17", "+0B1", ".5e1_0", "0x_1"])
def test_words_that_kubectl_reads_as_numbers(word: str) -> None:
    """Such a word is text, as a key and as a value, and a warning says that kubectl thinks otherwise."""
    documents, findings = read_documents(f"{word}: {word}")
    assert documents[0].data == {word: word}
    assert {finding.reason for finding in findings} == {"AmbiguousYAML"}
    assert [finding.message.partition(";")[0] for finding in findings] == [
        f"the {role} {word} is a number for kubectl, which reads YAML 1.1" for role in ("key", "value")
    ]


@pytest.mark.parametrize(
    "word", ["12:30", "2020-01-01", "1.2.3", "0b12", "_1", "1_a", "10m", "-", "1e400x", "+", "..."]
)
def test_words_that_kubectl_reads_as_text_too(word: str) -> None:
    """Times, dates, versions and quantities are text for both."""
    documents, findings = read_documents(f"a: [{word}]")
    assert (documents[0].data, findings) == ({"a": [word]}, [])


def test_quoted_words_are_unambiguous() -> None:
    """In quotes nobody misreads them."""
    assert data_of("'on': ['yes', \"010\"]") == {"on": ["yes", "010"]}


def test_leading_zero() -> None:
    """`010` is ten here and eight for kubectl."""
    documents, findings = read_documents("a: 010")
    assert documents[0].data == {"a": 10}
    assert [finding.reason for finding in findings] == ["AmbiguousYAML"]


BAD = [
    ("", ["1:1 EmptyFile"]),
    ("\n\n", ["1:1 EmptyFile"]),
    ("# only a comment\n", ["1:1 EmptyFile"]),
    ("---\n---\n...\n", ["1:1 EmptyFile"]),
    ("null", ["1:1 EmptyFile"]),
    ("a: b: c", ["1:5 BadYAML"]),
    ("a:\n\t- b", ["2:1 BadYAML"]),
    ("a:\n  b: 1\n\tc: 2", ["3:1 BadYAML"]),
    ("\ta: 1", ["1:1 BadYAML"]),
    ("a: 'b", ["1:4 BadYAML"]),
    ("a: [1", ["2:1 BadYAML"]),
    ("a: @b", ["1:4 BadYAML"]),
    ("a: %b", ["1:4 BadYAML"]),
    ("- a\nb: c", ["2:1 BadYAML"]),
    ("a: 1\n b: 2", ["2:3 BadYAML"]),
    ("%YAML 9.0\n---\na: 1", ["1:1 BadYAML"]),
    ('a: "\\q"', ["1:5 BadYAML"]),
    ("a: 1\nb: 2\na: 3", ["3:1 DuplicateKey"]),
    ("{a: 1, a: 2}", ["1:8 DuplicateKey"]),
    ("1: a", ["1:1 BadKey"]),
    ("true: a", ["1:1 BadKey"]),
    ("null: a", ["1:1 BadKey"]),
    ("1.5: a", ["1:1 BadKey"]),
    (": a", ["1:1 BadYAML"]),
    ("[a]: b", ["1:1 BadKey"]),
    ("? {a: 1}\n: b", ["1:3 BadKey"]),
    ("a: &x k\n*x : b", ["2:1 BadKey"]),
    ("a: {{ b }}", ["1:5 BadKey"]),
    ("a: .nan", ["1:4 NotJSON"]),
    ("a: .inf", ["1:4 NotJSON"]),
    ("a: -.Inf", ["1:4 NotJSON"]),
    ("a: 1e999", ["1:4 NotJSON"]),
    ("a: 9223372036854775808", ["1:4 NumberTooLarge"]),
    ("a: -9223372036854775809", ["1:4 NumberTooLarge"]),
    ("a: 0x" + "f" * 17, ["1:4 NumberTooLarge"]),
    ("a: " + "9" * 5000, ["1:4 NumberTooLarge"]),
    ("a: !!python/object/apply:os.system [x]", ["1:4 BadTag"]),
    ("a: !!binary aGk=", ["1:4 BadTag"]),
    ("a: !!int x", ["1:4 BadTag"]),
    ("a: !mine x", ["1:4 BadTag"]),
    ("a: !!set {x}", ["1:4 BadTag"]),
    ("a: *x", ["1:4 BadAlias"]),
    ("a: &x [*x]", ["1:8 BadAlias"]),
    ("a: &x {b: &y {c: *x}}", ["1:18 BadAlias"]),
    ("a: 1\n<<: 5", ["2:5 BadMerge"]),
    ("a: \x00", ["1:4 BadCharacter"]),
    ("a: 1\nb: \x1b[31m", ["2:4 BadCharacter"]),
    (b"a: 1\nb: \xff", ["2:4 BadEncoding"]),
    (b"a: \xc3", ["1:4 BadEncoding"]),
    ("a: 1".encode("utf-16"), ["1:1 BadEncoding"]),
    ("[" * 100_000, ["1:201 TooDeep"]),
    ("- " * 500 + "a", ["1:401 TooDeep"]),
    ('{"a":' * 1000, ["1:1001 TooDeep"]),
    ("{", ["1:2 BadJSON"]),
    ('{"a": 1', ["1:8 BadJSON"]),
    ('{"a" 1}', ["1:6 BadJSON"]),
    ('{"a": tru}', []),
    ('{"a": 01}', []),
    ('{"a": NaN}', ["1:7 NotJSON"]),
    ('{"a": -Infinity}', ["1:7 NotJSON"]),
    ('{"a": 1e400}', ["1:7 NotJSON"]),
    ('{"a": 1, "a": 2}', ["1:10 DuplicateKey"]),
    ('{"a": "b\nc"}', []),
    ('{"a": "\\ud800"}', ["1:15 BadJSON"]),
    ('{"a": "\\x"}', ["1:8 BadJSON"]),
    ('{"a": 99999999999999999999}', ["1:7 NumberTooLarge"]),
    ('{"a": 1} {"b": 2}', ["1:10 BadJSON"]),
    ("a: \x80", ["1:4 BadCharacter"]),
]


@pytest.mark.parametrize("text, expected", BAD, ids=lambda value: repr(value)[:40])
def test_bad_text(text: str | bytes, expected: list[str]) -> None:
    """Text that is wrong is told once, where it is wrong."""
    assert [line for line in told(text) if "Ambiguous" not in line] == expected


@pytest.mark.parametrize(
    "text", [text for text, expected in BAD if expected], ids=lambda value: repr(value)[:40]
)
def test_bad_text_is_told_in_one_sentence(text: str | bytes) -> None:
    """A message is one line of bounded length, whatever the text."""
    for finding in read_documents(text, "f")[1]:
        assert "\n" not in finding.message
        assert len(finding.message) < 200
        assert finding.file == "f"


def test_a_json_file_is_json() -> None:
    """What would be YAML in flow style is an error where the name of the file promises JSON."""
    text = '{"a": tru}'
    assert data_of(text) == {"a": "tru"}
    documents, (finding,) = read_documents(text, "x.json")
    assert (documents, finding.reason, finding.column) == ([], "BadJSON", 7)
    assert finding.message == "the text is no JSON: 't' stands here; expected a value"


def test_a_text_that_is_too_large_is_not_read() -> None:
    """Over 4 MiB nothing is parsed, as text or as bytes, also where only its bytes are too many."""
    for text in ("a" * (MAX_BYTES + 1), b"a" * (MAX_BYTES + 1), "ü" * (MAX_BYTES // 2 + 1)):
        documents, (finding,) = read_documents(text)
        assert (documents, finding.reason) == ([], "FileTooLarge")
        assert "expected at most 4,194,304" in finding.message
    assert data_of("a" * MAX_BYTES) == "a" * MAX_BYTES


def test_aliases_are_put_in() -> None:
    """An anchor is a value that may stand several times."""
    assert data_of("a: &x {b: [1]}\nc: *x\nd: [*x, *x]") == {
        "a": {"b": [1]},
        "c": {"b": [1]},
        "d": [{"b": [1]}, {"b": [1]}],
    }


@pytest.mark.parametrize(
    "text, expected",
    [
        ("x: &a {p: 1, q: 2}\nz: {<<: *a, p: 5}", {"p": 5, "q": 2}),
        ("x: &a {p: 1, q: 2}\nz: {p: 5, <<: *a}", {"p": 5, "q": 2}),
        ("x: [&a {p: 1}, &b {p: 2, q: 3}]\nz: {<<: [*a, *b]}", {"p": 1, "q": 3}),
        ("z: {'<<': 1}", {"<<": 1}),
    ],
)
def test_merge_keys(text: str, expected: object) -> None:
    """`<<` brings in what the mapping does not have itself, as kubectl does it."""
    assert data_of(text)["z"] == expected


def test_an_alias_bomb_is_refused() -> None:
    """Aliases of aliases of aliases are counted as what they stand for, before anybody walks through them."""
    lines = ["a0: &a0 [" + "x," * 10 + "]"]
    lines += [f"a{i}: &a{i} [" + f"*a{i - 1}," * 10 + "]" for i in range(1, 30)]
    documents, findings = read_documents("\n".join(lines))
    assert documents == []
    assert [finding.reason for finding in findings] == ["TooManyValues"]


def test_several_documents() -> None:
    """Each document has its own data and places; empty ones do not count."""
    documents, findings = read_documents("---\na: 1\n---\n# nothing\n---\nb:\n  c: 2\n...\n")
    assert findings == []
    assert [document.data for document in documents] == [{"a": 1}, {"b": {"c": 2}}]
    assert documents[1].place(("b", "c")) == (7, 3)


def test_documents_before_a_broken_one_are_read() -> None:
    """What stands before the error is not lost."""
    documents, findings = read_documents("a: 1\n---\nb: [")
    assert [document.data for document in documents] == [{"a": 1}]
    assert [finding.reason for finding in findings] == ["BadYAML"]


def test_a_byte_order_mark_is_no_text() -> None:
    """What some editors write at the start of a file does not matter."""
    assert data_of("\ufeffa: 1") == {"a": 1}
    assert data_of("\ufeff{}".encode()) == {}


PLACES_YAML = """\
spec:
  nodes:
  - name: a
    retry: {maxAttempts: 3}
  -
    name: b
    run:
      sh: |
        echo
  "quoted key": [1, [2, 3]]
"""
PLACES = [
    ((), (1, 1), (1, 1)),
    (("spec",), (1, 1), (2, 3)),
    (("spec", "nodes"), (2, 3), (3, 3)),
    (("spec", "nodes", 0), (3, 5), (3, 5)),
    (("spec", "nodes", 0, "name"), (3, 5), (3, 11)),
    (("spec", "nodes", 0, "retry", "maxAttempts"), (4, 13), (4, 26)),
    (("spec", "nodes", 1), (6, 5), (6, 5)),
    (("spec", "nodes", 1, "run", "sh"), (8, 7), (8, 11)),
    (("spec", "quoted key"), (10, 3), (10, 17)),
    (("spec", "quoted key", 1, 1), (10, 25), (10, 25)),
    (("spec", "nodes", 1, "missing", "deeper"), (6, 5), (6, 5)),
    (("spec", "nodes", 7), (2, 3), (3, 3)),
    (("spec", "nodes", 0, "name", "x"), (3, 5), (3, 11)),
    (("other",), (1, 1), (1, 1)),
]


@pytest.mark.parametrize("path, key, value", PLACES)
def test_places_in_yaml(path: tuple[str | int, ...], key: tuple[int, int], value: tuple[int, int]) -> None:
    """Every key and value has its line and column; what is not there has those of its owner."""
    (document,), _ = read_documents(PLACES_YAML)
    assert (document.place(path), document.value_place(path)) == (key, value)


def test_places_in_json() -> None:
    """JSON has places as YAML has."""
    (document,), _ = read_documents('{"a": 1,\n "b": [true,\n\t{"c": null}]}')
    assert document.data == {"a": 1, "b": [True, {"c": None}]}
    assert document.place(("b", 1, "c")) == (3, 3)
    assert document.value_place(("b", 1, "c")) == (3, 8)
    assert document.value_place(("b", 0)) == (2, 8)


def test_places_of_merged_and_aliased_values() -> None:
    """What an alias brings in stands where it was written."""
    (document,), _ = read_documents("x: &a {p: 1}\ny:\n  <<: *a\nz: *a")
    assert document.place(("y", "p")) == (1, 8)
    assert document.place(("z", "p")) == (1, 8)
    assert document.place(("z",)) == (4, 1)


@pytest.mark.parametrize(
    "path, text",
    [
        (("spec", "nodes", 2, "retry", "maxAttempts"), "spec.nodes[2].retry.maxAttempts"),
        ((), ""),
        ((0, 1), "[0][1]"),
        (("metadata", "labels", "app.io/name"), 'metadata.labels["app.io/name"]'),
        (("a b",), '["a b"]'),
    ],
)
def test_paths_as_users_write_them(path: tuple[str | int, ...], text: str) -> None:
    """A path reads as in `kubectl explain`, with odd keys in quotes."""
    assert path_text(path) == text


def is_number(text: str) -> bool:
    """Whether kubectl reads a bare word as a number that PyYAML, an older reader, takes for text: `0E0`, `0o7`."""
    try:
        float(text.replace("0o", ""))
    except ValueError:
        return False
    return True


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff\ufeff")).filter(
        lambda text: not is_number(text)
    ),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text("abc d:-#'\"\n", min_size=1), inner, max_size=4)
    ),
    max_leaves=30,
)


@given(JSON.filter(lambda value: isinstance(value, (dict, list))), st.sampled_from([None, 1, "\t"]))
def test_json_is_read_as_python_reads_it(value: Any, indent: Any) -> None:
    """What Python writes as JSON comes back, whatever the white space."""
    assert data_of(json.dumps(value, indent=indent)) == value


@given(st.dictionaries(st.text("abcdef", min_size=3), JSON, min_size=1, max_size=4))
def test_yaml_is_read_as_it_was_written(value: Any) -> None:
    """What PyYAML writes comes back, in block and in flow style."""
    for flow in (False, True):
        documents, findings = read_documents(
            yaml.safe_dump(value, default_flow_style=flow, allow_unicode=True)
        )
        assert [finding for finding in findings if finding.severity == "error"] == []
        assert documents[0].data == value


@given(st.text() | st.binary())
def test_any_text_gives_documents_or_findings(text: str | bytes) -> None:
    """No text raises, and no text is passed over in silence."""
    documents, findings = read_documents(text)
    assert documents or findings
    assert all(document.place(())[0] >= 1 for document in documents)
    assert all(finding.line >= 1 and finding.column >= 1 for finding in findings)


@given(st.text("{}[]\",:-?&*!|>'%@`# \n\tab01<.~", max_size=40))
def test_any_punctuation_gives_documents_or_findings(text: str) -> None:
    """The same for text made of YAML's own characters."""
    documents, findings = read_documents(text)
    assert documents or findings


def test_a_long_manifest_is_read_whole() -> None:
    """Ten thousand nodes in YAML and in JSON are the same data."""
    nodes = [
        {"name": f"n{i}", "run": {"sh": "echo a\ntrue\n"}, "retry": {"maxAttempts": 3}} for i in range(10_000)
    ]
    assert data_of(yaml.dump(nodes, Dumper=getattr(yaml, "CSafeDumper", yaml.SafeDumper))) == nodes
    assert data_of(json.dumps(nodes)) == nodes
