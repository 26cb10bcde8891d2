"""Where in its text an evaluation failed.

The runtime says what went wrong and never where. Often only one place can be meant: the one division of an expression that
divided by zero, the one `*` that met an int and a double. Rule of this file: one candidate is a place, two are none.
"""

from __future__ import annotations

import re

from fairlead.engine.expressions.reads import static_path
from fairlead.engine.expressions.syntax import Call, Const, Node, Select, walk
from fairlead.engine.expressions.trees import Tree

_OVERLOAD = re.compile(r"No matching overloads found : (?:\(.*\)\.)?([^\s()]+)")
_MIXED = re.compile(r"No matching overloads found : _[-+*/%]_\((int64, double|double, int64)\)")
_KEY = re.compile(r'Key not found in map : "(.*)"')


def culprit(said: str, tree: Tree) -> Node | None:
    """The only node that can have failed with what the runtime said."""
    found: list[Node] = []
    key = _KEY.search(said)
    overload = _OVERLOAD.search(said)
    if key:
        found = [
            each
            for each in walk(tree.root)
            if isinstance(each, Select) and each.field == key.group(1) and not each.test
        ]
    elif overload:
        found = _calls(tree, overload.group(1))
    elif "divide by zero" in said:
        found = _calls(tree, "_/_")
    elif "modulus by zero" in said:
        found = _calls(tree, "_%_")
    elif "Index error" in said:
        found = _calls(tree, "_[_]")
    return found[0] if len(found) == 1 else None


def _calls(tree: Tree, function: str) -> list[Node]:
    return [each for each in walk(tree.root) if isinstance(each, Call) and each.function == function]


def int_beside_a_double(said: str, node: Node | None) -> str | None:
    """What to write where an int met a double, if that is known: `double(inputs.n)`, or `2.0` for a literal."""
    mixed = _MIXED.search(said)
    if mixed is None or not isinstance(node, Call) or len(node.args) != 2:
        return None
    operand = node.args[0 if mixed.group(1).startswith("int64") else 1]
    if isinstance(operand, Const):
        return f"{operand.value}.0"
    path = static_path(operand)
    return f"double({'.'.join(path)})" if path else None
