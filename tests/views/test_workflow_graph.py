"""A workflow and its execution as the view that the renderers draw."""

from __future__ import annotations

from tests.support.driver import Driver, spec_of

from fairlead.apps.views import nodes as node_views
from fairlead.apps.views.graphs import GraphGroup, to_dot, to_mermaid, to_svg, to_text
from fairlead.apps.views.workflow_graph import ended_by, graph_view, settled_by
from fairlead.engine.graph import compile_workflow
from fairlead.model.commands import AttemptHeld
from fairlead.model.times import SECOND

RUN = {"sh": "true"}


def view_of(**spec):
    return graph_view(compile_workflow(spec_of(**spec), "flow"), "flow")


def edges(view):
    return {(edge.source, edge.port, edge.target): edge for edge in view.edges}


def live_view(driver):
    return graph_view(driver.graph, "flow", driver.state, settled_by(driver.events))


def test_ports_are_named_where_they_need_telling_apart():
    """The first port goes without saying, but for kinds whose ports are choices; `after` and connections are alike."""
    view = view_of(
        nodes=[
            {"name": "a", "run": RUN},
            {"name": "b", "if": "true", "after": ["a"]},
            {"name": "c", "run": RUN, "after": ["b.true"]},
            {"name": "d", "run": RUN},
        ],
        connections=[
            {"from": "b.false", "to": "d"},
            {"from": "a.failed", "to": "d"},
            {"from": "c", "to": "d", "when": "outputs.x > 1"},
        ],
    )

    assert set(edges(view)) == {
        ("a", None, "b"),
        ("a", "failed", "d"),
        ("b", "true", "c"),
        ("b", "false", "d"),
        ("c", None, "d"),
    }
    assert edges(view)[("c", None, "d")].when == "outputs.x > 1"
    assert all(edge.state is None for edge in view.edges)
    assert all(node.status is None for node in view.nodes)


def test_bodies_and_branches_are_containers():
    """Nodes of a body stand in it, branches are frames, and so is `finally`; every renderer can draw it."""
    body = [{"name": "x", "run": RUN}, {"name": "y", "run": RUN, "after": ["x"]}]
    branch = [{"name": "z", "run": RUN}]
    view = view_of(
        nodes=[
            {"name": "w", "while": {"condition": "true", "nodes": body}},
            {"name": "p", "after": ["w"], "parallel": {"branches": [{"name": "one", "nodes": branch}]}},
        ],
        **{"finally": [{"name": "last", "run": RUN}]},
    )

    assert [(node.id, node.group) for node in view.nodes] == [
        ("w", None),
        ("w/x", "w"),
        ("w/y", "w"),
        ("p", None),
        ("p.one/z", "p.one"),
        ("last", "finally"),
    ]
    assert list(view.groups) == [GraphGroup("p.one", "one", "p"), GraphGroup("finally", "finally")]
    assert set(edges(view)) == {("w", None, "p"), ("w/x", None, "w/y")}
    assert all(draw(view) for draw in (to_dot, to_mermaid, to_svg, to_text))


def test_loopbacks_are_marked():
    """A connection that goes back says so."""
    view = view_of(
        nodes=[{"name": "a", "run": RUN}, {"name": "b", "if": "true", "after": ["a"]}],
        connections=[{"from": "b.false", "to": "a", "loopback": {"maxIterations": 3}}],
    )

    assert edges(view)[("b", "false", "a")].loopback
    assert not edges(view)[("a", None, "b")].loopback


def test_a_loop_shows_its_present_pass():
    """In a fresh pass its connections are open again; what has left it, and the loopback, stay taken; nodes tell the pass."""
    nodes = [
        {"name": "a", "run": RUN, "fallback": "f"},
        {"name": "b", "run": RUN, "after": ["a"]},
        {"name": "c", "run": RUN, "after": ["a"]},
        {"name": "f", "run": RUN},
    ]
    back = {"from": "b.failed", "to": "a", "loopback": {"maxIterations": 1}}
    driver = Driver({"nodes": nodes, "connections": [back]}).create().end("a").fail("b")

    view = live_view(driver)

    assert {edge.target: edge.state for edge in view.edges if edge.port != "fallback"} == {
        "a": "taken",
        "b": "open",
        "c": "taken",
    }
    assert [(node.id, node.status, node.detail) for node in view.nodes][:2] == [
        ("a", "Ready", "#1"),
        ("b", "Pending", "#1"),
    ]

    driver.fail("a#1").end("a#1/f").end("b#1").end("c")

    assert edges(live_view(driver))[("b", "failed", "a")].state == "taken"
    rows = node_views.rows(driver.graph, driver.state, driver.now)
    assert [row[0] for row in rows] == ["a#1", "a#1/f", "b#1", "c"]


def test_a_loopback_that_was_never_taken_is_dead_in_the_end():
    """No join counts it, so the log does not say so."""
    nodes = [{"name": "a", "run": RUN}]
    back = {"from": "a.failed", "to": "a", "loopback": {"maxIterations": 1}}
    driver = Driver({"nodes": nodes, "connections": [back]}).create()
    assert [edge.state for edge in live_view(driver).edges] == ["open"]

    driver.end("a")

    assert [edge.state for edge in live_view(driver).edges] == ["dead"]


def test_an_execution_shows_states_and_what_was_settled():
    """Statuses of nodes, taken and dead connections, and a remark on each node."""
    nodes = [
        {"name": "a", "run": RUN},
        {"name": "b", "if": "false", "after": ["a"]},
        {"name": "c", "run": RUN, "after": ["b.true"]},
        {"name": "d", "run": RUN, "after": ["b.false"]},
        {"name": "e", "run": RUN, "after": ["d"]},
    ]
    driver = Driver({"nodes": nodes}).create().started("a")
    driver.now += 3 * SECOND
    driver.end("a").started("d")

    view = live_view(driver)

    assert {node.id: (node.status, node.detail) for node in view.nodes} == {
        "a": ("Succeeded", "3.0s"),
        "b": ("Succeeded", None),
        "c": ("Skipped", "DeadPath"),
        "d": ("Running", None),
        "e": ("Pending", None),
    }
    assert {edge.target: edge.state for edge in view.edges} == {
        "b": "taken",
        "c": "dead",
        "d": "taken",
        "e": "open",
    }


def test_a_redrive_opens_connections_again():
    """What runs again has open connections, what stays settled keeps its own."""
    nodes = [
        {"name": "a", "run": RUN},
        {"name": "b", "run": RUN, "after": ["a"]},
        {"name": "c", "run": RUN, "after": ["b"]},
    ]
    driver = Driver({"nodes": nodes}).create().end("a").fail("b")
    assert {edge.target: edge.state for edge in live_view(driver).edges} == {"b": "taken", "c": "dead"}

    driver.wish(redrive=1)

    assert {edge.target: edge.state for edge in live_view(driver).edges} == {"b": "taken", "c": "open"}
    assert (live_view(driver).nodes[1].status, live_view(driver).nodes[1].detail) == ("Ready", "attempt 2")


def test_a_fallback_is_drawn_beside_the_node_it_stands_in_for():
    """A connection `fallback` leads to it; once it runs it has its own state, and a row of its own."""
    nodes = [{"name": "a", "run": RUN, "fallback": "b"}, {"name": "b", "run": RUN}]
    driver = Driver({"nodes": nodes}).create()
    assert edges(live_view(driver))[("a", "fallback", "b")].state == "open"
    assert [row[0] for row in node_views.rows(driver.graph, driver.state, driver.now)] == ["a"]

    driver.fail("a").started("a/b")

    view = live_view(driver)
    assert edges(view)[("a", "fallback", "b")].state == "taken"
    assert [(node.id, node.status) for node in view.nodes] == [("a", "Running"), ("b", "Running")]
    rows = node_views.rows(driver.graph, driver.state, driver.now)
    assert [(row[0], row[2]) for row in rows] == [("a", "Running"), ("a/b", "Running")]


def test_rows_say_why():
    """Held, skipped, failed, retrying: the reason stands beside the state."""
    retry = {"maxAttempts": 2, "initialDelay": "9s"}
    nodes = [
        {"name": "a", "run": RUN, "retry": retry},
        {"name": "b", "run": RUN, "onError": "continue"},
        {"name": "c", "run": RUN},
        {"name": "d", "run": RUN, "when": "false"},
    ]
    nodes.append({"name": "e", "run": RUN})
    driver = Driver({"nodes": nodes, "failFast": False, "concurrency": {"maxNodes": 3}}).create()
    held = node_views.rows(driver.graph, driver.state, driver.now)[-1]
    assert (held[2], held[5]) == ("Ready", "MaxNodes")
    driver.fail("a").fail("b").fail("c")

    why = {row[0]: (row[2], row[5]) for row in node_views.rows(driver.graph, driver.state, driver.now)}

    assert why["a"] == ("Retrying", "NonZeroExit: boom")
    assert why["b"] == ("Failed", "NonZeroExit: boom (handled)")
    assert why["c"] == ("Failed", "NonZeroExit: boom")
    assert why["d"] == ("Skipped", "WhenFalse")
    assert [item["status"] for item in node_views.data(driver.graph, driver.state)] == [
        status for status, _ in why.values()
    ]


def test_the_row_of_a_node_whose_pod_cannot_start_says_why():
    """Not only what the run waits for, which has the soonest first and not all."""
    driver = Driver({"nodes": [{"name": "a", "run": RUN}]}).create()
    driver.tell(AttemptHeld(node="a", attempt=1, delivery=1, reason="Unschedulable", message="0/4 nodes"))

    [row] = node_views.rows(driver.graph, driver.state, driver.now)
    assert (row[2], row[5]) == ("Ready", "Unschedulable: 0/4 nodes")

    [row] = node_views.rows(driver.graph, driver.started("a").state, driver.now)
    assert (row[2], row[5]) == ("Running", "-")


def test_an_inlined_workflow_is_a_container_with_its_nodes():
    """Its graph stands in the node, its finally in a frame of its own; once it has ended the log says how its nodes did."""
    act = {
        "nodes": [{"name": "x", "run": RUN}, {"name": "y", "run": RUN, "after": ["x.failed"]}],
        "finally": [{"name": "z", "run": RUN}],
    }
    node = {"name": "a", "workflow": {"name": "act", "inline": True}}
    driver = Driver({"nodes": [node], "workflows": {"act": act}}).create().end("a/x").end("a.finally/z")

    view = graph_view(driver.graph, "flow", driver.state, settled_by(driver.events), ended_by(driver.events))

    assert {"a": None, "a/x": "a", "a/y": "a", "a.finally/z": "a.finally"} == {
        n.id: n.group for n in view.nodes
    }
    assert [GraphGroup("a.finally", "finally", "a")] == view.groups
    statuses = {n.id: n.status for n in view.nodes}
    assert ("Succeeded", "Skipped", "Succeeded") == (
        statuses["a/x"],
        statuses["a/y"],
        statuses["a.finally/z"],
    )
    assert "dead" == edges(view)[("a/x", "failed", "a/y")].state
    for draw in (to_text, to_svg, to_mermaid, to_dot):
        assert "finally" in draw(view)


def test_what_a_redrive_runs_again_has_not_ended():
    """Of a body that runs once more the end of the last time is forgotten, of others it is not."""
    sides = [{"name": "left", "nodes": [{"name": "x", "run": RUN}]}]
    last = [{"name": "y", "run": RUN}]
    spec = {
        "nodes": [{"name": "p", "parallel": {"branches": sides}}, {"name": "b", "run": RUN}],
        "finally": [{"name": "f", "parallel": {"branches": [{"name": "left", "nodes": last}]}}],
    }
    driver = Driver(spec).create().end("p.left/x").fail("b").end("f.left/y")
    before = ended_by(driver.events)
    driver.wish(redrive=1)

    assert ("Succeeded", "Succeeded") == (before["p.left/x"], before["f.left/y"])
    assert {"f.left/y"} == before.keys() - ended_by(driver.events).keys()


def test_an_inlined_workflow_in_a_loop_is_drawn():
    """Its nodes stand in the node inside of the loop's, by place; all can be drawn without a run."""
    act = {"nodes": [{"name": "x", "run": RUN}]}
    each = {"items": [1], "nodes": [{"name": "a", "workflow": {"name": "act", "inline": True}}]}
    view = view_of(nodes=[{"name": "e", "forEach": each}], workflows={"act": act})

    assert {"e": None, "e/a": "e", "e/a/x": "e/a"} == {n.id: n.group for n in view.nodes}
    assert "x (run)" in to_text(view)


def test_what_is_in_a_loop_is_drawn_for_all_its_items():
    """With the status that matters most, and how many instances came to what, while it goes on and once it has ended."""
    body = [{"name": "x", "run": RUN}, {"name": "y", "run": RUN, "after": ["x"]}]
    each = {"items": [1, 2, 3], "onItemError": "continue", "nodes": body}
    driver = Driver({"nodes": [{"name": "e", "forEach": each}]}).create()
    driver.end("e[0]/x").end("e[0]/y").fail("e[1]/x")

    def drawn():
        return graph_view(
            driver.graph, "flow", driver.state, settled_by(driver.events), ended_by(driver.events)
        )

    def told(view):
        return {node.id: (node.status, node.detail) for node in view.nodes}

    going = drawn()
    driver.end("e[2]/x").end("e[2]/y")

    assert told(going)["e/x"] == ("Ready", "1 ready, 1 failed, 1 done")
    assert told(drawn())["e/x"] == ("Failed", "1 failed, 2 done")
    assert told(drawn())["e/y"] == ("Succeeded", "2 done, 1 skipped")
    assert edges(drawn())[("e/x", None, "e/y")].state == "taken"
    assert "✗ x (run, 1 failed, 2 done)" in to_text(drawn())


def test_a_loop_of_one_pass_is_drawn_as_its_pass():
    """There is nothing to count, also where a fallback has stood in."""
    body = [{"name": "x", "run": RUN, "fallback": "z"}, {"name": "z", "run": RUN}]
    driver = Driver({"nodes": [{"name": "e", "forEach": {"items": [1], "nodes": body}}]}).create()
    driver.fail("e[0]/x").end("e[0]/x/z")

    view = graph_view(driver.graph, "flow", driver.state, settled_by(driver.events), ended_by(driver.events))

    assert [("Succeeded", None)] * 2 == [(n.status, n.detail) for n in view.nodes if n.group == "e"]
