"""The engine of one execution: `decide(command, now) -> events`, and the effects wanted after they are committed.

    Command   what the world tells (a wish, a report of a runner, the passing of time)
    Event     what has happened; committed to the log before anything else happens
    State     the fold of the events
    Effect    what the world is asked to do, once the events are committed

Rules of this file
- Pure: no clock, no chance, no IO. `now` comes with the command; ids and jitter from hashes.
- `decide` folds what it returns. If the append is refused, the caller throws the engine away and loads it again from the log.
- A long cascade is handed out in parts of about `limit` events: append, act, then `decide_more`. Each part but the last ends with
  TurnPaused, which says what is still to be looked at, so that a crash between two parts changes nothing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from fairlead.engine import attempts, caching, children, ending, inlining, lifecycle, starting, waits
from fairlead.engine.graph import Graph
from fairlead.engine.scope import Computed
from fairlead.engine.turn import Turn, priority
from fairlead.model import commands as c
from fairlead.model import events as e
from fairlead.model import reasons
from fairlead.model.state import State
from fairlead.model.times import parse_duration

BATCH = 1_000
"""Events after which a turn pauses to be committed."""
GROWTH = 4
"""How often the parts of one turn double."""


class Engine:
    """One execution's engine: its graph, its state, and what is left to do in the present turn."""

    def __init__(self, graph: Graph, state: State | None = None) -> None:
        self.graph = graph
        self.state = State() if state is None else state
        self._turn = Turn(graph, self.state, Computed(graph, self.state))
        self._parts = 0
        every = graph.spec.checkpoint.every
        self._every_nodes = 1 if every == "node" else every if isinstance(every, int) else None
        self._every_time = (
            parse_duration(every) if isinstance(every, str) and every not in ("node", "manual") else None
        )
        if state is not None and state.phase and not state.ended:
            self._take_up()

    def _take_up(self) -> None:
        """After loading: queue what is held for a slot, and go on with a turn of which only a part was committed."""
        turn, state = self._turn, self.state
        for key, held in state.ready.items():
            if held == reasons.MAX_NODES:
                turn.queue.push(key, priority(turn, self.graph.find(key)))
        turn.queue.take_unsaid()
        if state.paused == state.seq:
            turn.work.extend(state.work)
            self._parts = state.part - 1

    @property
    def unfinished(self) -> bool:
        """Whether the present turn has more to decide."""
        return bool(self._turn.work)

    def decide(self, command: c.Command, now: int, limit: int = BATCH) -> list[e.Event]:
        """The events that follow from a command; already folded into the state."""
        turn = self._turn
        turn.begin(now)
        self._parts = 0
        while turn.work:  # what a crash left comes before what is new, as it would have
            starting.look(turn, turn.work.popleft())
        _HANDLERS[type(command)](turn, command)
        return self._settle(limit)

    def decide_more(self, now: int, limit: int = BATCH) -> list[e.Event]:
        """The next part of a turn that is `unfinished`; parts grow, so that what they must remember stays in proportion."""
        self._turn.begin(now)
        self._parts += 1
        return self._settle(limit)

    def next_due(self, now: int) -> int | None:
        """When a `Tick` is wanted next, in wall time."""
        return self.state.next_due(now)

    def _settle(self, limit: int) -> list[e.Event]:
        turn = self._turn
        limit <<= min(self._parts, GROWTH)
        while True:
            while turn.work and len(turn.events) < limit:
                starting.look(turn, turn.work.popleft())
            starting.dispatch(turn)
            if len(turn.events) >= limit and turn.work:
                break
            if not turn.work and not lifecycle.conclude(turn) and not turn.work:
                break
        self._mark()
        if turn.work:
            left = list(dict.fromkeys(turn.work))
            turn.work = deque(left)
            turn.emit(e.TurnPaused, part=self._parts + 1, work=left)
        return turn.events

    def _mark(self) -> None:
        """ProgressUpdated and CheckpointTaken, at most one of each a turn."""
        turn, counters = self._turn, self.state.counters
        if not turn.events or self.state.ended:
            return
        ended = counters.done + counters.failed + counters.skipped
        percent = 100 * ended // max(counters.total, 1)
        if percent // 10 > counters.progress_mark and ended < counters.total:
            turn.emit(e.ProgressUpdated, percent=percent, done=counters.done, total=counters.total)
        every_nodes = self._every_nodes is not None and counters.since_checkpoint >= self._every_nodes
        every_time = self._every_time is not None and turn.now - self.state.checkpoint_at >= self._every_time
        if turn.checkpoint_wanted or every_nodes or every_time:
            turn.checkpoint_wanted = False
            turn.emit(e.CheckpointTaken)


def _tick(turn: Turn, command: c.Tick) -> None:
    state = turn.state
    for name in state.timers.fired(turn.now):
        if name not in state.timers.due:
            continue
        if name == "suspend":
            lifecycle.resume(turn, "SuspendTimeout")
        elif name.startswith("attempt/"):
            attempts.timed_out(turn, name.partition("/")[2])
        elif name.startswith("lookup/"):
            caching.unanswered(turn, name.partition("/")[2])
        else:
            waits.over(turn, name)
    if state.suspended_at:
        return
    for name in state.paused_timers.fired(state.active_time(turn.now)):
        if name == "execution":
            lifecycle.run_timed_out(turn)
        elif name.startswith("wait/"):
            waits.over(turn, name)
        elif name.startswith("finally/"):
            inlining.finally_timed_out(turn, name.partition("/")[2])
        elif name.startswith("body/"):
            ending.timed_out(turn, name.partition("/")[2])
        else:
            starting.again(turn, name.partition("/")[2])


_HANDLERS: dict[type[c.Command], Callable[[Turn, Any], None]] = {
    c.Create: lifecycle.create,
    c.Wish: lifecycle.wish,
    c.Tick: _tick,
    c.AttemptStarted: attempts.started,
    c.AttemptHeld: attempts.held,
    c.AttemptEnded: attempts.ended,
    c.AttemptLost: attempts.lost,
    c.ChildStarted: children.started,
    c.ChildEnded: children.ended,
    c.ChildRefused: children.refused,
    c.ChildLost: children.lost,
    c.CacheAnswered: caching.answered,
}
