"""A driver for one engine in tests: it plays log, runner, cache and clock, checks every invariant at each step, and can crash.

The log is a list of stored forms (bytes), so that every event goes through the codec. After each batch the fold of the whole log
is compared with the live state.

A child is in hand as an attempt is, with delivery 0: `started`, `end`, `fail` and `lose` speak of it too. One that is let go is
in hand until it is there. A child that was never made and is to be ended is reported lost at once, as a home does.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tests.support.history import check_history

from fairlead.engine.effects import effects_of, unanswered_of
from fairlead.engine.engine import Engine
from fairlead.engine.evolve import evolve, fold
from fairlead.engine.graph import Graph, compile_workflow
from fairlead.engine.moving import born_anew
from fairlead.engine.steering import standing
from fairlead.model import commands as c
from fairlead.model import events as e
from fairlead.model import state as s
from fairlead.model.effects import (
    AnyEffect,
    FillCache,
    LookUp,
    StartAttempt,
    StartChild,
    SteerChild,
    StopAttempt,
)
from fairlead.model.events import Error
from fairlead.model.ids import key_of
from fairlead.model.manifests import Definition, WorkflowSpec, digest, parse_spec
from fairlead.model.state import State
from fairlead.model.times import SECOND
from fairlead.runtime import caching
from fairlead.runtime.memory import MemoryCache

START = 1_700_000_000 * SECOND


def spec_of(**fields: Any) -> WorkflowSpec:
    """A workflow spec from its manifest fields; `workflows` are those that it inlines, by name."""
    return parse_spec(Definition, fields)


def birth_of(
    spec: WorkflowSpec,
    inputs: dict[str, Any] | None = None,
    *,
    name: str = "run",
    uid: str = "uid-1",
    **more: Any,
) -> c.Create:
    """The command that begins a run of a workflow named flow."""
    return c.Create(
        name=name,
        uid=uid,
        workflow="flow",
        digest=digest(spec),
        runtime="test",
        inputs=inputs or {},
        **more,
    )


class Driver:
    """Owns an engine, its log and the attempts that a runner would have in hand.

    The cache answers as soon as it is asked, unless it is `slow`: then `answer` lets it. It may be shared by drivers.
    """

    def __init__(
        self,
        spec: WorkflowSpec | dict[str, Any],
        *,
        limit: int = 1_000,
        check: bool = True,
        name: str = "run",
        cache: MemoryCache | None = None,
        slow: bool = False,
    ) -> None:
        self.name = name
        self.cache = MemoryCache() if cache is None else cache
        self.slow = slow
        self.asked: dict[int, LookUp] = {}
        self.spec = spec if isinstance(spec, WorkflowSpec) else parse_spec(Definition, spec)
        self.graph: Graph = compile_workflow(self.spec, "flow")
        self.engine = Engine(self.graph)
        self.log: list[bytes] = []
        self.now = START
        self.running: dict[tuple[str, int, int], Any] = {}  # StartAttempt or StartChild
        self.steered: dict[str, SteerChild] = {}
        self.lost: list[c.ChildLost] = []
        self.stopping: set[tuple[str, int, int]] = set()
        self.limit = limit
        self.check = check
        self._shadow = State()

    # --- looking ---

    @property
    def state(self) -> State:
        return self.engine.state

    @property
    def events(self) -> list[e.AnyEvent]:
        return [e.decode(data) for data in self.log]

    def types(self, node: str | None = None) -> list[str]:
        """The types of all events, or of those of a node."""
        return [type(x).__name__ for x in self.events if node is None or getattr(x, "node", None) == node]

    def of(self, kind: str, node: str | None = None) -> list[Any]:
        """The events of a type."""
        found = [x for x in self.events if type(x).__name__ == kind]
        return [x for x in found if node is None or getattr(x, "node", None) == node]

    @property
    def failure(self) -> s.Failure:
        """The failure that the run ended with."""
        assert self.state.failure is not None
        return self.state.failure

    def status(self, key: str) -> str:
        return self.state.node(key).status

    def statuses(self) -> dict[str, str]:
        return {key: node.status for key, node in self.state.nodes.items()}

    # --- acting ---

    def create(self, inputs: dict[str, Any] | None = None, **more: Any) -> Driver:
        """Begin the run."""
        return self.tell(self._create(inputs, **more))

    def create_part(self, inputs: dict[str, Any]) -> None:
        """Begin the run and commit the first part of its first turn."""
        self._commit(self.engine.decide(self._create(inputs), self.now, self.limit))

    def decide_part(self) -> None:
        """Commit the next part of the turn, if there is one."""
        if self.engine.unfinished:
            self._commit(self.engine.decide_more(self.now, self.limit))

    def _create(self, inputs: dict[str, Any] | None, **more: Any) -> c.Create:
        return birth_of(self.spec, inputs, name=self.name, **more)

    def tell(self, *commands: c.Command) -> Driver:
        for command in commands:
            self._commit(self.engine.decide(command, self.now, self.limit))
            while self.engine.unfinished:
                self._commit(self.engine.decide_more(self.now, self.limit))
        self._say_lost()
        return self if self.slow else self.answer()

    def _say_lost(self) -> Driver:
        lost, self.lost = self.lost, []
        return self.tell(*lost) if lost else self

    def answer(self) -> Driver:
        """Let the cache answer what it has been asked."""
        while self.asked:
            effect = self.asked.pop(min(self.asked))
            found = self.cache.get_now(caching.store_key(effect.identity), effect.at)
            self.tell(caching.answer(effect, found))
        return self

    def tick(self, seconds: float = 0) -> Driver:
        self.now += round(seconds * SECOND)
        return self.tell(c.Tick())

    def wish(self, **fields: Any) -> Driver:
        return self.tell(c.Wish(**fields))

    def started(self, node: str) -> Driver:
        attempt = self._attempt(node)
        effect = self.running[attempt]
        if isinstance(effect, StartChild):
            return self._child_started(attempt, effect)
        return self.tell(c.AttemptStarted(node=node, attempt=attempt[1], delivery=attempt[2]))

    def _child_started(self, key: tuple[str, int, int], effect: StartChild) -> Driver:
        if not effect.parent.wait:
            self.running.pop(key)
        return self.tell(c.ChildStarted(node=effect.node, child=effect.child, uid=f"uid-{effect.child}"))

    def refuse(self, node: str, reason: str = "WorkflowNotFound") -> Driver:
        """The child that a node asks for is refused."""
        effect = self.running.pop(self._attempt(node))
        assert isinstance(effect, StartChild)
        refused = c.ChildRefused(
            node=node, child=effect.child, attempt=effect.attempt, reason=reason, message="no"
        )
        return self.tell(refused)

    def child(self, node: str) -> StartChild:
        """What was asked of the child of a node."""
        effect = self.running[self._attempt(node)]
        assert isinstance(effect, StartChild)
        return effect

    def end_child(self, node: str, phase: str, outputs: dict[str, Any] | None = None, **more: Any) -> Driver:
        """The child of a node ends."""
        key = self._attempt(node)
        effect = self.child(node)
        if not effect.parent.wait:
            return self._child_started(key, effect)
        self.running.pop(key)
        self.stopping.discard(key)
        ended = {"redrive": effect.redrive, "outputs": outputs or {}, **more}
        return self.tell(
            c.ChildEnded(node=node, child=effect.child, uid=f"uid-{effect.child}", phase=phase, **ended)
        )

    def end(self, node: str, outputs: dict[str, Any] | None = None, **error: Any) -> Driver:
        """The attempt of a node in hand ends: with outputs, or with an error's fields."""
        key = self._attempt(node)
        failure = Error(**error) if error else None
        if isinstance(self.running[key], StartChild):
            phase = s.SUCCEEDED if failure is None else s.FAILED
            return self.end_child(node, phase, outputs, error=failure)
        self.running.pop(key)
        self.stopping.discard(key)
        result = None if failure else (outputs or {})
        return self.tell(
            c.AttemptEnded(node=node, attempt=key[1], delivery=key[2], outputs=result, error=failure)
        )

    def fail(
        self, node: str, reason: str = "NonZeroExit", message: str = "boom", exit_code: int | None = 1
    ) -> Driver:
        return self.end(node, reason=reason, message=message, exit_code=exit_code)

    def lose(self, node: str) -> Driver:
        key = self._attempt(node)
        effect = self.running[key]
        if isinstance(effect, StartChild) and not effect.parent.wait:
            return self.started(node)
        if isinstance(effect, StartChild):
            self.started(node)
        if key not in self.running:
            return self
        self.running.pop(key)
        self.stopping.discard(key)
        if isinstance(effect, StartChild):
            uid = child.uid if (child := self.state.node(key_of(node)).child) is not None else ""
            return self.tell(c.ChildLost(node=node, child=effect.child, uid=uid))
        return self.tell(c.AttemptLost(node=node, attempt=key[1], delivery=key[2]))

    def crash(self) -> Driver:
        """The process dies and another folds the log; attempts in hand go on or are gone, as the test says next."""
        self.engine = Engine(self.graph, fold(self.events))
        for effect in standing(self.graph, self.state):
            if isinstance(effect, SteerChild) or (effect.node, effect.attempt, 0) not in self.running:
                self._act(effect)
        self.asked = {question.asked: question for question in unanswered_of(self.graph, self.state)}
        while self.engine.unfinished:
            self._commit(self.engine.decide_more(self.now, self.limit))
        self._say_lost()
        return self if self.slow else self.answer()

    def move(self, uid: str, name: str | None = None) -> Driver:
        """The run goes on in another home, where it has another uid."""
        birth = e.decode(self.log[0])
        assert isinstance(birth, e.ExecutionCreated)
        self.log[0] = e.encode(born_anew(birth, uid, name or birth.name))
        self._shadow = fold(self.events)
        return self.crash()

    def wait_for_timer(self) -> bool:
        """Go to the next due time; False if there is none."""
        due = self.engine.next_due(self.now)
        if due is None:
            return False
        self.now = max(self.now, due)
        self.tell(c.Tick())
        return True

    # --- inside ---

    def _attempt(self, node: str) -> tuple[str, int, int]:
        found = [key for key in self.running if key[0] == node]
        assert len(found) == 1, f"{node} has {len(found)} attempts in hand; running: {list(self.running)}"
        return found[0]

    def _commit(self, events: Sequence[e.Event]) -> None:
        self.log += [e.encode(event) for event in events]
        if self.check:
            for event in events:
                evolve(self._shadow, e.decode(e.encode(event)))
            assert s.encode(self._shadow) == s.encode(self.state), (
                "fold of the log differs from the live state"
            )
            self._check_joins()
        for effect in effects_of(self.graph, self.state, events):
            self._act(effect)

    def _act(self, effect: AnyEffect) -> None:
        if isinstance(effect, StartChild):
            identity = (effect.node, effect.attempt, 0)
            assert not [key for key in self.running if key[0] == effect.node], f"{identity} started twice"
            self.running[identity] = effect
        elif isinstance(effect, SteerChild):
            self.steered[effect.node] = effect
            known = [key for key in self.running if key[0] == effect.node]
            self.stopping.update(known if effect.stop else ())
            if effect.stop and not known:
                self.lost.append(c.ChildLost(node=effect.node, child=effect.child, uid=effect.uid))
        elif isinstance(effect, StartAttempt):
            identity = (effect.node, effect.attempt, effect.delivery)
            assert identity not in self.running, f"{identity} started twice"
            assert not [key for key in self.running if key[0] == effect.node], (
                f"{effect.node} has two attempts in hand"
            )
            self.running[identity] = effect
        elif isinstance(effect, StopAttempt):
            self.stopping.add((effect.node, effect.attempt, effect.delivery))
        elif isinstance(effect, LookUp):
            self.asked[effect.asked] = effect
        elif isinstance(effect, FillCache):
            key, entry = caching.store_key(effect.identity), caching.entry_of(effect)
            self.cache.put_now(key, entry, effect.expires, effect.at)

    def _check_joins(self) -> None:
        """A connection settles at most once a pass, and a join counts no loopback."""
        if self.state.epoch:
            return  # what had ended before a redrive keeps its counts, whatever comes again
        for key, node in self.state.nodes.items():
            total = len(self.graph.find(key).incoming)
            assert node.taken + node.dead <= total, (
                f"{key}: {node.taken} taken and {node.dead} dead of {total}"
            )

    def _check_settled(self) -> None:
        """Where nothing was ended early every connection has settled: what leads out of a loop when it was over."""
        types = {type(event).__name__ for event in self.events}
        early = {"Redriven", "CancelRequested", "ExecutionTimedOut"} & types or self.state.result is not None
        if early or (self.state.phase == s.FAILED and self.spec.fail_fast):
            return
        for name, definition in self.graph.root.nodes.items():
            node, total = self.state.node(name), len(definition.incoming)
            assert node.taken + node.dead == total, f"{name}: {node.taken} taken, {node.dead} dead of {total}"

    def check_ended(self) -> None:
        """What holds of every run that has ended."""
        self._check_settled()
        state = self.state
        assert state.ended, f"not ended: {self.statuses()}"
        seqs = [event.seq for event in self.events]
        assert seqs == list(range(1, len(seqs) + 1))
        assert not self.running, "attempts in hand after the end"
        assert not state.active and not state.children and not state.ready and not state.waiting
        assert not state.timers.due and not state.paused_timers.due
        assert all(path.status != s.ACTIVE for path in state.paths.values()), state.paths
        counters = state.counters
        assert counters.done + counters.failed + counters.skipped == counters.total
        assert check_history(self.events) == counters.total, (
            "progress counts other instances than the log has"
        )
