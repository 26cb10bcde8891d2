"""Random acyclic workflows for property tests and simulations."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from fairlead.model.manifests import WorkflowSpec, parse_spec

INPUTS = st.fixed_dictionaries({"flag": st.booleans(), "n": st.integers(0, 8)})


@st.composite
def kinds(draw: st.DrawFn, index: int) -> dict[str, Any]:
    """The kind of a node and the policies that go with it."""
    kind = draw(st.sampled_from(["run", "run", "set", "log", "if", "switch"]))
    if kind == "run":
        node: dict[str, Any] = {"run": {"sh": "true"}, "store": {f"v{index}": "${outputs.n}"}}
        if draw(st.booleans()):
            node["retry"] = {"maxAttempts": draw(st.integers(1, 3)), "initialDelay": "1s"}
        if draw(st.booleans()):
            node["timeout"] = "30s"
        return node
    if kind == "set":
        return {"set": {f"v{index}": index}}
    if kind == "log":
        return {"log": {"message": "at ${now}"}}
    if kind == "if":
        return {"if": draw(st.sampled_from(["true", "false", "inputs.flag", "inputs.missing"]))}
    return {
        "switch": {
            "value": "${inputs.n}",
            "cases": [{"name": "one", "equals": 1}, {"name": "big", "when": "inputs.n > 5"}],
        }
    }


def ports(node: dict[str, Any]) -> list[str]:
    """The ports that connections may leave from."""
    if "if" in node:
        return ["true", "false", "failed", "ended"]
    if "switch" in node:
        return ["one", "big", "default", "failed", "ended"]
    return ["done", "done", "failed", "ended"]


@st.composite
def workflows(draw: st.DrawFn) -> WorkflowSpec:
    """A random acyclic workflow."""
    count = draw(st.integers(1, 9))
    nodes: list[dict[str, Any]] = []
    connections: dict[tuple[str, str], dict[str, Any]] = {}
    for index in range(count):
        node = {"name": f"n{index}", **draw(kinds(index))}
        sources = draw(st.lists(st.integers(0, index - 1), max_size=3, unique=True)) if index else []
        for source in sources:
            port = draw(st.sampled_from(ports(nodes[source])))
            edge: dict[str, Any] = {"from": f"n{source}.{port}", "to": f"n{index}"}
            if draw(st.integers(0, 4)) == 0:
                edge["when"] = draw(
                    st.sampled_from(["true", "false", "inputs.n > 2", "outputs.nothing == 1"])
                )
            connections[edge["from"], edge["to"]] = edge
        if len(sources) > 1:
            node["join"] = draw(st.sampled_from(["all", "any", {"atLeast": 2}]))
        if draw(st.integers(0, 5)) == 0:
            node["onError"] = "continue"
        if draw(st.integers(0, 6)) == 0 and "if" not in node and "switch" not in node:
            node["when"] = draw(st.sampled_from(["true", "false", "inputs.missing > 1"]))
        nodes.append(node)
    if count > 2 and "run" in nodes[-2] and draw(st.booleans()):
        nodes.append({"name": "spare", "run": {"sh": "true"}})
        nodes[-3]["fallback"] = "spare"
    if draw(st.integers(0, 5)) == 0:
        nodes.append(
            {
                "name": "stop",
                "after": ["n0.ended"],
                "finish": {"result": draw(st.sampled_from(["done", "failed"]))},
            }
        )
    spec: dict[str, Any] = {
        "nodes": nodes,
        "connections": list(connections.values()),
        "failFast": draw(st.booleans()),
        "outputs": {f"n{i}": f"${{nodes.n{i}.status}}" for i in range(count)},
    }
    if draw(st.booleans()):
        spec["finally"] = [
            {"name": "f0", "run": {"sh": "true"}},
            {"name": "f1", "after": ["f0.ended"], "set": {"f": 1}},
        ]
    if draw(st.booleans()):
        spec["concurrency"] = {"maxNodes": draw(st.integers(1, 3))}
    if draw(st.integers(0, 3)) == 0:
        spec["timeout"] = "2m"
    return parse_spec(WorkflowSpec, spec)
