"""Every kind of node that runs on a laptop runs on a cluster too, with the policies of nodes."""

from __future__ import annotations

import json
from typing import Any

from tests.support.operators import Site, pod_node

MESSAGE = "fairlead.dev/kwok-message"
BROKEN = {"reason": "NonZeroExit", "message": "exit code 3", "exitCode": 3}


def _ran(site: Site, name: str, kind: str = "NodeCompleted") -> list[str]:
    """The instances that ended so, in the order of the log."""
    return [event["node"] for event in site.log(name) if event["type"] == kind]


def _branch(side: str) -> dict[str, Any]:
    node = pod_node(side[0], outputs={"side": side})
    return {"name": side, "nodes": [node], "outputs": {"side": f"${{nodes.{side[0]}.outputs.side}}"}}


def test_the_kinds_of_the_engine(served: Site):
    """set, log, if, switch, while, forEach, parallel, wait, a loopback, computed and finish in one run."""
    served.workflow(
        "kinds",
        [
            {"name": "first", "set": {"n": "${vars.n + 1}"}},
            {"name": "big", "if": "computed.twice > 3", "after": ["first"]},
            {"name": "grown", "log": {"message": "n is ${vars.n}"}, "after": ["big.true"]},
            pod_node("never", "big.false"),
            {
                "name": "colour",
                "after": ["grown"],
                "switch": {"value": "${inputs.colour}", "cases": [{"name": "red", "equals": "red"}]},
            },
            {
                "name": "loop",
                "after": ["colour.red"],
                "while": {
                    "condition": "vars.n < 4",
                    "nodes": [
                        pod_node("work"),
                        {"name": "up", "set": {"n": "${vars.n + 1}"}, "after": ["work"]},
                    ],
                },
            },
            {
                "name": "each",
                "after": ["loop"],
                "forEach": {
                    "items": "${inputs.items}",
                    "maxParallel": 2,
                    "nodes": [pod_node("pack", outputs={"box": 7})],
                    "outputs": {"what": "${item}", "box": "${nodes.pack.outputs.box}"},
                },
            },
            {
                "name": "both",
                "after": ["each"],
                "parallel": {
                    "branches": [
                        _branch("left"),
                        _branch("right"),
                    ]
                },
            },
            {"name": "pause", "wait": {"for": "100ms"}, "after": ["both"]},
            pod_node("again", "pause"),
            {"name": "turned", "set": {"turns": "${vars.turns + 1}"}, "after": ["again"]},
            {"name": "enough", "if": "vars.turns > 2", "after": ["turned"]},
            {"name": "end", "finish": {"result": "allowed", "reason": "all kinds"}, "after": ["enough.true"]},
        ],
        connections=[{"from": "enough.false", "to": "again", "loopback": {"maxIterations": 5}}],
        variables={"n": 1, "turns": 0},
        computed={"twice": "vars.n * 2"},
        outputs={
            "n": "${vars.n}",
            "boxes": "${nodes.each.outputs.items}",
            "sides": "${nodes.both.outputs}",
            "passes": "${nodes.loop.outputs.iterations}",
            "turns": "${vars.turns}",
        },
    )
    served.execution("kinds-1", "kinds", inputs={"colour": "red", "items": ["a", "b", "c"]})
    status = served.ended("kinds-1", "Succeeded")

    assert status["outputs"] == {
        "n": 4,
        "boxes": [{"what": what, "box": 7} for what in "abc"],
        "sides": {"left": {"side": "left"}, "right": {"side": "right"}},
        "passes": 2,
        "turns": 3,
    }
    assert (status["result"], status["variables"]) == ("allowed", {"n": 4, "turns": 3})
    ran = _ran(served, "kinds-1")
    assert {"loop[1]/work", "each[2]/pack", "both.left/l", "again", "again#1", "again#2"} <= set(ran)
    assert "never" in _ran(served, "kinds-1", "NodeSkipped")
    assert status["progress"]["percent"] == 100


def test_the_kinds_that_run_in_a_pod(served: Site):
    """sh, python, an image with a command, http, notify and resource are a pod each, which has what the node says."""
    said = {"annotations": {MESSAGE: json.dumps({"sum": 5})}}
    served.workflow(
        "pods",
        [
            {"name": "py", "run": {"python": "outputs['x'] = inputs['a']"}, "with": {"a": "${inputs.a}"}},
            {
                "name": "own",
                "run": {
                    "image": "acme/sum:1",
                    "command": ["sum"],
                    "args": ["${string(inputs.a)}"],
                    "env": {"A": "${inputs.a}"},
                    "pod": said,
                },
            },
            {"name": "web", "http": {"url": "https://example.invalid/${inputs.a}"}},
            {"name": "tell", "notify": {"secret": "target", "body": "it is ${inputs.a}"}},
            {
                "name": "make",
                "resource": {
                    "manifest": {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "made"}},
                    "serviceAccountName": "default",
                },
            },
        ],
        outputs={"sum": "${nodes.own.outputs.sum}"},
    )
    served.execution("pods-1", "pods", inputs={"a": 5})
    assert served.ended("pods-1", "Succeeded")["outputs"] == {"sum": 5}

    pods = {pod["metadata"]["labels"]["fairlead.dev/node"]: pod for pod in served.pods("pods-1")}
    containers = {node: pod["spec"]["containers"][0] for node, pod in pods.items()}
    assert set(pods) == {"py", "own", "web", "tell", "make"}
    assert {node: one["image"] for node, one in containers.items() if node != "own"} == dict.fromkeys(
        ("py", "web", "tell", "make"), "runner:test"
    )
    own = containers["own"]
    assert (own["image"], own["command"], own["args"]) == ("acme/sum:1", ["sum"], ["5"])
    assert {"name": "A", "value": "5"} in own["env"]
    assert {node for node, pod in pods.items() if pod["spec"]["automountServiceAccountToken"]} == {"make"}


def test_policies_of_a_failing_node(served: Site):
    """Retry with backoff, then the fallback; a handled failure; onError; `finally` sees how the rest ended."""
    retry = {"maxAttempts": 2, "backoff": "fixed", "initialDelay": "100ms"}
    served.workflow(
        "ladder",
        [
            pod_node("shaky", error=BROKEN, retry=retry, fallback="stand-in"),
            pod_node("stand-in", outputs={"by": "another"}),
            pod_node("handled", "shaky", error=BROKEN),
            {"name": "mended", "log": {"message": "mended"}, "after": ["handled.failed"]},
            pod_node("shrug", "mended", error=BROKEN, onError="continue"),
            {"name": "last", "log": {"message": "on we go"}, "after": ["shrug"]},
        ],
        outputs={"by": "${nodes.shaky.outputs.by}"},
        **{
            "finally": [
                {"name": "bye", "log": {"message": "it ${execution.phase}"}},
                pod_node("sweep", "bye"),
            ]
        },
    )
    served.execution("ladder-1", "ladder")
    status = served.ended("ladder-1", "Succeeded")

    assert status["outputs"] == {"by": "another"}
    log = served.log("ladder-1")
    assert [event["attempt"] for event in log if event["type"] == "NodeRetrying"] == [1]
    assert _ran(served, "ladder-1")[-3:] == ["last", "bye", "sweep"]
    shaky = [
        pod["metadata"]["labels"]["fairlead.dev/attempt"]
        for pod in served.pods("ladder-1")
        if pod["metadata"]["labels"]["fairlead.dev/node"] == "shaky"
    ]
    assert sorted(shaky) == ["1", "2"]


def test_an_attempt_that_takes_too_long(served: Site):
    """A timeout deletes the pod, fails the node with the reason, and the run with it; what did not start is skipped."""
    served.workflow("late", [pod_node("slow", runs="1h", timeout="1s"), pod_node("next", "slow")])
    served.execution("late-1", "late")
    status = served.ended("late-1", "Failed")

    assert (status["error"]["node"], status["error"]["reason"]) == ("slow", "Timeout")
    assert "NodeTimedOut" in [event["type"] for event in served.log("late-1")]
    assert _ran(served, "late-1", "NodeSkipped") == ["next"]
    assert {pod["metadata"]["labels"]["fairlead.dev/node"] for pod in served.pods("late-1")} <= {"slow"}


def test_a_result_that_was_kept_serves_another_run(served: Site):
    """`cache`: the second execution has the outputs of the first, and no pod."""
    served.workflow(
        "looked-up",
        [pod_node("find", outputs={"tier": "gold"}, cache={"key": "${inputs.who}", "ttl": "1h"})],
        outputs={"tier": "${nodes.find.outputs.tier}"},
    )
    for name, who in (("looked-1", "c-1"), ("looked-2", "c-1"), ("looked-3", "c-2")):
        served.execution(name, "looked-up", inputs={"who": who})
        assert served.ended(name, "Succeeded")["outputs"] == {"tier": "gold"}
    assert [len(served.pods(f"looked-{number}")) for number in (1, 2, 3)] == [1, 0, 1]
