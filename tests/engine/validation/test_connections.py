"""Connections name nodes and ports that exist, once each, within one body."""

# A line of a manifest and what is found there stand side by side.
# ruff: noqa: E501

from __future__ import annotations

import pytest
from tests.engine.validation.validation_support import check

CASES = {
    "a good graph": """
        nodes:
        - {name: a, run: {sh: ls}}
        - {name: b, if: "true", after: [a]}
        - {name: c, log: {message: c}}
        - {name: d, log: {message: d}, join: any}
        connections:
        - {from: b.true, to: c}
        - {from: a.failed, to: d}
        - {from: b.ended, to: d}
    """,
    "unknown nodes": """
        nodes:
        - {name: reserve, run: {sh: ls}}
        - {name: charge, run: {sh: ls}, after: [reserv]}  # UnknownNode: did you mean reserve (known: reserve, charge, other)
        - {name: other, run: {sh: ls}, after: [zzz.done]}  # UnknownNode: expected one of reserve, charge, other
        connections:
        - from: resrve  # UnknownNode: there is no node 'resrve' in the workflow; did you mean reserve
          to: chrge  # UnknownNode: did you mean charge
    """,
    "a port at the end of a connection": """
        nodes:
        - {name: a, run: {sh: ls}}
        - {name: b, run: {sh: ls}}
        connections: [{from: a, to: b.done}]  # UnknownNode: names the port 'done'; a connection leads to a node, expected b
    """,
    "unknown ports": """
        nodes:
        - {name: a, run: {sh: ls}}
        - {name: b, if: "inputs.x"}
        - {name: c, switch: {value: "${inputs.x}", cases: [{name: red, equals: 1}, {name: big, when: "inputs.n > 9"}]}}
        - {name: d, log: {message: d}, join: any}
        connections:
        - {from: a.don, to: d}  # UnknownPort: run a has no port 'don'; did you mean done (known: done, failed, ended)
        - {from: a.true, to: d}  # UnknownPort: expected one of done, failed, ended
        - {from: b.done, to: d}  # UnknownPort: expected one of true, false, failed, ended
        - {from: c.rd, to: d}  # UnknownPort: did you mean red (known: red, big, default, failed, ended)
        - {from: c.red, to: d}
        - {from: c.default, to: d}
        - {from: c.failed, to: d}
        - {from: c.ended, to: d}
        - {from: a.b.c, to: d}  # UnknownPort: has no port 'b.c'
    """,
    "ports of every kind": """
        nodes:
        - {name: a, set: {x: 1}}
        - {name: b, log: {message: b}}
        - {name: c, wait: {for: 1s}}
        - {name: d, approval: {roles: [r], expires: 1h}}
        - {name: e, emit: {type: t}}
        - {name: f, while: {condition: "true", nodes: [{name: f1, set: {}}]}}
        - {name: g, log: {message: g}, join: any}
        connections:
        - {from: a.failed, to: g}
        - {from: b.done, to: g}
        - {from: c.expired, to: g}
        - {from: d.rejected, to: g}
        - {from: d.expired, to: g}
        - {from: e.ended, to: g}
        - {from: f.failed, to: g}
        - {from: f.approved, to: g}  # UnknownPort: while f has no port 'approved'
        - {from: c.rejected, to: g}  # UnknownPort: expected one of done, expired, failed, ended
    """,
    "a port is wanted": """
        nodes:
        - {name: big, if: "true"}
        - {name: kind, switch: {cases: [{name: red, when: "true"}]}}
        - {name: ask, approval: {roles: [finance]}}
        - name: z
          log: {message: z}
          join: any
          after:
          - big  # PortWanted: 'big' names no port, and if has several: expected big.true or another of false, failed, ended
          - kind  # PortWanted: expected kind.red or another of default, failed, ended
          - ask  # PortWanted: expected ask.approved
    """,
    "a finish has no port": """
        nodes:
        - {name: a, finish: {result: done}}
        - {name: b, log: {message: b}, after: [a]}  # UnknownPort: 'a' is a finish, which ends the run
        - {name: c, log: {message: c}, after: [a.ended]}  # UnknownPort: expected no connection out of it
    """,
    "the same connection twice": """
        nodes:
        - {name: a, run: {sh: ls}}
        - {name: b, run: {sh: ls}, after: [a]}  # warning DuplicateConnection: a.done>b is written in line 10 already
        connections:
        - {from: a, to: b}
    """,
    "the same connection twice, with another condition": """
        nodes:
        - {name: a, run: {sh: ls}}
        - {name: b, run: {sh: ls}}
        connections:
        - {from: a, to: b}
        - {from: a.done, to: b, when: "inputs.x"}  # DuplicateConnection: with another when or loopback
    """,
    "connections do not cross the edge of a body": """
        nodes:
        - {name: a, run: {sh: ls}}
        - name: loop
          while:
            condition: "true"
            nodes:
            - {name: inner, run: {sh: ls}, after: [a]}  # CrossesBody: node 'a' is in the workflow, and this connection in the body of loop
            - {name: second, run: {sh: ls}, after: [inner]}
        - {name: z, run: {sh: ls}, after: [inner]}  # CrossesBody: node 'inner' is in the body of loop
        finally:
        - {name: last, run: {sh: ls}, after: [a]}  # CrossesBody: this connection in finally; expected both ends in one body
    """,
    "what is unreadable hides nothing": """
        nodes:
        - {name: a, run: {sh: ls}}
        - {name: b, rnu: {sh: ls}, after: [a, x]}  # UnknownField: did you mean run # UnknownNode: there is no node 'x'
        - {name: c, after: [b.nope, a]}  # KindWanted: node c has no kind # UnknownPort: run b has no port 'nope'
        - {name: d, log: {message: d}, after: [c.whatever]}
        conections:  # UnknownField: did you mean connections
        - {from: a, two: d}  # UnknownField: did you mean to
        - {from: q, to: d}  # UnknownNode: there is no node 'q'
        - {to: d}  # MissingField: from
    """,
}


@pytest.mark.parametrize("spec", CASES.values(), ids=CASES.keys())
def test_a_connection_names_nodes_and_ports_that_exist(spec: str):
    """Each comment of the manifest is a finding of its line, and there is no other."""
    check(spec)
