"""The outputs of a workflow, the run's own or an inlined one, and of other bodies (semantics 16).

A key that reads a node which did not succeed, or a variable never written, is left out; so is one that reads such a node through
a computed field and cannot do without it. Any other error is a failure of the whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from fairlead.engine.expressions import ExpressionError
from fairlead.engine.graph import Body
from fairlead.engine.scope import Scope
from fairlead.engine.turn import Turn
from fairlead.model import state as s
from fairlead.model.state import ScopeState, State


def body_outputs(turn: Turn, body: Body, prefix: str, place: ScopeState) -> dict[str, Any]:
    """The outputs of a body of a container. Raises ExpressionError."""
    if place.inlined:
        scope, seed = turn.scope(key=prefix), turn.seed(prefix, "")
        variables = turn.closed_at(place.container).variables
        return {} if place.phase else workflow_outputs(turn.state, body, prefix, scope, variables, seed)
    if not body.outputs:
        return {}
    scope = turn.scope(key=prefix)
    outputs: dict[str, Any] = {}
    for name, template in body.outputs.items():
        if not any(_unsuccessful(turn.state, body, prefix, path) for path in template.reads):
            outputs[name] = template.evaluate(scope, turn.seed(prefix, name))
    return outputs


def workflow_outputs(
    state: State, body: Body, prefix: str, scope: Scope, variables: Mapping[str, Any], seed: str
) -> dict[str, Any]:
    """The outputs of the workflow whose graph is `body`, at work under `prefix`. Raises ExpressionError."""
    outputs: dict[str, Any] = {}
    for name, template in body.flow.outputs.items():
        if _absent(state, body, prefix, variables, template.reads):
            continue
        try:
            outputs[name] = template.evaluate(scope, f"{seed}{name}")
        except ExpressionError:
            if not _absent(state, body, prefix, variables, body.flow.behind(template.reads)):
                raise
    return outputs


def _absent(
    state: State, body: Body, prefix: str, variables: Mapping[str, Any], reads: Iterable[tuple[str, ...]]
) -> bool:
    """Whether a node that did not succeed, or a variable never written, is among what is read."""
    return any(
        _unsuccessful(state, body, prefix, path)
        or (len(path) > 1 and path[0] == "vars" and path[1] not in variables)
        for path in reads
    )


def _unsuccessful(state: State, body: Body, prefix: str, path: tuple[str, ...]) -> bool:
    """Whether a node of the body is read that did not succeed."""
    name = body.names.get(path[1]) if len(path) > 1 and path[0] == "nodes" else None
    return name is not None and state.node(prefix + name).status != s.SUCCEEDED
