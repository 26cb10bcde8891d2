"""Reads YAML as YAML 1.2's core schema has it, into plain JSON data with places.

`yes`, `no`, `on`, `off` and dates are text; `0o17` is an integer; `.nan`, `.inf` and integers beyond int64
are refused, because JSON and the API server have none. Only the tags of JSON's own types are known, so no
text can make an object. Where kubectl, which reads YAML 1.1, would see another value (`on`, `n`, `010`, `1_000`) a
warning says so.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any

import yaml

from fairlead.model.document_tree import Builder, Document, Unreadable, place
from fairlead.model.findings import Finding

INT64_MAX = 2**63 - 1
INT64_MIN = -(2**63)

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_CONSTANTS: dict[str, Any] = dict.fromkeys(("", "~", "null", "Null", "NULL"))
_CONSTANTS |= dict.fromkeys(("true", "True", "TRUE"), True) | dict.fromkeys(
    ("false", "False", "FALSE"), False
)
_INTEGER = re.compile(r"[-+]?[0-9]+\Z")
_BASED = re.compile(r"0o[0-7]+\Z|0x[0-9a-fA-F]+\Z")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?\Z")
_NO_NUMBER = re.compile(r"[-+]?\.(inf|Inf|INF)\Z|\.(nan|NaN|NAN)\Z")
_KUBECTL_BOOLEAN = frozenset(
    form for word in ("yes", "no", "on", "off", "y", "n") for form in (word, word.capitalize(), word.upper())
)
_KUBECTL_NUMBER = re.compile(
    r"[-+]?(0x[0-9a-f]+|0b[01]+|0o?[0-7]+|[1-9][0-9]*)\Z|[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)(e[-+]?[0-9]+)?\Z",
    re.IGNORECASE,
)
"""Once the underscores are gone: those that begin with a sign, a dot or a digit."""
_KUBECTL_OCTAL = re.compile(r"[-+]?0[0-7]+\Z")
_TAGS = {
    "tag:yaml.org,2002:null": type(None),
    "tag:yaml.org,2002:bool": bool,
    "tag:yaml.org,2002:int": int,
    "tag:yaml.org,2002:float": float,
}
_TEXT_TAGS = ("!", "tag:yaml.org,2002:str")
_COLLECTION_TAGS = (None, "!", "tag:yaml.org,2002:map", "tag:yaml.org,2002:seq")


def read_yaml(text: str, file: str, findings: list[Finding]) -> Iterator[Document]:
    """The documents of a YAML text; adds findings as they turn up, and ends where it cannot go on."""
    builder = Builder(file, findings)
    loader = _Loader(text)
    try:
        while loader.check_event():
            event = loader.get_event()
            _take(event, builder)
            if isinstance(event, yaml.DocumentEndEvent) and builder.result is not None:
                data, spot = builder.result
                yield Document(data, spot, file)
                builder = Builder(file, findings)
    except Unreadable as stop:
        findings.append(stop.finding)
    except yaml.YAMLError as error:
        findings.append(_not_yaml(error, text, builder))
    finally:
        loader.dispose()


def _take(event: Any, builder: Builder) -> None:
    kind = type(event)
    if kind is yaml.ScalarEvent:
        at = place(event.start_mark.line + 1, event.start_mark.column + 1)
        if builder.wants_key():
            _key(event, at, builder)
        else:
            builder.scalar(_value(event, at, builder), at, event.anchor)
    elif kind is yaml.MappingStartEvent or kind is yaml.SequenceStartEvent:
        at = place(event.start_mark.line + 1, event.start_mark.column + 1)
        if event.tag not in _COLLECTION_TAGS:
            _bad_tag(event, at, builder)
        builder.begin("map" if kind is yaml.MappingStartEvent else "list", at, event.anchor)
    elif kind is yaml.MappingEndEvent or kind is yaml.SequenceEndEvent:
        builder.end()
    elif kind is yaml.AliasEvent:
        builder.alias(event.anchor, place(event.start_mark.line + 1, event.start_mark.column + 1))


def _key(event: Any, at: int, builder: Builder) -> None:
    text: str = event.value
    if event.anchor is not None:
        builder.anchors[event.anchor] = (text, (at, 0, None), 1)
    if not event.implicit[0] or event.tag is not None:
        builder.key(text, at)
    elif text == "<<":
        builder.merge_key(at)
    elif text in _CONSTANTS or _INTEGER.match(text) or _FLOAT.match(text):
        shown = text or "(empty)"
        builder.bad_key("BadKey", f"the key {shown} is no text; write it in quotes", at)
    else:
        builder.key(text, at)
        _warn_kubectl(text, at, builder, "key")


def _value(event: Any, at: int, builder: Builder) -> Any:
    text: str = event.value
    if event.tag is not None:
        return _tagged(event, at, builder)
    if not event.implicit[0]:
        return text
    return _plain(text, at, builder)


def _plain(text: str, at: int, builder: Builder) -> Any:
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if text[0] not in "+-.0123456789":
        _warn_kubectl(text, at, builder, "value")
        return text
    if _INTEGER.match(text) or _BASED.match(text):
        if _KUBECTL_OCTAL.match(text):
            _warn(text, "an octal number", at, builder, "value")
        return _integer(text, at, builder)
    if _FLOAT.match(text):
        number = float(text)
        if math.isfinite(number):
            return number
    elif not _NO_NUMBER.match(text):
        _warn_kubectl(text, at, builder, "value")
        return text
    builder.say("NotJSON", f"{text} is no JSON number; expected a finite number, or text in quotes", at)
    return 0


def _integer(text: str, at: int, builder: Builder) -> int:
    # Python refuses to read more than 4,300 digits; 64 bits have 19, or 63 in the smallest base.
    number = INT64_MAX + 1 if len(text) > 70 else int(text, {"0o": 8, "0x": 16}.get(text[:2], 10))
    if INT64_MIN <= number <= INT64_MAX:
        return number
    shown = text if len(text) <= 40 else text[:37] + "..."
    builder.say("NumberTooLarge", f"{shown} does not fit into 64 bits; write it as text, in quotes", at)
    return 0


def _tagged(event: Any, at: int, builder: Builder) -> Any:
    if event.tag in _TEXT_TAGS:
        return event.value
    wanted = _TAGS.get(event.tag)
    if wanted is None:
        _bad_tag(event, at, builder)
        return event.value
    value = _plain(event.value, at, builder)
    if wanted is float and type(value) is int:
        return float(value)
    if type(value) is not wanted:
        tag = event.tag.removeprefix("tag:yaml.org,2002:")
        builder.say("BadTag", f"{event.value!r} does not fit its tag !!{tag}; leave the tag out", at)
    return value


def _bad_tag(event: Any, at: int, builder: Builder) -> None:
    tag = event.tag.replace("tag:yaml.org,2002:", "!!")
    builder.say(
        "BadTag", f"the tag {tag} is not known here; expected plain text, numbers, lists and objects", at
    )


def _warn_kubectl(text: str, at: int, builder: Builder, role: str) -> None:
    if text in _KUBECTL_BOOLEAN:
        _warn(text, "a boolean", at, builder, role)
    elif text[0] in "+-.0123456789" and _KUBECTL_NUMBER.match(text.replace("_", "")):
        _warn(text, "a number", at, builder, role)


def _warn(text: str, other: str, at: int, builder: Builder, role: str) -> None:
    message = (
        f"the {role} {text} is {other} for kubectl, which reads YAML 1.1; write it in quotes, or otherwise"
    )
    builder.say("AmbiguousYAML", message, at, "warning")


def _not_yaml(error: yaml.YAMLError, text: str, builder: Builder) -> Finding:
    if not isinstance(error, yaml.MarkedYAMLError):
        return builder.finding("BadYAML", "the text is no YAML; expected a manifest", place(1, 1))
    problem = str(error.problem)
    # What never ends is told where it began.
    mark = (error.context_mark if "end of stream" in problem else None) or error.problem_mark
    line, column = (mark.line, mark.column) if mark is not None else (0, 0)
    lines = text.split("\n")
    before = lines[line][: column + 1] if line < len(lines) else ""
    if "\t" in before and not before[:-1].strip(" \t-"):
        column = before.index("\t")
        message = "a tab stands where YAML wants spaces; indent with spaces"
    elif "cannot start any token" in problem:
        message = f"{before[-1:]!r} cannot begin a value in YAML; write the value in quotes"
    elif "mapping values are not allowed" in problem:
        message = (
            "a colon and a space stand inside a value; write the value in quotes, or check the indentation"
        )
    else:
        context = f" {error.context}" if error.context else ""
        message = f"the text is no YAML: {problem}{context}; expected a manifest"
    return builder.finding("BadYAML", message, place(line + 1, column + 1))
