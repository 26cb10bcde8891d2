"""From what the CEL runtime says to one sentence that an author can act on.

`syntax_error` is for texts that do not compile, `runtime_message` for evaluations that failed. The runtime's own words are
kept where nothing better is known, without its status codes, its picture of the source and its internal names.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any

from fairlead.engine.expressions import foreign
from fairlead.engine.expressions.errors import ExpressionSyntaxError, cut
from fairlead.engine.expressions.limits import ITERATIONS
from fairlead.engine.expressions.syntax import Type
from fairlead.engine.expressions.values import MISSING, follow

_ERROR = re.compile(r"ERROR: <input>:(-?\d+):(-?\d+): (.*)")
_AFTERMATH = "<<nil>> parsetree"
"""What the runtime adds where it lost track after another error, which it tells too."""
_STATUS = re.compile(r"^[A-Z_]{4,}: ")
_UNDECLARED = re.compile(r"undeclared reference to '([^']*)'")
_OVERLOAD = re.compile(r"found no matching overload for '([^']*)' applied to '(.*)'$")
_RUNTIME_OVERLOAD = re.compile(r"No matching overloads found : (.*)$")
_MISSING_KEY = re.compile(r"Key not found in map : (.*)$")

OPERATORS = {
    "_+_": "+", "_-_": "-", "_*_": "*", "_/_": "/", "_%_": "%", "_<_": "<", "_<=_": "<=", "_>_": ">", "_>=_": ">=",
    "_==_": "==", "_!=_": "!=", "_&&_": "&&", "_||_": "||", "!_": "!", "-_": "-", "@in": "in", "_in_": "in",
    "_?_:_": "?:", "_[_]": "[]", "_[?_]": "[?]", "_?._": ".?",
}  # fmt: skip
_COMPARISONS = {"_<_", "_<=_", "_>_", "_>=_", "_==_", "_!=_"}
_ARITHMETIC = {"_+_", "_-_", "_*_", "_/_", "_%_"}
_TYPES = {"int64": "int", "uint64": "uint", "null_type": "null", "*opaque*": "optional"}


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that a misspelt one most likely means."""
    found = difflib.get_close_matches(name, sorted(known), n=1, cutoff=0.6 if len(name) < 6 else 0.7)
    return found[0] if found else None


def did_you_mean(suggestion: str | None, known: Iterable[str]) -> str:
    """The end of a sentence about an unknown name."""
    return f"did you mean {suggestion!r}?" if suggestion else f"expected one of {', '.join(sorted(known))}"


def offset_at(source: str, line: int, column: int) -> int:
    """The character offset of a 1-based line and column."""
    if line < 1:
        return 0
    lines = source.split("\n")
    return min(len(source), sum(len(each) + 1 for each in lines[: line - 1]) + max(0, column - 1))


def syntax_errors(
    source: str, said: str, roots: frozenset[str], functions: frozenset[str]
) -> list[ExpressionSyntaxError]:
    """All that the runtime found wrong with a text, at least one error."""
    found: list[ExpressionSyntaxError] = []
    if "recursion" in said:
        message = "the expression is nested too deeply: more than 32 levels, where each operator of a chain counts as one"
        return [ExpressionSyntaxError(message, source)]
    for line, column, text in _ERROR.findall(said):
        if text.startswith(_AFTERMATH):
            continue
        offset = offset_at(source, int(line), int(column))
        elsewhere = foreign.operator_of(text.removeprefix("Syntax error: "))
        if elsewhere is not None:
            return [*found, ExpressionSyntaxError(elsewhere, source, offset)]  # what follows are echoes
        error = _compile_error(source, offset, text.removesuffix(" [INVALID_ARGUMENT]"), roots, functions)
        if not any(error.offset == each.offset and error.reason == each.reason for each in found):
            found.append(error)
    if not found and _AFTERMATH in said:
        return [ExpressionSyntaxError("the expression cannot be read as CEL", source)]
    return found or [ExpressionSyntaxError(_plain(said), source)]


def _compile_error(
    source: str, offset: int, text: str, roots: frozenset[str], functions: frozenset[str]
) -> ExpressionSyntaxError:
    undeclared = _UNDECLARED.search(text)
    if undeclared:
        return _undeclared(source, offset, undeclared.group(1), roots, functions)
    overload = _OVERLOAD.search(text)
    if overload:
        return ExpressionSyntaxError(
            overload_message(overload.group(1), overload.group(2)[1:-1]),
            source,
            offset,
            reason="TypeMismatch",
        )
    text = re.sub(r"expecting \{.*\}", "expected a value", text.removeprefix("Syntax error: "))
    text = text.replace("mismatched input '<EOF>'", "the expression ends too early:").replace("  ", " ")
    text = re.sub(r"^(mismatched|extraneous) input ('[^']*')", r"\2 does not fit here:", text)
    text = text.replace("expecting <EOF>", "expected the end of the expression")
    reserved = re.search(r"reserved identifier: (\w+)", text)
    if reserved:
        text = f"{reserved.group(1)!r} is a reserved word of CEL" + (
            "; the scope name for loops is 'pass'" if reserved.group(1) == "loop" else ""
        )
    return ExpressionSyntaxError(text, source, offset)


def _undeclared(
    source: str, offset: int, name: str, roots: frozenset[str], functions: frozenset[str]
) -> ExpressionSyntaxError:
    root = name.lstrip(".").split(".")[0]
    is_call = source[offset : offset + 1] == "(" or (
        source[offset : offset + 1] == "."
        and re.match(r"\.\s*\w+\s*\(", source[offset:]) is not None
        and "." not in name
    )
    if is_call and name in functions:
        message = f"{name!r} cannot be called like this; look at its arguments, and whether it is {name}(x) or x.{name}()"
        return ExpressionSyntaxError(message, source, offset, reason="TypeMismatch", name=name)
    if is_call:
        ours, suggestion = foreign.function_of(name), nearest(root, functions)
        hint = (
            f"CEL says {ours}"
            if ours
            else f"did you mean {suggestion!r}?"
            if suggestion
            else "expected one of CEL's, or of our list functions such as sum()"
        )
        message = f"there is no function {name!r}; {hint}"
        return ExpressionSyntaxError(
            message, source, offset, reason="UnknownFunction", name=name, suggestion=suggestion
        )
    # For `foo.bar` the runtime points at a dot: the name begins before it.
    start = source.rfind(root, 0, offset + len(root)) if not source.startswith(root, offset) else offset
    start = start if start >= 0 else offset
    before = source[:start].rstrip()
    dashed = re.search(r"((?:nodes|vars|inputs|outputs)[\w.]*)\s*-$", before)
    if dashed:
        whole = f"{dashed.group(1)}_{root}"
        message = f"there is no name {root!r}; a dash in a name is an underscore here: write {whole}"
        return ExpressionSyntaxError(
            message, source, start, reason="UnknownName", name=root, suggestion=whole
        )
    suggestion = foreign.name_of(root) or nearest(root, roots)
    message = f"there is no name {root!r}; {did_you_mean(suggestion, roots)}"
    return ExpressionSyntaxError(
        message, source, start, reason="UnknownName", name=root, suggestion=suggestion
    )


def overload_message(function: str, applied: str, write: str = "") -> str:
    """The sentence for an operator or function that does not take what it was given; `write` is what mends a mix of numbers."""
    given = [_type_words(each) for each in split_types(applied)]
    if function in _ARITHMETIC and set(given) == {"int", "double"}:
        side, written = ("left", "double(...) {} …") if given[0] == "int" else ("right", "… {} double(...)")
        op = OPERATORS[function]
        where = (
            f"write {write}" if write else f"write double(...) around the {side} side ({written.format(op)})"
        )
        return (
            f"{op!r} was given {a_type(given[0])} and {a_type(given[1])}, and CEL does not mix them: {where}, or say "
            "`type: number` in the value's schema"
        )
    if function in _COMPARISONS and set(given) <= {"int", "uint", "double"}:
        return f"{OPERATORS[function]!r} compares numbers of different kinds only where one is a literal: write double(...)"
    if function in OPERATORS:
        return f"{OPERATORS[function]!r} does not take {_and(given)}"
    return f"{function}() does not take {_and(given) if given else 'no arguments'}"


def _type_words(said: str) -> str:
    """A type as the runtime writes it, in the words of these messages."""
    said = re.sub(r"optional_type\(.*\)", "optional", re.sub(r"\(T%\d+\)", "", said))
    return _TYPES.get(said, said)


def _and(given: list[str]) -> str:
    return " and ".join(given) if len(given) < 3 else ", ".join(given[:-1]) + " and " + given[-1]


def split_types(text: str) -> list[str]:
    """The types of a list such as `int, map(string, int)`, split at the outer commas."""
    out, depth, start = [], 0, 0
    for position, char in enumerate(text):
        depth += (char in "(<") - (char in ")>")
        if char == "," and depth == 0:
            out.append(text[start:position].strip())
            start = position + 1
    last = text[start:].strip()
    return [*out, last] if last else out


def _plain(said: str) -> str:
    text = _STATUS.sub("", said.strip())
    text = re.sub(r" \[[A-Z_]+\]$", "", text)
    return text.split("\n")[0]


def is_iteration_limit(said: str) -> bool:
    """True for the runtime's own limit on iterations."""
    return "Iteration budget exceeded" in said


ITERATION_MESSAGE = (
    f"its comprehensions together walk more than {ITERATIONS} elements; use our list functions (pluck, groupBy, zip, …) in place "
    "of nested comprehensions, or do it in a `run` node"
)


def missing_key(said: str, reads: Iterable[tuple[str, ...]], scope: Mapping[str, Any]) -> str | None:
    """The sentence for a key that is not there, if it is a step of a path that was read: it names the map and what is in it."""
    missing = _MISSING_KEY.search(said)
    key = missing.group(1).strip('"') if missing else None
    for path in reads:
        for index, step in enumerate(path):
            if index == 0 or step != key or follow(scope, path[: index + 1]) is not MISSING:
                continue
            place = follow(scope, path[:index])
            if not isinstance(place, Mapping):
                break
            names = [str(name) for name in islice(place, _NAMES_LOOKED_AT)]
            known = nearest(key, names)
            has = (
                f"did you mean {known!r}?"
                if known
                else f"it has {cut(', '.join(names), 100)}"
                if names
                else "it is empty"
            )
            return f"{'.'.join(path[:index])} has no key {key!r} ({has}); guard it with has(...) or write .?{key}.orValue(...)"
    return None


_NAMES_LOOKED_AT = 1_000


def runtime_message(said: str, source: str) -> str:
    """The sentence for what the runtime said of an evaluation of `source`."""
    text = _plain(said)
    missing = _MISSING_KEY.search(said)
    if missing:
        return f"there is no key {missing.group(1)}; guard it with has(...) or write .?name.orValue(...)"
    overload = _RUNTIME_OVERLOAD.search(text)
    if overload:
        return _runtime_overload(overload.group(1), source)
    unbound = re.search(r'No value with name "(.*)" found', text)
    if unbound:
        return f"{unbound.group(1)!r} has no value here"
    index = re.search(r"Index error: index=(-?\d+) size=(\d+)", text)
    if index:
        return f"index {index.group(1)} is outside of a list of {index.group(2)} elements"
    container = re.search(r"Invalid container type: '(\w+)'", text)
    if container:
        kind = a_type(_TYPES.get(container.group(1), container.group(1)))
        return f"brackets need a list or a map before them, not {kind}"
    if "Unable to convert function return value" in text:
        return "its result is no JSON value"
    if "SELECT to non-message" in text:
        return "a name after a dot needs a map, but what stands before the dot is none"
    return text


def mixed(said: str, write: str) -> str | None:
    """The sentence for an int that met a double where it is known what to write instead."""
    found = _RUNTIME_OVERLOAD.search(_plain(said))
    call = re.fullmatch(r"([^()]+)\((.*)\)", found.group(1)) if found else None
    return overload_message(call.group(1), call.group(2), write) if call else None


def _runtime_overload(text: str, source: str) -> str:
    member = re.fullmatch(r"\((.*?)\)\.(\w+)\((.*)\)", text)
    if member:
        target, name, rest = member.groups()
        given = [_TYPES.get(each, each) for each in split_types(rest)]
        target = _TYPES.get(target, target)
        return f".{name}({', '.join(given)}) is not something that a {target} has"
    call = re.fullmatch(r"([^()]+)\((.*)\)", text)
    if call and call.group(1) == "size" and "size" not in source:
        # The guard of a comprehension asks for the size of what it walks.
        kind = _TYPES.get(call.group(2), call.group(2))
        return f"a comprehension such as map() or filter() needs a list or a map, not {a_type(kind)}"
    if call:
        return overload_message(call.group(1), call.group(2))
    if "iter_range" in text:
        return "a comprehension such as map() or filter() needs a list or a map"
    if "jump_condition" in text:
        return "the condition before '?' must be true or false"
    if text.strip() in OPERATORS:
        op = text.strip()
        return (
            f"{OPERATORS[op]!r} needs true or false on both sides"
            if op in ("_&&_", "_||_")
            else f"{OPERATORS[op]!r} does not take these types"
        )
    return f"no operator or function takes these types: {text}"


def a_type(kind: Type) -> str:
    """A type in words: `an int`, `a list of string`."""
    if isinstance(kind, str):
        return ("an " if kind[0] in "aeio" else "a ") + kind if kind not in ("dyn", "null") else kind
    if kind[0] == "list":
        return f"a list of {kind[1]}" if isinstance(kind[1], str) else "a list"
    return ("an " if kind[0] == "optional" else "a ") + str(kind[0])


def a_kind(words: str) -> str:
    """Kinds in words with an article: `an int`, `a list or null`."""
    return words if words in ("null", "anything") else ("an " if words[0] in "aeio" else "a ") + words
