"""Running the cases of `fairlead test`: a workflow in virtual time against given node results.

Rules of this file
- Nothing is executed. A node that would run in a pod and has no result fails the case, with the name to add.
- A list of results is one per attempt; a single result serves every attempt.
- What `expect` leaves out is not checked; each mismatch shows what was expected and what came.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from fairlead.engine import expressions
from fairlead.engine.derived import DERIVED, derived_of
from fairlead.engine.graph import Graph
from fairlead.engine.starting import same
from fairlead.engine.validation import check_inputs
from fairlead.model import commands as c
from fairlead.model import events as e
from fairlead.model.cases import Case, GivenResult
from fairlead.model.effects import StartAttempt, StopAttempt
from fairlead.model.ids import key_of
from fairlead.model.manifests import digest
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
    """The given results as a runner."""

    def __init__(self, case: Case, failures: list[str]) -> None:
        self._given = case.nodes
        self._failures = failures
        self.used: set[str] = set()

    def start(self, effect: StartAttempt) -> Answer:
        result = self._find(effect)
        identity: dict[str, Any] = {
            "node": effect.node,
            "attempt": effect.attempt,
            "delivery": effect.delivery,
        }
        started: Answer = [(0, c.AttemptStarted(**identity))]
        if result is None:
            error = e.Error(reason="NoResultGiven", message="the case gives no result for this attempt")
            return [*started, (0, c.AttemptEnded(error=error, **identity))]
        if result.timeout:
            return started
        if result.fail is not None:
            given = result.fail
            error = e.Error(reason=given.reason, message=given.message, exit_code=given.exit_code)
            return [*started, (result.after, c.AttemptEnded(error=error, **identity))]
        return [*started, (result.after, c.AttemptEnded(outputs=result.outputs, **identity))]

    def stop(self, effect: StopAttempt) -> Answer:
        error = e.Error(reason="Signalled", message="ended by the engine", exit_code=143)
        return [
            (
                0,
                c.AttemptEnded(
                    node=effect.node, attempt=effect.attempt, delivery=effect.delivery, error=error
                ),
            )
        ]

    def _find(self, effect: StartAttempt) -> GivenResult | None:
        name = key_of(effect.node).rpartition("/")[2]
        for known in (effect.node, name):
            results = self._given.get(known)
            if results is None:
                continue
            self.used.add(known)
            if len(results) == 1:
                return results[0]
            if effect.attempt <= len(results):
                return results[effect.attempt - 1]
            self._failures.append(
                f"nodes.{known} has {len(results)} results; expected one for attempt {effect.attempt} too"
            )
            return None
        failure = f"node {effect.node} runs and nodes.{name} gives no result; expected one"
        if failure not in self._failures:
            self._failures.append(failure)
        return None


def run_case(graph: Graph, case: Case) -> CaseOutcome:
    """Run one case of a workflow and compare."""
    outcome = CaseOutcome(case.name)
    inputs, wrong = check_inputs(graph.spec.inputs, case.inputs)
    if wrong:
        outcome.failures += [f"{finding.path}: {finding.message}" for finding in wrong]
        return outcome
    outcome.failures += _unknown_names(graph, case)
    for name, given in (("approvals", case.approvals), ("events", case.events)):
        if given:
            outcome.failures.append(f"{name}: not supported yet; expected a case without them")
    results = _Results(case, outcome.failures)
    run = VirtualRun(graph, results.start, results.stop)
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
        running = ", ".join(state.active) or "nothing"
        outcome.failures.append(f"the run did not end: it is {state.phase} and {running} is at work")
    outcome.failures += _compare(case, state, run.events)
    return outcome


def _unknown_names(graph: Graph, case: Case) -> list[str]:
    """What the case speaks of and is not there, with the nearest name."""
    nodes = [name for body in (*graph.bodies.values(), graph.finally_) for name in body.nodes]
    failures = [
        f"nodes.{name} is no node of the workflow; {_meant(name, nodes)}"
        for name in case.nodes
        if not graph.named(name)
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
