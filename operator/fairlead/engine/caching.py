"""`cache`: an earlier result of a node, from whatever execution, instead of another attempt (semantics 40).

    ask      the join is met: the key is evaluated and the cache asked, once per instance and before its first attempt
    answered a hit ends the node, via cache; a miss queues it for a runner
    keep     a result of the node's own is kept, once its end is committed

Rules of this file
- A result is kept for (namespace, workflow, place of the node, digest of the node, service account, key); the home adds the
  namespace. The place is the instance id without indexes and passes: items and passes share. What else a node reads does not
  count: what its result depends on belongs into the key.
- Only a Succeeded result of the node's own is kept: neither that of its fallback nor one that came from the cache.
- The engine never asks twice and never waits for good: what has not answered in PATIENCE is a miss, as is all that goes wrong.
- How long a result is good counts from the event that ended its node; whether it still is, from the event that asks.
"""

from __future__ import annotations

from fairlead.engine import ending
from fairlead.engine.graph import Graph, NodeDef
from fairlead.engine.scope import Scope
from fairlead.engine.turn import Turn, priority
from fairlead.model import commands as c
from fairlead.model import events as e
from fairlead.model import reasons
from fairlead.model import state as s
from fairlead.model.effects import FillCache, LookUp
from fairlead.model.ids import key_of, place_of
from fairlead.model.state import State
from fairlead.model.times import SECOND, format_duration

PATIENCE = 10 * SECOND
"""How long an answer is waited for."""
LONGEST_KEY = 1_024
"""Bytes that a key may have."""


def ask(turn: Turn, node: NodeDef, key: str, path: str, scope: Scope) -> None:
    """Ask the cache. A key that cannot be one fails the node. Raises ExpressionError."""
    cache = node.spec.cache
    assert cache is not None
    value = node.template("cache.key", cache.key).evaluate(scope, turn.seed(key, "cache.key"))
    wrong = _wrong_with(value)
    if wrong:
        message = f"cache.key {wrong}; expected a text of 1 to {LONGEST_KEY} bytes"
        ending.stand_in_or_fail(turn, key, path, e.Error(reason=reasons.CACHE_KEY_INVALID, message=message))
        return
    turn.emit(e.CacheLookup, node=turn.state.instance(key), path=path, key=value, due=turn.now + PATIENCE)


def _wrong_with(value: object) -> str:
    if not isinstance(value, str):
        hint = ", as string(...) gives it" if isinstance(value, (int, float)) else ", as hash(...) gives it"
        return f"gave {value!r:.60}, which is no text{hint}"
    if not value:
        return "gave an empty text, under which every result would be the same"
    size = len(value.encode())
    return f"gave a text of {size} bytes; hash(...) makes it short" if size > LONGEST_KEY else ""


def answered(turn: Turn, command: c.CacheAnswered) -> None:
    """The cache has answered; an answer to another question than the one that is open is passed over."""
    key = key_of(command.node)
    state = turn.state.nodes.get(key)
    if state is None or state.status != s.LOOKING_UP or state.lookup != command.asked:
        return
    if command.outputs is None:
        _missed(turn, key, command.note)
        return
    ending.complete(
        turn,
        key,
        state.path,
        port="done",
        outputs=command.outputs,
        via="cache",
        cached_from=command.filled_by,
        cached_at=command.filled_at,
    )


def unanswered(turn: Turn, key: str) -> None:
    """The cache has not answered in time."""
    _missed(turn, key, f"the cache had not answered after {format_duration(PATIENCE)}")


def _missed(turn: Turn, key: str, note: str) -> None:
    node, state = turn.node(key)
    turn.emit(e.CacheMissed, node=turn.state.instance(key), path=state.path, note=note)
    turn.queue.push(key, priority(turn, node))


def lookup_of(graph: Graph, state: State, key: str) -> LookUp | None:
    """The question of an instance that waits for its answer."""
    instance = state.node(key)
    if instance.status != s.LOOKING_UP:
        return None
    name = state.instance(key)
    return LookUp(
        id=f"{state.uid}/{name}/cache/{instance.lookup}",
        node=name,
        asked=instance.lookup,
        identity=_identity(graph.find(key), state, key, instance.cache_key),
        at=instance.since,
    )


def fill_of(graph: Graph, state: State, event: e.NodeCompleted) -> FillCache | None:
    """What the cache is to keep of the end of a node."""
    key = key_of(event.node)
    node = graph.find(key)
    if not event.cache or node.spec.cache is None:
        return None
    ttl = node.spec.cache.ttl
    return FillCache(
        id=f"{state.uid}/{event.node}/fill/{event.seq}",
        identity=_identity(node, state, key, event.cache),
        outputs=event.outputs,
        execution=state.name,
        at=event.at,
        expires=None if ttl is None else event.at + ttl,
    )


def _identity(node: NodeDef, state: State, key: str, cache_key: str) -> dict[str, str]:
    run, resource = node.spec.run, node.spec.resource
    account = (run and run.service_account_name) or (resource and resource.service_account_name) or ""
    return {
        "workflow": state.workflow,
        "node": place_of(key),
        "digest": node.digest,
        "serviceAccount": account,
        "key": cache_key,
    }
