"""Where an instance is: what it sees from there, and whether anything new may still start there.

Rules of this file
- Both follow from the containers around it. These are found once, as a chain of `Site`s, and stay the same until a container
  starts or an inlined workflow ends (`look_around`): whatever has begun in a body since then has the same ones around it.
- Whether something is being ended may change with any event. It is asked anew each time, of the states that the chain names.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fairlead.engine.graph import Body, Graph, NodeDef
from fairlead.engine.regions import waits_for_pass
from fairlead.engine.scope import Closed, Computed, error_value
from fairlead.model import events as e
from fairlead.model import reasons
from fairlead.model import state as s
from fairlead.model.ids import FINALLY_SUFFIX, key_of, prefix_of
from fairlead.model.state import NodeState, ScopeState, State

SITES_KEPT = 1_024
"""How many sites are kept: of so many containers at work side by side."""

Seen = tuple[Body, str, str]
"""A body that expressions see: the body, its prefix, and that of the pass before."""


class Around:
    """What is around an instance in a body.

    `bodies`: innermost first. `names`: `item`, `index`, `pass` and the `as` names. `closed`: the inlined workflow that it is
    part of, beyond which it sees nothing. `phase`: in the `finally` of that one, what the rest ended with.
    """

    __slots__ = ("bodies", "closed", "names", "phase")

    def __init__(
        self,
        bodies: tuple[Seen, ...],
        names: dict[str, Any],
        closed: Closed | None = None,
        phase: str = "",
    ) -> None:
        self.bodies = bodies
        self.names = names
        self.closed = closed
        self.phase = phase

    def naming(self, names: dict[str, Any]) -> Around:
        """The same with other names."""
        return self if names is self.names else Around(self.bodies, names, self.closed, self.phase)


OUTSIDE = Around((), {})
"""Around what is in no body."""

_NO_SCOPE = ScopeState()
"""Of the run's own body, and of a place where a stand-in is: nothing is ended there by itself."""


class Site:
    """A container as its bodies have it around them, or a node as what stands in for it has.

    `scope` is the body that it is in, and `outer` the site of that; `around` is what its bodies see beyond themselves, once
    that has been asked for.
    """

    __slots__ = ("around", "key", "outer", "scope", "state")

    def __init__(self, key: str, state: NodeState, scope: ScopeState, outer: Site | None) -> None:
        self.key = key
        self.state = state
        self.scope = scope
        self.outer = outer
        self.around: Around | None = None


class Surroundings:
    """Answers for the instances of one run."""

    def __init__(self, graph: Graph, state: State, computed: Computed) -> None:
        self.graph = graph
        self.state = state
        self.computed = computed
        self._seen_last: tuple[str, Around] = ("", OUTSIDE)
        self._sites: dict[str, Site] = {}  # by the key of the container
        self._closed: dict[str, Closed] = {}  # by the node that inlines the workflow, while it is at work

    def look_around(self) -> None:
        """A container starts, or an inlined workflow ends: what is around a place in it may be another thing now."""
        self._seen_last = ("", OUTSIDE)
        self._sites.clear()
        self._closed.clear()

    def _site_at(self, prefix: str, scope: ScopeState | None) -> Site:
        """What is around a body, or around the place of a stand-in: that has no scope."""
        if scope is None:
            return self._site_of(prefix[:-1])
        found = self._sites.get(scope.container)
        if found is None:
            if len(self._sites) >= SITES_KEPT:
                self._sites.clear()
            found = self._sites[scope.container] = self._site_of(scope.container)
        return found

    def _site_of(self, key: str) -> Site:
        prefix, state = prefix_of(key), self.state.node(key)
        if not prefix:
            return Site(key, state, _NO_SCOPE, None)
        scope = self.state.scopes.get(prefix)
        return Site(key, state, _NO_SCOPE if scope is None else scope, self._site_at(prefix, scope))

    # --- what is seen ---

    def names_around(self, node: NodeDef, key: str) -> dict[str, Any]:
        """What `item`, `index`, `pass` and the `as` names are where an instance is."""
        names = self.seen_from(prefix_of(key)).names if "/" in key else {}
        return self.with_passes(names, key) if node.regions else names

    def seen_from(self, prefix: str) -> Around:
        """What is around an instance with this prefix, as far as the workflow goes that it is part of; kept for the last one."""
        if not prefix:
            return OUTSIDE
        if self._seen_last[0] == prefix:
            return self._seen_last[1]
        scope = self.state.scopes.get(prefix)
        if (
            scope is None
        ):  # the place of a stand-in: it sees what the node sees that it stands for, and its error
            key = prefix[:-1]
            around = self.seen_from(prefix_of(key))
            error = self.state.node(key).error
            names = self.with_passes(around.names, key)
            if error is not None:
                names = {**names, "error": error_value(error)}
            return around.naming(names)
        found = self._around(prefix, scope)
        self._seen_last = (prefix, found)
        return found

    def _around(self, prefix: str, scope: ScopeState) -> Around:
        body = self.graph.body_of(prefix)
        if scope.inlined:
            closed = self.closed_at(scope.container)
            last = ((body, prefix, ""),) if scope.phase else ()
            return Around((*last, *closed.bodies), {}, closed, scope.phase)
        beyond = self._beyond(prefix, scope)
        names = beyond.names
        loop = self.state.loops[scope.container]
        assert body.owner is not None
        owner = body.owner.spec
        if owner.for_each is not None and loop.items is not None:
            item, index, name = loop.items[scope.index], scope.index, owner.for_each.as_
            names = {**names, name: item, f"{name}_index": index, "item": item, "index": index}
        elif owner.while_ is not None:
            names = {**names, "pass": _passes([scope.index], names.get("pass"))}
        return Around(((body, prefix, loop.last), *beyond.bodies), names, beyond.closed, beyond.phase)

    def _beyond(self, prefix: str, scope: ScopeState) -> Around:
        """What all bodies of a container see beyond themselves."""
        site = self._site_at(prefix, scope)
        found = site.around
        if found is None:
            around = self.seen_from(prefix_of(site.key))
            found = site.around = around.naming(self.with_passes(around.names, site.key))
        return found

    def with_passes(self, names: dict[str, Any], key: str) -> dict[str, Any]:
        """Names with `pass` of the loops around an instance that loopbacks close, if there are any."""
        indexes = self._indexes(key)
        return {**names, "pass": _passes(indexes, names.get("pass"))} if indexes else names

    def _indexes(self, key: str) -> list[int]:
        """How often the loops around an instance were repeated, innermost first."""
        prefix = prefix_of(key)
        body = self.graph.body_of(prefix)
        if not body.regions:
            return []
        node = body.nodes.get(key_of(key)[len(prefix) :])
        known = self.state.regions_at(prefix)
        return [known[r.id].count if r.id in known else 0 for r in node.regions] if node is not None else []

    def stood_for(self, key: str) -> e.Error | None:
        """The error that a stand-in stands in for; None for any other node."""
        stands_for = self.state.node(key).stands_for
        return self.state.node(stands_for).error if stands_for else None

    def closed_at(self, key: str) -> Closed:
        """The workflow that a node has begun to run inline."""
        found = self._closed.get(key)
        if found is None:
            loop = self.state.loops[key]
            assert loop.variables is not None, f"{key} has begun"
            found = self._closed[key] = self.closed(key, loop.inputs or {}, loop.variables)
        return found

    def closed(self, key: str, inputs: Mapping[str, Any], variables: Mapping[str, Any]) -> Closed:
        """A workflow that a node inlines, with inputs and variables."""
        body = self.graph.body_of(f"{key}/")
        return Closed(
            self.graph,
            self.state,
            body.flow,
            ((body, f"{self.state.instance(key)}/", ""),),
            inputs,
            variables,
        )

    # --- what is being ended ---

    def draining(self) -> str:
        """Why nothing new starts and what runs is being ended; empty while the run goes on."""
        state = self.state
        if state.stage == s.FORWARD:
            if state.finish is not None:
                return reasons.FINISHED
            if state.failure is not None and (state.timed_out or self.graph.spec.fail_fast):
                return reasons.EXECUTION_FAILED
            return reasons.CANCELLED if state.cancel else ""
        if state.stage == s.FINALLY:
            if state.cancel_force:
                return reasons.CANCELLED
            return reasons.FINALLY_TIMEOUT if state.timed_out else ""
        return ""

    def draining_at(self, key: str) -> str:
        """Why nothing new starts where an instance is: the run is ending, or a body around it.

        The `finally` of an inlined workflow runs whatever is being ended around it, as far as `forced_at` lets it.
        """
        if "/" in key:
            prefix = prefix_of(key)
            return self.draining_in(prefix, self.state.scopes.get(prefix), key)
        reason = self.draining()
        return reason or (reasons.PASS_ABANDONED if self.state.looping and self.abandoned(key) else "")

    def draining_in(self, prefix: str, held: ScopeState | None, key: str) -> str:
        """The same for an instance of which the body is known, or for that body itself: then `key` is its prefix."""
        reason, looping = self.draining(), self.state.looping
        if reason and FINALLY_SUFFIX not in key:
            return reason
        if looping and self.abandoned(key):
            return reasons.PASS_ABANDONED
        site: Site | None = self._site_at(prefix, held)
        scope = _NO_SCOPE if held is None else held
        while site is not None:
            if scope.failure is not None and not scope.patient:
                return reasons.BODY_FAILED
            if scope.phase:
                return self.forced_at(key)
            if scope.inlined and self.state.loops[site.key].finish is not None:
                return reasons.FINISHED
            if site.state.status == s.STOPPING:
                return site.state.stop
            if looping and self.abandoned(site.key):
                return reasons.PASS_ABANDONED
            scope, site = site.scope, site.outer
        return reason

    def forced_at(self, key: str) -> str:
        """Why not even the `finally` of an inlined workflow goes on: a forced cancel, or a finallyTimeout around it."""
        state = self.state
        if state.cancel_force:
            return reasons.CANCELLED
        if state.stage == s.FINALLY and state.timed_out:
            return reasons.FINALLY_TIMEOUT
        prefix = prefix_of(key)
        while prefix:
            scope = state.scopes.get(prefix)
            if scope is not None and scope.overdue:
                return reasons.FINALLY_TIMEOUT
            prefix = prefix_of(prefix[:-1] if scope is None else scope.container)
        return ""

    def abandoned(self, key: str) -> bool:
        """Whether a loop that the instance is in waits for its next pass."""
        if not self.state.looping:
            return False
        prefix = prefix_of(key)
        scope = self.state.scopes.get(prefix)
        if scope is None or not scope.looping or not scope.regions:
            return False
        node = self.graph.body_of(prefix).nodes.get(key_of(key)[len(prefix) :])
        return node is not None and waits_for_pass(node.regions, scope.regions)


def _passes(indexes: list[int], around: dict[str, Any] | None = None) -> dict[str, Any]:
    """`pass`, innermost first, with `parent` outward; `around` is what it is outside of these."""
    found: dict[str, Any] = {"index": indexes[0]}
    if len(indexes) > 1:
        found["parent"] = _passes(indexes[1:], around)
    elif around is not None:
        found["parent"] = around
    return found
