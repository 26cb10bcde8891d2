"""Running the cases of `fairlead test`: a workflow in virtual time against given node results.

Rules of this file
- Nothing is executed. A node that would run in a pod and has no result fails the case, with the name to add.
- A list of results is one per attempt; a single result serves every attempt.
- A workflow node with a result is not run. Without one its child runs in the same way; its nodes are named `NODE/INSTANCE`, or by
  their names alone.
- What `expect` leaves out is not checked; each mismatch shows what was expected and what came.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fairlead.engine import expressions
from fairlead.engine.derived import DERIVED, derived_of
from fairlead.engine.graph import Graph
from fairlead.engine.starting import same
from fairlead.engine.validation import check_inputs
from fairlead.model import commands as c
from fairlead.model import events as e
from fairlead.model import reasons
from fairlead.model import state as s
from fairlead.model.cases import Case, GivenResult
from fairlead.model.effects import StartAttempt, StartChild, SteerChild, StopAttempt
from fairlead.model.ids import key_of
from fairlead.model.manifests import WorkflowSpec, digest
from fairlead.model.shape_limits import nodes_of
from fairlead.model.state import State
from fairlead.model.wording import nearest_name
from fairlead.runtime.virtual import Answer, VirtualRun

_EVENT_TYPES = frozenset({*e.TYPES, *DERIVED})


@dataclass
class CaseOutcome:
    """What became of one case; it passed if there are no `failures`."""

    name: str
    failures: list[str] = field(default_factory=list)
    events: list[e.Event] = field(default_factory=list)


class _Results:
    """The given results as those who answer."""

    def __init__(self, case: Case, failures: list[str]) -> None:
        self._given = case.nodes
        self._failures = failures

    def start(self, place: str, effect: StartAttempt) -> Answer:
        result = self._find(place, effect)
        if result is None:
            self._missing(place, effect.node)
        identity: dict[str, Any] = {
            "node": effect.node,
            "attempt": effect.attempt,
            "delivery": effect.delivery,
        }
        started: Answer = [(0, c.AttemptStarted(**identity))]
        if result is None:
            error = e.Error(
                reason=reasons.NO_RESULT_GIVEN, message="the case gives no result for this attempt"
            )
            return [*started, (0, c.AttemptEnded(error=error, **identity))]
        if result.timeout:
            return started
        if result.fail is not None:
            given = result.fail
            error = e.Error(reason=given.reason, message=given.message, exit_code=given.exit_code)
            return [*started, (result.after, c.AttemptEnded(error=error, **identity))]
        return [*started, (result.after, c.AttemptEnded(outputs=result.outputs, **identity))]

    def stop(self, place: str, effect: StopAttempt) -> Answer:
        error = e.Error(reason="Signalled", message="ended by the engine", exit_code=143)
        return [
            (
                0,
                c.AttemptEnded(
                    node=effect.node, attempt=effect.attempt, delivery=effect.delivery, error=error
                ),
            )
        ]

    def child(self, place: str, effect: StartChild | SteerChild) -> Answer | None:
        known = self._name(place, effect.node)
        if known is None:
            return None
        common: dict[str, Any] = {"node": effect.node, "child": effect.child, "uid": effect.child}
        if isinstance(effect, SteerChild):
            ended = c.ChildEnded(phase=s.CANCELLED, redrive=effect.redrive, **common)
            return [(0, ended)] if effect.stop else []
        result = self._find(place, effect)
        started: Answer = [(0, c.ChildStarted(**common))]
        if result is None or result.timeout:
            return started
        if result.fail is None:
            outputs = result.outputs or {}
            ended = c.ChildEnded(phase=s.SUCCEEDED, redrive=effect.redrive, outputs=outputs, **common)
            return [*started, (result.after, ended)]
        error = e.Error(
            reason=result.fail.reason, message=result.fail.message, exit_code=result.fail.exit_code
        )
        return [
            *started,
            (result.after, c.ChildEnded(phase=s.FAILED, redrive=effect.redrive, error=error, **common)),
        ]

    def _name(self, place: str, node: str) -> str | None:
        """The name by which the case speaks of an instance, the most exact one."""
        name = key_of(node).rpartition("/")[2]
        return next((known for known in (place + node, node, name) if known in self._given), None)

    def _find(self, place: str, effect: StartAttempt | StartChild) -> GivenResult | None:
        known = self._name(place, effect.node)
        if known is not None:
            results = self._given[known]
            if len(results) == 1:
                return results[0]
            if effect.attempt <= len(results):
                return results[effect.attempt - 1]
            self._failures.append(
                f"nodes.{known} has {len(results)} results; expected one for attempt {effect.attempt} too"
            )
        return None

    def _missing(self, place: str, node: str) -> None:
        """Say once that a node runs of which the case knows nothing."""
        if self._name(place, node) is None:
            name = key_of(node).rpartition("/")[2]
            failure = f"node {place}{node} runs and nodes.{name} gives no result; expected one"
            if failure not in self._failures:
                self._failures.append(failure)


def run_case(
    graph: Graph, case: Case, workflows: Mapping[str, WorkflowSpec | str] | None = None
) -> CaseOutcome:
    """Run one case of a workflow and compare; `workflows` are those that its nodes may start."""
    outcome = CaseOutcome(case.name)
    inputs, wrong = check_inputs(graph.spec.inputs, case.inputs)
    if wrong:
        outcome.failures += [f"{finding.path}: {finding.message}" for finding in wrong]
        return outcome
    outcome.failures += _unknown_names(graph, case, workflows or {})
    for name, given in (("approvals", case.approvals), ("events", case.events)):
        if given:
            outcome.failures.append(f"{name}: not supported yet; expected a case without them")
    results = _Results(case, outcome.failures)
    run = VirtualRun(graph, results, workflows)
    create = c.Create(
        name=graph.name or "case",
        uid=f"case/{case.name}",
        workflow=graph.name,
        digest=digest(graph.spec),
        runtime=expressions.RUNTIME_VERSION,
        inputs=inputs,
    )
    state = run.run(create, case.start)
    outcome.events = run.events
    if not state.ended:
        running = ", ".join([*state.active, *state.children]) or "nothing"
        outcome.failures.append(f"the run did not end: it is {state.phase} and {running} is at work")
    outcome.failures += _compare(case, state, run.events)
    return outcome


def _unknown_names(graph: Graph, case: Case, workflows: Mapping[str, WorkflowSpec | str]) -> list[str]:
    """What the case speaks of and is not there, with the nearest name."""
    nodes = [name for body in (*graph.bodies.values(), graph.finally_) for name in body.nodes]
    in_children = {
        node.name for spec in workflows.values() if not isinstance(spec, str) for _, node in nodes_of(spec)
    }
    failures = [
        f"nodes.{name} is no node of the workflow; {_meant(name, [*nodes, *sorted(in_children)])}"
        for name in case.nodes
        if not graph.named(name) and key_of(name).rpartition("/")[2] not in in_children
    ]
    failures += [
        f"expect.events: there is no event type {wanted.type}; {_meant(wanted.type, sorted(_EVENT_TYPES))}"
        for wanted in case.expect.events
        if wanted.type not in _EVENT_TYPES
    ]
    return failures


def _meant(name: str, known: list[str]) -> str:
    near = nearest_name(name, known)
    return f"did you mean {near}?" if near else f"expected one of {', '.join(known)}"


def _compare(case: Case, state: State, events: list[e.Event]) -> list[str]:
    expect = case.expect
    failures: list[str] = []

    def check(what: str, expected: Any, got: Any) -> None:
        if expected is not None and not same(expected, got):
            failures.append(f"{what} is {_shown(got)}; expected {_shown(expected)}")

    check("phase", expect.phase, state.phase)
    check("result", expect.result, state.result)
    check("outputs", expect.outputs, state.outputs)
    if expect.error is not None:
        check("error.reason", expect.error.reason, state.failure.error.reason if state.failure else None)
    if expect.path is not None:
        ran = [event.node for event in events if isinstance(event, (e.NodeCompleted, e.NodeFailed))]
        check("path", list(expect.path), ran)
    rest = iter([(kind, node) for event in events for kind, node in _types(event)])
    for wanted in expect.events:
        node = "" if wanted.node is None else f" of {wanted.node}"
        if not any(kind == wanted.type and wanted.node in (None, at) for kind, at in rest):
            if wanted.type in _EVENT_TYPES:  # that there is no such type was told before
                failures.append(f"no event {wanted.type}{node} came in the expected order")
            break
    return failures


def _shown(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _types(event: e.Event) -> list[tuple[str, str | None]]:
    node = getattr(event, "node", None)
    return [(type(event).__name__, node), *((str(item["type"]), node) for item in derived_of(event))]
