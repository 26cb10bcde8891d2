"""Where a name of the scope makes sense (api.md Expressions), and which nodes may be read there (semantics 2, 16, 18, 34)."""

# A line of a manifest and what is found there stand side by side.
# ruff: noqa: E501

from __future__ import annotations

import pytest
from tests.engine.validation.validation_support import check

NAMES = {
    "outputs": """
        nodes:
        - {name: a, run: {sh: ls}, store: {v: "${outputs.x}"}, compensate: {set: {w: "${outputs.x}"}, with: {x: "${outputs.y}"}}}
        - {name: b, run: {sh: ls}, with: {x: "${outputs.x}"}}  # NameOutOfPlace: outputs means nothing in node b; it is known in store
        - {name: c, if: "outputs.x"}  # NameOutOfPlace: outputs
        - {name: d, log: {message: d}}
        connections: [{from: a, to: d, when: "outputs.x && nodes.a.outputs.x"}]
        outputs: {x: "${outputs.x}"}  # NameOutOfPlace: outputs means nothing in the workflow's outputs
    """,
    "error": """
        defaults: {retry: {maxAttempts: 2, retryOn: "error.reason == 'Timeout'"}}
        nodes:
        - {name: a, run: {sh: ls}, retry: {maxAttempts: 2, retryOn: "error.exitCode == 1", noRetryOn: "error.message == ''"}}
        - {name: b, run: {sh: ls}, with: {x: "${error.reason}"}}  # NameOutOfPlace: error means nothing in node b; it is known in retryOn
        - {name: c, log: {message: c}}
        connections: [{from: a.failed, to: c, when: "error.reason == 'Timeout'"}]
    """,
    "item and index": """
        nodes:
        - {name: a, log: {message: "${item}"}}  # NameOutOfPlace: item means nothing in node a; it is known inside a forEach
        - name: b
          forEach:
            items: "${inputs.xs}"
            as: line
            nodes:
            - {name: c, log: {message: "${line.sku} ${line_index} ${item.sku} ${index}"}}
            - name: d
              forEach:
                items: "${line.parts}"
                nodes: [{name: e, log: {message: "${line} ${item} ${index}"}}]
                outputs: {'n': "${item}"}
            outputs: {'n': "${line_index}"}
          store: {x: "${line}"}  # UnknownName: there is no name 'line'
        - {name: f, forEach: {items: "${item}", nodes: [{name: g, log: {message: x}}]}}  # NameOutOfPlace: item
    """,
    "pass": """
        nodes:
        - {name: a, log: {message: "${pass.index}"}}  # NameOutOfPlace: pass means nothing in node a; it is known inside a while
        - name: b
          while:
            condition: "pass.index < 3"
            nodes:
            - {name: c, log: {message: "${pass.index}"}}
            - {name: d, forEach: {items: [1], nodes: [{name: e, log: {message: "${pass.parent.index}"}}]}}
        - {name: f, run: {sh: ls}, with: {p: "${pass.index}"}}
        - {name: g, run: {sh: ls}, with: {p: "${pass.index}"}}
        - {name: h, run: {sh: ls}, with: {p: "${pass.index}"}, after: [g]}  # NameOutOfPlace: pass
        connections:
        - {from: f, to: g}
        - {from: g.failed, to: f, loopback: {}}
    """,
    "event": """
        triggers:
        - {name: t, event: {type: "x", when: "event.data.x > 1", dedupe: "${event.id}"}, inputs: {a: "${event.data.a}", b: "${vars.x}"}}  # NameOutOfPlace: vars means nothing in a trigger
        nodes:
        - {name: a, wait: {event: {type: x, match: "event.subject == inputs.x"}}}
        - {name: b, log: {message: "${event.id}"}}  # NameOutOfPlace: event means nothing in node b; it is known in triggers
    """,
    "before the start": """
        variables: {a: "${inputs.x}", b: "${vars.a}", c: "${nodes.n}"}  # NameOutOfPlace: vars means nothing in the initial variables # NameOutOfPlace: nodes
        concurrency: {maxExecutions: 1, key: "${inputs.x + computed.y}"}  # NameOutOfPlace: computed means nothing in concurrency.key
        nodes: [{name: 'n', log: {message: "${vars.a}"}}]
    """,
    "computed is pure": """
        computed:
          a: "inputs.x + vars.v"
          b: "string(now)"  # ImpureComputed: now stands in computed.b
          c: "uuid() + hash('x')"  # ImpureComputed: uuid() stands in computed.c
          d: "item + pass.index"  # ImpureComputed: item # ImpureComputed: pass
          e: "outputs.x"  # ImpureComputed: outputs
          f: "${inputs.x}"  # ExpressionInvalid: computed is bare CEL
        nodes: [{name: 'n', set: {v: 1}}]
    """,
    "computed in a cycle": """
        computed:
          a: "computed.b + 1"  # ComputedCycle: the computed fields a -> b -> c -> a read one another
          b: "computed.c + 1"
          c: "computed.a + 1"
          d: "computed.d"  # ComputedCycle: d -> d
          e: "computed.a"
        nodes: [{name: 'n', set: {v: 1}}]
    """,
    "notifications": """
        notifications: [{"on": [failed], secret: s, title: "${error.reason}", body: "${item}"}]  # NameOutOfPlace: item means nothing in a notification
        nodes: [{name: 'n', set: {v: 1}}]
    """,
    "what a request and an object know": """
        nodes:
        - {name: a, http: {url: "${inputs.u}", expect: "status == 200 && body.ok && headers.x == ''"}}
        - {name: b, resource: {manifest: {}, success: "object.status.ready", failure: "object.failed"}}
        - {name: c, log: {message: "${status}"}}  # UnknownName: there is no name 'status'
    """,
}

NODES = {
    "upstream": """
        nodes:
        - {name: a, run: {sh: ls}}
        - {name: b, run: {sh: ls}, after: [a], with: {x: "${nodes.a.outputs.x}"}}
        - {name: c, run: {sh: ls}, after: [b], with: {x: "${nodes.a.outputs.x + nodes.b.outputs.x}"}}
        - {name: d, run: {sh: ls}, with: {x: "${nodes.a.outputs.x}"}}  # NotUpstream: nodes.a is read in node d, and it is not upstream of d
        - {name: e, run: {sh: ls}, with: {x: "${nodes.e.status}"}}  # NotUpstream: it has not ended when it is evaluated
        - {name: f, run: {sh: ls}, store: {x: "${nodes.f.status + nodes.c.status}"}}  # NotUpstream: no path of connections leads from c to f
        - {name: g, if: "nodes.c.outputs.x", after: [b]}  # NotUpstream: not upstream of g
        outputs: {all: "${nodes.a.outputs.x + nodes.g.status}"}
    """,
    "a connection sees its source": """
        nodes:
        - {name: a, run: {sh: ls}}
        - {name: b, run: {sh: ls}}
        - {name: c, run: {sh: ls}}
        connections:
        - {from: a, to: c, when: "nodes.a.outputs.x"}
        - {from: b, to: c, when: "nodes.a.outputs.x"}  # NotUpstream: nodes.a is read in the when of connection b.done>c
        - {from: b.failed, to: c, when: "nodes.c.outputs.x"}  # NotUpstream: not upstream of b
    """,
    "bodies see outward": """
        nodes:
        - {name: a, run: {sh: ls}}
        - {name: z, run: {sh: ls}}
        - name: loop
          after: [a]
          forEach:
            items: "${nodes.a.outputs.xs}"
            nodes:
            - {name: p, run: {sh: ls}, with: {x: "${nodes.a.outputs.x}", 'y': "${nodes.z.outputs.x}"}}  # NotUpstream: nodes.z is read in node p, and it is not upstream of loop
            - {name: q, run: {sh: ls}, with: {x: "${nodes.p.outputs.x}"}}  # NotUpstream: not upstream of q
            - {name: r, run: {sh: ls}, with: {x: "${nodes.loop.status}"}}  # NotUpstream: it has not ended when what stands inside it is evaluated
            outputs: {o: "${nodes.p.outputs.x + nodes.q.outputs.x + nodes.a.outputs.x}"}
        - {name: b, run: {sh: ls}, after: [loop], with: {x: "${nodes.p.outputs}", 'y': "${nodes.loop.outputs.items}"}}  # UnknownNode: it is inside loop, expected nodes.loop.outputs
    """,
    "a while sees the pass before": """
        nodes:
        - name: poll
          while:
            condition: "nodes.check.outputs.ready != true"
            nodes:
            - {name: wait-a-bit, run: {sh: ls}, with: {last: "${nodes.check.outputs.n}"}}
            - {name: check, run: {sh: ls}, after: [wait-a-bit], with: {own: "${nodes.check.outputs.n}"}}
            - {name: beside, run: {sh: ls}, with: {x: "${nodes.check.outputs.n}"}}  # NotUpstream: not upstream of beside
    """,
    "a loopback sees the pass before": """
        nodes:
        - {name: draft, run: {sh: ls}, with: {comments: "${nodes.review.outputs.comments}"}}
        - {name: review, run: {sh: ls}, after: [draft]}
        - {name: after, run: {sh: ls}, after: [review.done]}
        connections: [{from: review.failed, to: draft, loopback: {}}]
    """,
    "a fallback sees what its node sees": """
        nodes:
        - {name: a, run: {sh: ls}}
        - {name: b, run: {sh: ls}, after: [a], fallback: f}
        - {name: c, run: {sh: ls}, after: [b], with: {x: "${nodes.f.outputs.x}"}}  # NotUpstream: it stands in for b, whose outputs are its own: read nodes.b
        - {name: f, run: {sh: ls}, with: {x: "${nodes.a.outputs.x}", e: "${error.message}", 'y': "${nodes.c.status}"}}  # NotUpstream: not upstream of b
    """,
    "what is inside of a fallback sees what its node sees": """
        nodes:
        - {name: a, run: {sh: ls}}
        - {name: b, run: {sh: ls}, after: [a], fallback: f, retry: {maxAttempts: 2}}
        - {name: c, run: {sh: ls}, after: [b]}
        - name: f
          forEach:
            items: ["${error.message}"]
            outputs: {e: "${error.reason}", c: "${nodes.c.status}"}  # NotUpstream: it is not upstream of b
            nodes:
            - {name: g, run: {sh: ls}, with: {x: "${nodes.a.outputs.x}", e: "${error.message}", b: "${nodes.b.attempts}"}}
            - {name: h, run: {sh: ls}, after: [g], with: {'y': "${nodes.c.status}"}}  # NotUpstream: not upstream of b
            - {name: i, run: {sh: ls}, after: [g], with: {'y': "${nodes.f.status}"}}  # NotUpstream: it stands in for b
    """,
    "error is known inside of a fallback alone": """
        nodes:
        - name: c
          forEach: {items: [1], nodes: [{name: 'n', run: {sh: ls}, with: {e: "${error.reason}"}}]}  # NameOutOfPlace: error means nothing in node n
    """,
    "finally reads all": """
        nodes:
        - {name: a, run: {sh: ls}}
        - {name: b, run: {sh: ls}, with: {x: "${nodes.last.status}"}}  # NotUpstream: nodes.last is read in node b, and it runs in finally
        finally:
        - {name: last, run: {sh: ls}, with: {x: "${nodes.a.status}", 'y': "${nodes.more.status}", p: "${execution.phase}"}}
        - {name: more, run: {sh: ls}}
        outputs: {x: "${nodes.last.status}"}  # NotUpstream: nodes.last is read in the workflow's outputs, and it runs in finally
    """,
    "computed is read where it is read": """
        computed: {total: "nodes.a.outputs.x + computed.more", more: "nodes.b.outputs.x"}
        nodes:
        - {name: a, run: {sh: ls}}
        - {name: b, run: {sh: ls}, after: [a]}
        - {name: c, run: {sh: ls}, after: [b], with: {x: "${computed.total}"}}
        - {name: d, run: {sh: ls}, after: [a], with: {x: "${computed.total}"}}  # NotUpstream: computed.total reads nodes.b, and it is not upstream of d
        outputs: {x: "${computed.total}"}
    """,
    "a node chosen at run time": """
        nodes:
        - {name: a, run: {sh: ls}, with: {x: "${nodes[inputs.n].status}"}}  # warning NotUpstream: which node is read is known only when it runs
        outputs: {x: "${nodes[inputs.n].status}"}
    """,
    "an unknown connection hides order, and is one finding": """
        nodes:
        - {name: a, run: {sh: ls}}
        - {name: b, run: {sh: ls}, after: [aa]}  # UnknownNode: did you mean a
        - {name: c, run: {sh: ls}, after: [b], with: {x: "${nodes.a.outputs.x}"}}
        - {name: d, run: {sh: ls}, with: {x: "${nodes.a.outputs.x}"}}  # NotUpstream: not upstream of d
    """,
}


@pytest.mark.parametrize("spec", NAMES.values(), ids=NAMES.keys())
def test_a_name_of_the_scope_stands_where_it_makes_sense(spec: str):
    """Each comment of the manifest is a finding of its line, and there is no other."""
    check(spec)


@pytest.mark.parametrize("spec", NODES.values(), ids=NODES.keys())
def test_only_nodes_that_have_ended_are_read(spec: str):
    """Each comment of the manifest is a finding of its line, and there is no other."""
    check(spec)
