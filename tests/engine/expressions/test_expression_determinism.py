"""The same text, scope and seed give the same value, in this process and in any other."""

from __future__ import annotations

import subprocess
import sys

from fairlead.engine.expressions import compile_expression

SOURCES = [
    "inputs.map(k, k)",
    "inputs.filter(k, k != 'k3')",
    "{'b': 1, 'a': 2, 'd': 3, 'c': 4}",
    "{'b': 1, 'a': 2, 'd': 3, 'c': 4}.map(k, k)",
    'parseJson(\'{"b": 1, "a": 2, "c": 3}\').map(k, k)',
    "toJson(inputs)",
    "hash(inputs)",
    "inputs.map(k, {'k': k}).groupBy('k')",
    "[uuid(), uuid()]",
    "'%s'.format([toJson({'z': 1, 'y': 2, 'x': 3})])",
]
CHILD = """
import sys
from fairlead.engine.expressions import compile_expression
scope = {"inputs": {f"k{i}": i for i in (3, 1, 4, 0, 5, 9, 2, 6, 8, 7)}}
for source in sys.argv[1:]:
    print(compile_expression(source).evaluate(scope, "seed"))
"""


def test_other_processes_give_the_same_values():
    """CEL's maps have another order in each process; the values of expressions do not show it."""
    runs = {
        subprocess.run(
            [sys.executable, "-c", CHILD, *SOURCES],
            capture_output=True,
            text=True,
            check=True,
            env={"PYTHONPATH": ":".join(sys.path), "PYTHONHASHSEED": str(number)},
        ).stdout
        for number in range(3)
    }

    assert len(runs) == 1
    assert len(runs.pop().splitlines()) == len(SOURCES)


def test_ids_are_pinned():
    """A uuid and a hash stay what they are over releases: logs and caches depend on them."""
    assert (
        compile_expression("uuid()").evaluate({}, "execution/node/with")
        == "56cf75d7-59f1-818d-801b-7fcef5d5e5fd"
    )
    assert compile_expression("hash({'a': [1, 2.5, 'x', null]})").evaluate({}) == (
        "a4f988f6e6aa045f6c6982698f3125564fe2f1a9caf459d5947f046dd1237c05"
    )


def test_now_is_the_time_that_was_given():
    """`now` comes from the scope, never from a clock."""
    expression = compile_expression("now")

    assert expression.evaluate({"now": 0}) == "1970-01-01T00:00:00Z"
    assert expression.evaluate({"now": 1}) == "1970-01-01T00:00:00.000001Z"
