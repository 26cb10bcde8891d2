"""Random workflows for property tests and simulations; loopbacks are the only cycles."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st

from fairlead.model.manifests import Definition, WorkflowSpec, parse_spec

INPUTS = st.fixed_dictionaries({"flag": st.booleans(), "n": st.integers(0, 8)})


@st.composite
def bodies(draw: st.DrawFn, name: str) -> dict[str, Any]:
    """A small body: one node, two side by side, or one after the other; the last may be a container once more."""
    nodes: list[dict[str, Any]] = [{"name": f"{name}a", **draw(st.sampled_from(BODY_NODES))}]
    for letter in draw(st.sampled_from(["", "b", "bc"])):
        node = {"name": name + letter, **draw(st.sampled_from(BODY_NODES))}
        if draw(st.booleans()):
            node["after"] = [nodes[-1]["name"] + draw(st.sampled_from(["", ".failed", ".ended"]))]
        nodes.append(node)
    if len(name) < 5 and draw(st.integers(0, 2)) == 0:
        kind = draw(st.sampled_from(["forEach", "forEach", "while", "parallel"]))
        after = {"after": nodes[-1]["after"]} if "after" in nodes[-1] else {}
        nodes[-1] = {"name": nodes[-1]["name"], **draw(containers(0, kind, name + "i")), **after}
    elif not name.startswith("w") and draw(st.integers(0, 3)) == 0:
        after = {"after": nodes[-1]["after"]} if "after" in nodes[-1] else {}
        nodes[-1] = {"name": nodes[-1]["name"], **draw(st.sampled_from(INLINED)), **after}
    if draw(st.integers(0, 3)) == 0:
        spare = (
            draw(st.sampled_from(BODY_NODES if name.startswith("w") else [*BODY_NODES, *INLINED]))
            if len(name) > 4 or draw(st.booleans())
            else draw(containers(0, "forEach", name + "s"))
        )
        nodes[0]["fallback"] = f"{name}spare"
        nodes.append({"name": f"{name}spare", **spare})
    body: dict[str, Any] = {"nodes": nodes}
    if draw(st.integers(0, 2)) == 0:
        body["connections"] = draw(loopbacks(nodes, []))
    return body


@st.composite
def loopbacks(
    draw: st.DrawFn, nodes: list[dict[str, Any]], forward: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Up to three connections that close loops with one way in, which nest or have nothing in common."""
    loops = list(repeatable(nodes, forward))
    chosen: list[dict[str, Any]] = []
    regions: list[set[str]] = []
    named = {node["name"]: node for node in nodes}
    for _ in range(draw(st.integers(0, 3)) if loops else 0):
        first, last, region = draw(st.sampled_from(loops))
        edge: dict[str, Any] = {"from": f"{last}.{draw(st.sampled_from(ports(named[last])))}", "to": first}
        overlapping = any(region & other and not (region <= other or other <= region) for other in regions)
        known = any((edge["from"], first) == (other["from"], other["to"]) for other in chosen)
        if overlapping or known:
            continue
        edge["loopback"] = {"maxIterations": draw(st.integers(1, 3))}
        if draw(st.booleans()):
            edge["when"] = draw(
                st.sampled_from(["pass.index < 1", "pass.index != 1", "outputs.nothing == 1"])
            )
        chosen.append(edge)
        regions.append(region)
    return chosen


def repeatable(
    nodes: list[dict[str, Any]], forward: list[dict[str, Any]]
) -> Iterator[tuple[str, str, set[str]]]:
    """The pairs of nodes between which a loop with one way in could run, and what it would repeat."""
    fallbacks = {node["fallback"] for node in nodes if "fallback" in node}
    names = [node["name"] for node in nodes if node["name"] not in fallbacks and "finish" not in node]
    edges = {(edge["from"].partition(".")[0], edge["to"]) for edge in forward}
    for node in nodes:
        edges |= {(source.partition(".")[0], node["name"]) for source in node.get("after", ())}
    reach = {name: {name} for name in (node["name"] for node in nodes)}
    for _ in nodes:
        for source, target in edges:
            reach[source] |= reach[target]
    for first in names:
        for last in names:
            region = {name for name in reach[first] if last in reach[name]}
            ways_in = {
                target for source, target in edges if source not in region and target in region - {first}
            }
            if region and not ways_in:
                yield first, last, region


INLINED: list[dict[str, Any]] = [
    {"workflow": {"name": "w0", "inline": True, "inputs": {"n": "${inputs.n}"}}},
    {
        "workflow": {"name": "w0", "inline": True, "inputs": {"n": 3}},
        "timeout": "40s",
        "retry": {"maxAttempts": 2, "initialDelay": "1s"},
    },
    {"workflow": {"name": "w1", "inline": True}},
    {"workflow": {"name": "w1", "inline": True, "inputs": {"n": "${inputs.flag}"}}, "timeout": "25s"},
]
"""Nodes that inline a shared workflow; the last one's inputs do not fit."""


@st.composite
def shared(draw: st.DrawFn) -> dict[str, Any]:
    """Two workflows to be inlined, the second of which may inline the first, with finish and finally of all sorts."""
    schema = {"type": "object", "properties": {"n": {"type": "integer", "default": 1}}}
    found: dict[str, Any] = {}
    for name in ("w0", "w1"):
        body = draw(bodies(f"{name}x"))
        nodes = [{"name": "first", "set": {"v": "${vars.v + inputs.n}"}}, *body["nodes"]]
        if name == "w1" and draw(st.booleans()):
            nodes.append({"name": "deep", **draw(st.sampled_from(INLINED[:2]))})
        if draw(st.integers(0, 2)) == 0:
            result = draw(st.sampled_from(["enough", "failed"]))
            nodes.append({"name": "stop", "after": [f"{name}xa.ended"], "finish": {"result": result}})
        spec: dict[str, Any] = {
            "inputs": schema,
            "variables": {"v": "${inputs.n}"},
            "computed": {"c": "vars.v + 1"},
            "defaults": {"retry": {"maxAttempts": 2, "initialDelay": "1s"}},
            "failFast": draw(st.booleans()),
            "nodes": nodes,
            "outputs": {"n": "${computed.c}", "a": f"${{nodes.{name}xa.outputs}}"},
            **draw(st.sampled_from([{}, {}, {"timeout": "50s"}])),
        }
        if draw(st.booleans()):
            spec["finally"] = [
                {"name": "undo", "run": {"sh": "true"}},
                {"name": "told", "after": ["undo.ended"], "log": {"message": "${execution.phase}"}},
                {"name": "late", "wait": {"for": "5s"}},
            ]
            spec["finallyTimeout"] = draw(st.sampled_from(["3s", "10m"]))
        found[name] = spec
    return found


BODY_NODES: list[dict[str, Any]] = [
    {"run": {"sh": "true"}},
    {"run": {"sh": "true"}, "retry": {"maxAttempts": 2, "initialDelay": "1s"}, "timeout": "30s"},
    {"run": {"sh": "true"}, "cache": {"key": "same", "ttl": "1m"}, "store": {"seen": "${outputs.n}"}},
    {"log": {"message": "in"}},
    {"log": {"message": "${inputs.missing}"}},
    {"wait": {"for": "5s"}},
    {"workflow": {"name": "other"}},
    {
        "workflow": {"name": "other", "inputs": {"n": "${inputs.n}"}},
        "retry": {"maxAttempts": 2},
        "timeout": "30s",
    },
]
"""Nodes of bodies."""

RETRIES: list[dict[str, Any]] = [
    {},
    {},
    {"retry": {"maxAttempts": 2, "initialDelay": "1s"}},
    {"retry": {"maxAttempts": 3, "backoff": "fixed", "initialDelay": "2s"}, "timeout": "40s"},
]
"""Policies of containers."""


CALLS: list[dict[str, Any]] = [
    {"workflow": {"name": "other", "inputs": {"n": "${inputs.n}"}}, "store": {"called": "${outputs.n}"}},
    {
        "workflow": {"name": "other${inputs.n}"},
        "timeout": "30s",
        "retry": {"maxAttempts": 3, "initialDelay": "1s"},
    },
    {"workflow": {"name": "other", "wait": False}},
]
"""Nodes that start executions."""


@st.composite
def containers(draw: st.DrawFn, index: int, kind: str, name: str = "") -> dict[str, Any]:
    """A while of few passes, a forEach of few items, or a parallel of two branches."""
    inner = name or f"x{index}"
    common: dict[str, Any] = draw(st.sampled_from([{"timeout": "40s"}, *RETRIES]))
    if kind == "while":
        return {
            "while": {"condition": f"pass.index < {draw(st.integers(0, 3))}", **draw(bodies(inner))},
            **common,
        }
    if kind == "forEach":
        loop = {
            "items": list(range(draw(st.integers(0, 3)))),
            "maxParallel": draw(st.integers(0, 2)),
            "onItemError": draw(st.sampled_from(["fail", "continue"])),
        }
        return {"forEach": {**loop, **draw(bodies(inner))}, **common}
    strategy = draw(st.sampled_from(["all", "any", "race", {"atLeast": 2}]))
    branches = [{"name": "left", **draw(bodies(f"{inner}l"))}, {"name": "right", **draw(bodies(f"{inner}r"))}]
    return {"parallel": {"strategy": strategy, "branches": branches}, **common}


@st.composite
def kinds(draw: st.DrawFn, index: int) -> dict[str, Any]:
    """The kind of a node and the policies that go with it."""
    plain = ["run", "run", "set", "log", "if", "switch", "wait"]
    kind = draw(st.sampled_from([*plain, "workflow", "inline", "while", "forEach", "parallel"]))
    if kind == "inline":
        return {
            **draw(st.sampled_from(INLINED)),
            **draw(st.sampled_from([{}, {"store": {f"v{index}": "${outputs}"}}])),
        }
    if kind == "wait":
        return {
            "wait": {
                "for": draw(st.sampled_from(["5s", "90s"])),
                **draw(st.sampled_from([{}, {"timeout": "20s"}])),
            }
        }
    if kind in ("while", "forEach", "parallel"):
        return draw(containers(index, kind))
    if kind == "workflow":
        return draw(st.sampled_from(CALLS))
    if kind == "run":
        node: dict[str, Any] = {"run": {"sh": "true"}, "store": {f"v{index}": "${outputs.n}"}}
        if draw(st.booleans()):
            node["retry"] = {"maxAttempts": draw(st.integers(1, 3)), "initialDelay": "1s"}
        if draw(st.booleans()):
            node["timeout"] = "30s"
        if draw(st.integers(0, 2)) == 0:
            node["cache"] = {"key": draw(st.sampled_from(["k", "${string(inputs.n)}", "${inputs.n}"]))}
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
    """A random workflow."""
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
    if count > 2 and not {"if", "switch"} & nodes[-2].keys() and draw(st.booleans()):
        spare = draw(st.sampled_from(["run", "while", "forEach", "parallel"]))
        nodes[-2]["fallback"] = "spare"
        kind = {"run": {"sh": "true"}} if spare == "run" else draw(containers(0, spare, "sp"))
        nodes.append({"name": "spare", **kind})
    if draw(st.integers(0, 5)) == 0:
        nodes.append(
            {
                "name": "stop",
                "after": ["n0.ended"],
                "finish": {"result": draw(st.sampled_from(["done", "failed"]))},
            }
        )
    forward = list(connections.values())
    spec: dict[str, Any] = {
        "nodes": nodes,
        "connections": forward + draw(loopbacks(nodes, forward)),
        "failFast": draw(st.booleans()),
        "outputs": {f"n{i}": f"${{nodes.n{i}.status}}" for i in range(count)},
    }
    if draw(st.booleans()):
        spec["finally"] = [
            {"name": "f0", "run": {"sh": "true"}},
            {"name": "f1", "after": ["f0.ended"], "set": {"f": 1}},
            *([{"name": "f2", **INLINED[1]}] if draw(st.integers(0, 2)) == 0 else []),
        ]
    if draw(st.booleans()):
        spec["concurrency"] = {"maxNodes": draw(st.integers(1, 3))}
    if draw(st.integers(0, 3)) == 0:
        spec["timeout"] = "2m"
    return parse_spec(Definition, {**spec, "workflows": draw(shared())})
