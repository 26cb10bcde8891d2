"""What an expression sees at each place where one may stand (api.md Expressions, semantics 2, 16, 18, 20, 34).

    place                             names                                  nodes it may read
    node fields before it starts      the usual, item index pass inside      upstream of the node
    store, compensate                 the same, and outputs                  the same, and itself
    a connection's when               the same, and outputs, error           upstream of its source, and that
    retryOn, noRetryOn                the same, and error                    upstream of the node
    fields of a fallback, and of      the same, and error                    as the node it stands in for
      nodes inside of one
    while.condition                   as the while, and pass                 the same, and those of its body
    outputs of a forEach or branch    as inside the body                     all of the body
    fields in finally                 as any field                           all
    outputs of the workflow           the usual                              all but those of finally
    computed                          the usual without now                  those upstream of who reads it
    variables, concurrency.key        inputs execution workflow now          none
    expect, success, failure          what came back: status headers body,   none
                                      or object
    triggers                          event workflow now                     none
    notifications                     the usual, and outputs, error          all

The usual names are inputs, vars, computed, nodes, execution, workflow and now.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from fairlead.engine.validation.bodies import RawBody, RawNode, as_text

Sight = Literal["upstream", "all", "none"]

ALWAYS = frozenset({"inputs", "vars", "computed", "nodes", "execution", "workflow", "now"})
BEFORE_START = frozenset({"inputs", "execution", "workflow", "now"})
ON_EVENT = frozenset({"event", "workflow", "now"})
PURE = ALWAYS - {"now"}
_NOTHING: frozenset[str] = frozenset()

MEANT = {
    "outputs": "it is known in store, compensate and the when of a connection",
    "error": "it is known in retryOn, noRetryOn, the when of a connection, and in a fallback",
    "item": "it is known inside a forEach",
    "index": "it is known inside a forEach",
    "pass": "it is known inside a while and between the ends of a loopback",
    "event": "it is known in triggers and in wait.event.match",
}
"""Where the names make sense that are not known everywhere."""


@dataclass(frozen=True, slots=True)
class Place:
    """What an expression sees. `reader` is the node whose upstream counts, `what` names the place in a sentence."""

    what: str
    body: RawBody
    reader: RawNode | None = None
    names: frozenset[str] = ALWAYS
    locals: frozenset[str] = _NOTHING
    sight: Sight = "upstream"
    sees_itself: bool = False
    stands_for: tuple[RawNode, ...] = ()
    pure: bool = False

    def also(self, what: str, *names: str, itself: bool = False, locals_: tuple[str, ...] = ()) -> Place:
        """The same place with more names, seen from the node itself if `itself`."""
        return replace(
            self,
            what=what,
            names=self.names | set(names),
            locals=self.locals | set(locals_),
            sees_itself=self.sees_itself or itself,
        )


def names_inside(body: RawBody, loops: frozenset[int]) -> tuple[frozenset[str], frozenset[str]]:
    """The scope names that bodies give to what stands in this one, and the names that `as` gives.

    `loops` are the ids of nodes between the ends of a loopback.
    """
    names: set[str] = set()
    locals_: set[str] = set()
    for each in body.outward():
        if each.kind == "while" or (each.owner is not None and id(each.owner) in loops):
            names.add("pass")
        if each.owner is not None and each.owner.name in each.owner.body.stand_ins:
            names.add("error")
        if each.kind == "forEach" and each.owner is not None:
            names |= {"item", "index"}
            own = as_text(each.owner.value.get("as"))
            if own and own != "item":
                locals_ |= {own, f"{own}_index"}
    return frozenset(names), frozenset(locals_)
