"""What this release knows and does not run yet is refused field by field."""

# A line of a manifest and what is found there stand side by side.
# ruff: noqa: E501

from __future__ import annotations

import pytest
from tests.engine.validation.validation_support import workflow

from fairlead.engine.validation import unsupported, validate_documents
from fairlead.model.manifests import ExecutionSpec, WorkflowSpec, parse_spec

NODE = "nodes: [{name: n, log: {message: x}}]\n"
FIELDS = {
    "concurrency.maxExecutions": NODE + "concurrency: {maxExecutions: 2}",
    "concurrency.key": NODE + 'concurrency: {key: "${inputs.x}"}',
    "concurrency.whenFull": NODE + "concurrency: {whenFull: reject}",
    "compensation": NODE + "compensation: {trigger: never}",
    "triggers": NODE + 'triggers: [{name: t, schedule: {cron: "* * * * *"}}]',
    "runOnChange": NODE + "runOnChange: true",
    "notifications": NODE + 'notifications: [{"on": [failed], secret: s}]',
    "nodes[0].compensate": "nodes: [{name: n, run: {sh: ls}, compensate: {set: {}}}]",
    "nodes[0].guards": "nodes: [{name: n, run: {sh: ls}, guards: [g]}]",
    "nodes[0].breaker": "nodes: [{name: n, run: {sh: ls}, breaker: {}}]",
    "nodes[0].rateLimit": "nodes: [{name: n, run: {sh: ls}, rateLimit: {tokens: 1}}]",
    "nodes[0].concurrency": "nodes: [{name: n, run: {sh: ls}, concurrency: 1}]",
    "nodes[0].wait.event": "nodes: [{name: n, wait: {event: {type: t}}}]",
    "nodes[0].approval": "nodes: [{name: n, approval: {roles: [r]}}]",
    "nodes[0].emit": "nodes: [{name: n, emit: {type: t}}]",
    "finally[0].emit": NODE + "finally: [{name: f, emit: {type: t}}]",
    "nodes[0].while.nodes[0].emit": "nodes: [{name: n, while: {condition: 'true', nodes: [{name: m, emit: {type: t}}]}}]",
}


@pytest.mark.parametrize("field", FIELDS)
def test_a_field_that_is_not_run_yet_is_named(field: str):
    """One finding says which field, with its place in the file, and the manifest is otherwise good."""
    text = workflow("\n" + FIELDS[field])
    report = validate_documents(text, "w.yaml")
    assert report.runnable is not None, report.findings
    (finding,) = unsupported(*report.runnable)
    assert (finding.severity, finding.reason, finding.path) == ("error", "NotSupportedYet", f"spec.{field}")
    assert "not supported yet" in finding.message
    name = field.rsplit(".", 1)[-1]
    assert text.split("\n")[finding.line - 1][finding.column - 1 :].startswith(name)


def test_all_of_this_release_is_run():
    """Every field that runs passes, also those that only the cluster heeds."""
    spec = """
        inputs: {type: object}
        variables: {v: 1}
        computed: {c: vars.v}
        defaults: {timeout: 10m, retry: {maxAttempts: 3}}
        timeout: 1h
        failFast: false
        priority: 3
        concurrency: {maxNodes: 2}
        retention: {failed: 1h, pods: 5m}
        checkpoint: {every: 10}
        outputs: {o: "${vars.v}"}
        finally: [{name: f, log: {message: x}}]
        finallyTimeout: 1m
        nodes:
        - {name: a, run: {python: pass, resources: {cpu: 1}, serviceAccountName: s, pod: {nodeSelector: {a: b}}}, fallback: b, onError: continue}
        - {name: b, run: {image: i, command: [c]}, store: {v: 2}, priority: 2, checkpoint: true, startTimeout: 1s}
        - {name: c, if: "vars.v == 1", after: [a]}
        - {name: d, switch: {value: 1, cases: [{name: x, equals: 1}]}, after: [c.true]}
        - {name: e, set: {w: 1}, join: any, after: [c.false, d.x], when: "true"}
        - {name: g, finish: {result: done}, join: {atLeast: 1}, after: [d.default, e]}
        - {name: h, while: {condition: "pass.index < 2", nodes: [{name: i, wait: {for: 1s, timeout: 2s}}]}}
        - {name: j, forEach: {items: [1], nodes: [{name: k, wait: {until: "2026-01-01T00:00:00Z"}}]}, timeout: 1m, retry: {maxAttempts: 2}, fallback: r}
        - {name: r, while: {condition: "false", nodes: [{name: s, log: {message: x}}]}}
        - {name: o, http: {url: "https://example.com"}}
        - {name: p, notify: {secret: s, body: b}}
        - {name: q, resource: {manifest: {}}}
        - {name: l, parallel: {strategy: race, branches: [{name: x, nodes: [{name: m, log: {message: x}}]}]}}
    """
    report = validate_documents(workflow(spec))
    assert report.runnable is not None, report.findings
    assert unsupported(*report.runnable) == []


def test_bare_specs_and_executions():
    """A spec of a workflow and one of an execution are taken too; what an execution adds is told."""
    spec = parse_spec(WorkflowSpec, {"nodes": [{"name": "n", "emit": {"type": "t"}}]})
    assert [finding.path for finding in unsupported(spec)] == ["spec.nodes[0].emit"]
    data = {"workflow": {"name": "w"}, "from": {"execution": "e", "seq": 1}, "migrate": {}}
    assert [finding.path for finding in unsupported(parse_spec(ExecutionSpec, data))] == [
        "spec.from",
        "spec.migrate",
    ]
    data = {"definition": {"nodes": [{"name": "n", "emit": {"type": "t"}}]}}
    assert [finding.path for finding in unsupported(parse_spec(ExecutionSpec, data))] == [
        "spec.definition.nodes[0].emit"
    ]
