"""Views that several tests of the renderers draw."""

from __future__ import annotations

from fairlead.apps.views.graphs import GraphEdge, GraphGroup, GraphNode, GraphView

HOSTILE = '</text><script>alert("1")</script> & \x1b[31m \u202e %%{init: {}}%% `md` #quot; "; \\N\n--> x'


def chain(count: int, kind: str = "run") -> GraphView:
    """n0 -> n1 -> ..."""
    nodes = [GraphNode(f"n{i}", f"node-{i}", kind) for i in range(count)]
    return GraphView("chain", nodes, [GraphEdge(f"n{i}", None, f"n{i + 1}") for i in range(count - 1)])


def fan(count: int) -> GraphView:
    """One node, `count` alike ones, a join."""
    middle = [GraphNode(f"m{i}", f"m{i}", "run") for i in range(count)]
    nodes = [GraphNode("split", "split", "set"), *middle, GraphNode("join", "join", "log")]
    out = [GraphEdge("split", None, node.id) for node in middle]
    return GraphView("fan", nodes, [*out, *(GraphEdge(node.id, None, "join") for node in middle)])


def order() -> GraphView:
    """A bit of everything: ports, a join, a body, branches, a loopback, a finally block, states."""
    nodes = [
        GraphNode("reserve", "reserve", "run", "Succeeded", "2 attempts"),
        GraphNode("big", "big", "if", "Succeeded"),
        GraphNode("sign-off", "sign-off", "approval", "Waiting"),
        GraphNode("charge", "charge", "run", "Pending"),
        GraphNode("refused", "refused", "finish", "Pending"),
        GraphNode("lines", "lines", "forEach", "Running"),
        GraphNode("pack", "pack", "run", "Running", group="lines"),
        GraphNode("label", "label", "http", "Failed", group="lines"),
        GraphNode("par", "par", "parallel", "Pending"),
        GraphNode("eu", "to-eu", "run", "Pending", group="par.eu"),
        GraphNode("cleanup", "cleanup", "run", "Pending", group="finally"),
    ]
    edges = [
        GraphEdge("reserve", None, "big", state="taken"),
        GraphEdge("big", "true", "sign-off", state="taken"),
        GraphEdge("big", "false", "charge", state="dead"),
        GraphEdge("sign-off", "approved", "charge", state="open"),
        GraphEdge("sign-off", "rejected", "refused", state="open"),
        GraphEdge("charge", None, "lines", when="inputs.n > 3", state="open"),
        GraphEdge("pack", None, "label"),
        GraphEdge("label", "failed", "pack", loopback=True),
        GraphEdge("charge", None, "par", state="open"),
    ]
    return GraphView(
        "order", nodes, edges, [GraphGroup("par.eu", "eu", "par"), GraphGroup("finally", "finally")]
    )


def hostile() -> GraphView:
    """Every text that a user may write tries to break out."""
    nodes = [
        GraphNode("a", HOSTILE, "switch", "Running", HOSTILE),
        GraphNode("b", HOSTILE, HOSTILE, group="a"),
        GraphNode("c", HOSTILE, "run"),
    ]
    return GraphView(HOSTILE, nodes, [GraphEdge("a", HOSTILE, "c", HOSTILE)], [GraphGroup("g", HOSTILE, "a")])
