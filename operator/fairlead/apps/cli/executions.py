"""One execution as commands show it: its status as of now, its whole object, its nodes by name."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from fairlead.apps.cli.terminal import say
from fairlead.model.errors import InvalidInput, NotFound
from fairlead.model.shown import UNSEEN

if TYPE_CHECKING:
    from fairlead.apps.cli.homes import Execution, Home, Json, Known
    from fairlead.engine.graph import Graph, NodeDef

ATTENTION = 3.0
"""Seconds for which nobody who watches is told that no operator has looked yet, or that no process runs it."""


def now() -> int:
    """The time."""
    return time.time_ns() // 1_000


def status_of(found: Execution) -> Json:
    """The `status` of an execution, as of now; what was published of one that has not begun."""
    from fairlead.engine.summary import status

    if not found.state.phase or found.graph is None:
        return found.published
    return status(found.graph, found.state, now(), generation=found.observed)


def whole_status_of(found: Execution) -> Json:
    """The same with all variables and outputs whole, as the fold has them: for documents, whose readers want the values."""
    status = status_of(found)
    if found.state.phase:
        status |= {"variables": found.state.variables, "outputs": found.state.outputs}
        more = {
            name: left
            for name, left in status.pop("more", {}).items()
            if name not in ("variables", "outputs")
        }
        status |= {"more": more} if more else {}
    return status


def graph_of(found: Execution) -> Graph:
    """The graph of an execution. Raises InvalidInput for one that has none yet, with the reason."""
    if found.graph is None:
        raise InvalidInput(
            f"{found.known.name} has not begun, and has no graph yet{why_not_begun(found.published)}"
        )
    return found.graph


def is_unseen(status: Json) -> bool:
    """Whether a published status says that no operator has looked at the execution yet."""
    return any(condition.get("reason") == UNSEEN for condition in status.get("conditions") or ())


def why_not_begun(status: Json) -> str:
    """What the conditions of a published status say, as the end of a sentence."""
    from fairlead.apps.views.executions import blocked

    reason = blocked(status)
    return f": {reason}" if reason else ""


def node_of(home: Home, known: Known, node: str) -> NodeDef:
    """A node of an execution, by instance id or by its name in whatever body. Raises NotFound with the nearest name."""
    from fairlead.model.wording import nearest_name

    graph = home.graph(known)
    if graph is None:
        raise NotFound(f"{known.name} has no node {node}: it has not begun")
    try:
        return graph.find(node)
    except KeyError:
        bodies = (graph.root, graph.finally_, *graph.bodies.values())
    names: dict[str, NodeDef] = {}
    for body in bodies:
        for name, found in (*body.nodes.items(), *body.fallbacks.items()):
            names.setdefault(name, found)
    if node in names:
        return names[node]
    near = nearest_name(node, names)
    hint = f"did you mean {near}?" if near else f"expected one of {', '.join(list(names)[:12])}"
    raise NotFound(f"{known.name} has no node {node}; {hint}")


class Attention:
    """Tells somebody who follows an execution, whenever it changes, why nothing comes: it has not begun, or nobody runs it."""

    def __init__(self, home: Home, known: Known, tell: Callable[[str], None] = say) -> None:
        self._home = home
        self._known = known
        self._tell = tell
        self._told = ""
        self._seen_by = self._runs_by = time.monotonic() + ATTENTION

    def look(self, phase: str) -> None:
        """Say what is new; a phase means that it has begun."""
        why = self._why_it_rests() if phase else self._why_not_begun()
        if why is not None and why != self._told:
            self._told = why
            if why:
                self._tell(f"{self._known.name} {why}")

    def _why_not_begun(self) -> str | None:
        published = self._home.load(self._known.name).published
        if is_unseen(published) and time.monotonic() < self._seen_by:
            return None
        why = why_not_begun(published)
        return f"has not begun{why}" if why else None

    def _why_it_rests(self) -> str | None:
        """Asked no more often than every few seconds: who takes over needs a moment as well."""
        if time.monotonic() < self._runs_by:
            return None
        self._runs_by = time.monotonic() + ATTENTION
        return self._home.why_it_rests(self._known)
