"""A cycle needs a loopback, a loopback a cycle; loops have one way in, and nest (semantics 20)."""

# A line of a manifest and what is found there stand side by side.
# ruff: noqa: E501

from __future__ import annotations

import pytest
from tests.engine.validation.validation_support import check

CASES = {
    "two nodes": """
        nodes:
        - {name: start, run: {sh: ls}}
        - {name: a, run: {sh: ls}, join: any}
        - {name: b, run: {sh: ls}}
        connections:
        - {from: start, to: a}
        - {from: a, to: b}
        - {from: b.failed, to: a}  # Cycle: the nodes a -> b -> a form a cycle; expected no cycle, or loopback: {maxIterations: 100}
    """,
    "a node and itself": """
        nodes:
        - {name: start, run: {sh: ls}}
        - {name: a, run: {sh: ls}, after: [start, a.failed]}  # Cycle: the nodes a -> a form a cycle
    """,
    "the shortest of several is shown, one finding for what hangs together": """
        nodes:
        - {name: a, run: {sh: ls}}
        - {name: b, run: {sh: ls}, after: [a, e]}
        - {name: c, run: {sh: ls}, after: [b]}
        - {name: d, run: {sh: ls}, after: [c]}
        - {name: e, run: {sh: ls}, after: [d, c]}  # Cycle: the nodes b -> c -> e -> b form a cycle
    """,
    "two cycles are two findings": """
        nodes:
        - {name: a, run: {sh: ls}}
        - {name: b, run: {sh: ls}, after: [a, c]}
        - {name: c, run: {sh: ls}, after: [b]}  # Cycle: b -> c -> b
        - {name: d, run: {sh: ls}, after: [a, e]}
        - {name: e, run: {sh: ls}, after: [d]}  # Cycle: d -> e -> d
    """,
    "a cycle that nothing leads into": """
        nodes:
        - {name: a, run: {sh: ls}}
        - {name: b, run: {sh: ls}, after: [c]}  # Unreachable: node b is unreachable: no entry point leads to c
        - {name: c, run: {sh: ls}, after: [b]}  # Cycle: b -> c -> b # Unreachable: node c is unreachable
        - {name: d, run: {sh: ls}, after: [c]}  # Unreachable: no entry point leads to c
    """,
    "a body that cannot start": """
        nodes:
        - {name: a, run: {sh: ls}, after: [b]}  # NoEntryPoint: no node of the workflow can start: each of a, b has a connection into it
        - {name: b, run: {sh: ls}, after: [a]}  # Cycle: a -> b -> a
    """,
    "in a body": """
        nodes:
        - name: loop
          while:
            condition: "true"
            nodes:
            - {name: s, run: {sh: ls}}
            - {name: a, run: {sh: ls}, after: [s, b]}
            - {name: b, run: {sh: ls}, after: [a]}  # Cycle: a -> b -> a
    """,
    "a loopback closes it": """
        nodes:
        - {name: a, run: {sh: ls}}
        - {name: b, if: "vars.again"}
        - {name: c, set: {again: true}}
        - {name: d, set: {x: "${pass.index}"}}
        connections:
        - {from: a, to: d}
        - {from: d, to: b}
        - {from: b.true, to: d, loopback: {maxIterations: 3}}
        - {from: b.false, to: c}
        - {from: b.failed, to: b, loopback: {}}
    """,
    "a loop may begin at an entry point": """
        nodes:
        - {name: a, run: {sh: ls}}
        - {name: b, run: {sh: ls}, after: [a]}
        connections: [{from: b.failed, to: a, loopback: {}}]
    """,
    "a loopback that closes no cycle": """
        nodes:
        - {name: a, run: {sh: ls}}
        - {name: b, run: {sh: ls}}
        connections:
        - {from: a, to: b, loopback: {}}  # LoopbackWithoutCycle: no path leads from b to a
    """,
    "a second way into a loop": """
        nodes:
        - {name: s, run: {sh: ls}}
        - {name: a, run: {sh: ls}, after: [s]}
        - {name: b, run: {sh: ls}, after: [a]}
        - {name: c, run: {sh: ls}, after: [b]}
        connections:
        - {from: c.failed, to: a, loopback: {}}
        - {from: s.failed, to: b}  # IrreducibleLoop: leads into the loop a ... c beside its start; expected every way in to lead to a
    """,
    "loops that overlap": """
        nodes:
        - {name: a, run: {sh: ls}}
        - {name: b, run: {sh: ls}, after: [a]}
        - {name: c, run: {sh: ls}, after: [b]}
        connections:
        - {from: b.failed, to: a, loopback: {}}
        - {from: c.failed, to: b, loopback: {}}  # OverlappingLoops: the loops a ... b and b ... c overlap in b
    """,
    "a loopback from where the run ends, into a stand-in, or over the edge of a body": """
        nodes:
        - {name: a, run: {sh: ls}, fallback: spare}
        - {name: spare, run: {sh: ls}}
        - {name: end, finish: {result: done}, after: [a]}
        - name: loop
          while:
            condition: "true"
            nodes: [{name: inner, run: {sh: ls}}]
        connections:
        - {from: end, to: a, loopback: {}}  # UnknownPort: 'end' is a finish, which ends the run
        - {from: a.failed, to: spare, loopback: {}}  # BadFallback: node spare stands in for a and is outside of the graph
        - {from: inner, to: a, loopback: {}}  # CrossesBody: node 'inner' is in the body of loop
    """,
    "a loop in a body": """
        nodes:
        - name: each
          forEach:
            items: [1]
            nodes:
            - {name: a, run: {sh: ls}, with: {p: "${pass.index}"}}
            - {name: b, run: {sh: ls}, after: [a]}
            connections:
            - {from: b.failed, to: a, loopback: {maxIterations: 3}, when: "pass.index < 2"}
            - {from: a.failed, to: b, loopback: {}}  # LoopbackWithoutCycle: no path leads from b to a
    """,
    "loops that nest": """
        nodes:
        - {name: a, run: {sh: ls}}
        - {name: b, run: {sh: ls}, after: [a]}
        - {name: c, run: {sh: ls}, after: [b]}
        - {name: d, run: {sh: ls}, after: [c]}
        connections:
        - {from: c.failed, to: b, loopback: {}}
        - {from: d.failed, to: a, loopback: {}}
    """,
}

ENDLESS = {
    "always another pass": """
        nodes:
        - {name: a, run: {sh: ls}}
        - {name: b, run: {sh: ls}, when: "inputs.x", after: [a]}
        - {name: told, log: {message: x}, after: [a]}
        connections:
        - from: b
          to: a
          loopback: {}  # warning EndlessLoop: b.done>a is taken at the end of every pass, so the loop can only end with MaxIterationsExceeded
    """,
    "on any end, by a condition that always holds, over a join": """
        nodes:
        - {name: a, if: "true"}
        - {name: b, run: {sh: ls}, after: [a.true]}
        - {name: c, run: {sh: ls}, after: [a.ended]}
        - {name: d, run: {sh: ls}, join: any, after: [b, c]}
        connections:
        - from: d.ended
          to: a
          when: "true"
          loopback: {maxIterations: 2}  # warning EndlessLoop: expected a when on it, or a way for d to end without it
    """,
    "a node by itself": """
        nodes: [{name: a, run: {sh: ls}}]
        connections:
        - from: a
          to: a
          loopback: {}  # warning EndlessLoop: a.done>a is taken at the end of every pass
    """,
    "a condition": """
        nodes: [{name: a, run: {sh: ls}}]
        connections: [{from: a, to: a, when: "pass.index < 3", loopback: {}}]
    """,
    "another port": """
        nodes: [{name: a, approval: {roles: [r]}}, {name: b, run: {sh: ls}}]
        connections: [{from: a.rejected, to: a, loopback: {}}, {from: b.failed, to: b, loopback: {}}]
    """,
    "a failure that is handled, or that ends the loop and not the run": """
        nodes:
        - {name: a, run: {sh: ls}}
        - {name: b, run: {sh: ls}, after: [a.failed]}
        - {name: c, run: {sh: ls}, onError: continue}
        - {name: d, run: {sh: ls}}
        - {name: e, run: {sh: ls}, after: [d.ended]}
        - {name: f, run: {sh: ls}, fallback: spare}
        - {name: spare, log: {message: x}}
        connections:
        - {from: a, to: a, loopback: {}}
        - {from: c, to: c, loopback: {}}
        - {from: d.ended, to: d, loopback: {}}
        - {from: f, to: f, loopback: {}}
    """,
    "a way past its last node": """
        nodes:
        - {name: a, if: "inputs.x"}
        - {name: b, run: {sh: ls}, after: [a.true]}
        - {name: c, run: {sh: ls}}
        - {name: d, run: {sh: ls}, join: {atLeast: 2}, after: [c, b]}
        connections: [{from: b, to: a, loopback: {}}]
    """,
    "a timeout of the run": """
        timeout: 1h
        nodes: [{name: a, run: {sh: ls}}]
        connections: [{from: a, to: a, loopback: {}}]
    """,
    "a finish beside it": """
        nodes:
        - {name: a, run: {sh: ls}}
        - {name: b, run: {sh: ls}}
        - {name: end, finish: {result: ok}, after: [b]}
        connections: [{from: a, to: a, loopback: {}}]
    """,
    "a container around it that may be ended": """
        nodes:
        - name: p
          parallel:
            strategy: race
            branches:
            - {name: l, nodes: [{name: a, run: {sh: ls}}], connections: [{from: a, to: a, loopback: {}}]}
            - {name: r, nodes: [{name: b, run: {sh: ls}}]}
    """,
}


@pytest.mark.parametrize("spec", CASES.values(), ids=CASES.keys())
def test_cycles_and_loopbacks_belong_together(spec: str):
    """Each comment of the manifest is a finding of its line, and there is no other."""
    check(spec)


def test_a_long_cycle_is_cut_in_its_message():
    """The message names the first and the last nodes of a cycle of 500."""
    nodes = "".join(f"- {{name: n{i}, run: {{sh: ls}}, after: [n{(i - 1) % 500}]}}\n" for i in range(500))
    report = check(
        "nodes:\n" + nodes,
        (6, "error", "NoEntryPoint", "n0, n1"),
        (505, "error", "Cycle", "n9 -> ... -> n499 -> n0"),
    )
    assert max(len(finding.message) for finding in report.findings) < 400


@pytest.mark.parametrize("spec", ENDLESS.values(), ids=ENDLESS)
def test_a_loop_that_cannot_end_well_is_told_of_where_that_is_certain(spec: str):
    """The loopback is taken at the end of every pass, and nothing else ends it."""
    check(spec)
