"""`computed` is evaluated when it is read, and again only when something that it reads has changed (semantics 34)."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support.driver import Driver

RUN = {"run": {"sh": "true"}}


class Counted:
    """A computed field that counts how often it is evaluated."""

    def __init__(self, expression: Any) -> None:
        self._expression = expression
        self.source, self.reads = expression.source, expression.reads
        self.times = 0

    def evaluate(self, *words: Any) -> Any:
        self.times += 1
        return self._expression.evaluate(*words)


def counted(
    computed: dict[str, str], *nodes: dict[str, Any], **spec: Any
) -> tuple[Driver, dict[str, Counted]]:
    """A run that has not begun, and its fields."""
    run = Driver({"nodes": list(nodes), "computed": computed, **spec}, check=False)
    fields = {name: Counted(expression) for name, expression in run.graph.computed.items()}
    run.graph.computed.update(fields)  # type: ignore[arg-type]
    return run, fields


def reader(name: str, *after: str, reads: str = "${computed.c}") -> dict[str, Any]:
    return {"name": name, "after": list(after), "log": {"message": reads}}


READS = [
    ("size(inputs.list)", "what never changes"),
    ("string(vars.x) + execution.uid", "a variable"),
    ("nodes.a.outputs.n + 1", "an output"),
    ("size(nodes.a.outputs)", "all outputs"),
    ("nodes.a.status + nodes.a.finishedAt", "a status and a time"),
    ("has(nodes.a.error) ? 1 : 2", "an error that is not there"),
    ("has(nodes.a.outputs.nothing) ? 1 : 2", "an output that is not there"),
    ("execution.startedAt + workflow.name", "the run itself"),
    ("size(execution) + size(workflow)", "all of the run"),
    ("computed.base * 2", "another field"),
]


@pytest.mark.parametrize("source", [source for source, _ in READS], ids=[name for _, name in READS])
def test_a_field_read_a_hundred_times_is_evaluated_once(source):
    """By nodes of the workflow, one after the other, as nothing that it reads changes."""
    readers = [reader(f"r{i}", f"r{i - 1}" if i else "a") for i in range(100)]
    run, fields = counted(
        {"c": source, "base": "size(inputs.list)"}, {"name": "a", **RUN}, *readers, variables={"x": 1}
    )
    run.create({"list": [1, 2]}).end("a", {"n": 1})

    run.check_ended()
    assert "Succeeded" == run.state.phase
    assert 1 == fields["c"].times


def test_a_failed_node_s_error_is_seen_once():
    """`nodes.X.error` is an object that is made anew for each reader; that alone is no change."""
    readers = [reader(f"r{i}", f"r{i - 1}" if i else "a.failed") for i in range(10)]
    run, fields = counted({"c": "size(nodes.a.error)"}, {"name": "a", **RUN}, *readers)
    run.create().fail("a")

    run.check_ended()
    assert ("Succeeded", 1) == (run.state.phase, fields["c"].times)


def test_items_of_a_loop_share_one_evaluation():
    """A field sees nothing of the body, so that a thousand items need it once."""
    body = [reader("show", reads="${computed.c} ${item}")]
    loop = {"name": "each", "after": ["a"], "forEach": {"items": "${range(1000)}", "nodes": body}}
    run, fields = counted({"c": "nodes.a.outputs.n"}, {"name": "a", **RUN}, loop)
    run.create().end("a", {"n": 1})

    run.check_ended()
    assert 1 == fields["c"].times


def test_a_pass_that_writes_what_it_reads_evaluates_again():
    """Once for each value that the variable has had."""
    body = [{"name": "step", "set": {"x": "${computed.c + 1}"}}, reader("see", "step")]
    loop = {"name": "loop", "while": {"condition": "pass.index < 5", "nodes": body}}
    run, fields = counted({"c": "vars.x"}, loop, reader("last", "loop"), variables={"x": 0})
    run.create()

    run.check_ended()
    assert 5 == run.state.variables["x"]
    assert 6 == fields["c"].times


def test_a_write_to_another_variable_is_no_change():
    """Neither is a write of the same value, as far as it can be told, nor an output of another node."""
    others = [{"name": f"w{i}", "after": [f"r{i}"], "set": {"y": i}} for i in range(9)]
    readers = [reader(f"r{i}", *([f"w{i - 1}"] if i else [])) for i in range(10)]
    run, fields = counted({"c": "vars.x"}, *readers, *others, variables={"x": 1, "y": 0})
    run.create()

    run.check_ended()
    assert 1 == fields["c"].times


def test_a_chain_is_evaluated_from_where_it_changed():
    """Of three fields that read each other, those behind the change."""
    fields = {"a": "vars.x", "b": "computed.a > 0", "c": "computed.b ? 1 : 2"}
    write = {"name": "w", "after": ["r"], "set": {"x": 7}}
    run, found = counted(fields, reader("r"), write, reader("s", "w"), variables={"x": 1})
    run.create()

    run.check_ended()
    assert {"a": 2, "b": 2, "c": 1} == {name: field.times for name, field in found.items()}


def test_a_field_that_nobody_reads_is_never_evaluated():
    """Not even one that would fail."""
    run, fields = counted({"c": "inputs.missing"}, {"name": "a", "set": {"x": 1}})
    run.create()

    run.check_ended()
    assert ("Succeeded", 0) == (run.state.phase, fields["c"].times)
