"""A driver for one engine in tests: it plays log, runner and clock, checks every invariant at each step, and can crash.

The log is a list of stored forms (bytes), so that every event goes through the codec. After each batch the fold of the whole log
is compared with the live state.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fairlead.engine.effects import effects_of
from fairlead.engine.engine import Engine
from fairlead.engine.evolve import evolve, fold
from fairlead.engine.graph import Graph, compile_workflow
from fairlead.model import commands as c
from fairlead.model import events as e
from fairlead.model import state as s
from fairlead.model.effects import StartAttempt, StopAttempt
from fairlead.model.events import Error
from fairlead.model.ids import key_of
from fairlead.model.manifests import Definition, WorkflowSpec, digest, parse_spec
from fairlead.model.state import State
from fairlead.model.times import SECOND

START = 1_700_000_000 * SECOND
DONE = ("NodeCompleted", "NodeFailed", "NodeSkipped", "NodeCancelled")


def spec_of(**fields: Any) -> WorkflowSpec:
    """A workflow spec from its manifest fields; `workflows` are those that it inlines, by name."""
    return parse_spec(Definition, fields)


class Driver:
    """Owns an engine, its log and the attempts that a runner would have in hand."""

    def __init__(
        self, spec: WorkflowSpec | dict[str, Any], *, limit: int = 1_000, check: bool = True
    ) -> None:
        self.spec = spec if isinstance(spec, WorkflowSpec) else parse_spec(Definition, spec)
        self.graph: Graph = compile_workflow(self.spec, "flow")
        self.engine = Engine(self.graph)
        self.log: list[bytes] = []
        self.now = START
        self.running: dict[tuple[str, int, int], StartAttempt] = {}
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
        return c.Create(
            name="run",
            uid="uid-1",
            workflow="flow",
            digest=digest(self.spec),
            runtime="test",
            inputs=inputs or {},
            **more,
        )

    def tell(self, *commands: c.Command) -> Driver:
        for command in commands:
            self._commit(self.engine.decide(command, self.now, self.limit))
            while self.engine.unfinished:
                self._commit(self.engine.decide_more(self.now, self.limit))
        return self

    def tick(self, seconds: float = 0) -> Driver:
        self.now += round(seconds * SECOND)
        return self.tell(c.Tick())

    def wish(self, **fields: Any) -> Driver:
        return self.tell(c.Wish(**fields))

    def started(self, node: str) -> Driver:
        attempt = self._attempt(node)
        return self.tell(c.AttemptStarted(node=node, attempt=attempt[1], delivery=attempt[2]))

    def end(self, node: str, outputs: dict[str, Any] | None = None, **error: Any) -> Driver:
        """The attempt of a node in hand ends: with outputs, or with an error's fields."""
        key = self._attempt(node)
        self.running.pop(key)
        self.stopping.discard(key)
        failure = Error(**error) if error else None
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
        self.running.pop(key)
        self.stopping.discard(key)
        return self.tell(c.AttemptLost(node=node, attempt=key[1], delivery=key[2]))

    def crash(self) -> Driver:
        """The process dies and another folds the log; attempts in hand go on or are gone, as the test says next."""
        self.engine = Engine(self.graph, fold(self.events))
        while self.engine.unfinished:
            self._commit(self.engine.decide_more(self.now, self.limit))
        return self

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
        for effect in effects_of(self.graph, self.state, events):
            if isinstance(effect, StartAttempt):
                identity = (effect.node, effect.attempt, effect.delivery)
                assert identity not in self.running, f"{identity} started twice"
                assert not [key for key in self.running if key[0] == effect.node], (
                    f"{effect.node} has two attempts in hand"
                )
                self.running[identity] = effect
            elif isinstance(effect, StopAttempt):
                self.stopping.add((effect.node, effect.attempt, effect.delivery))

    def check_ended(self) -> None:
        """What holds of every run that has ended."""
        state = self.state
        assert state.ended, f"not ended: {self.statuses()}"
        seqs = [event.seq for event in self.events]
        assert seqs == list(range(1, len(seqs) + 1))
        assert not self.running, "attempts in hand after the end"
        assert not state.active and not state.ready and not state.waiting
        assert not state.timers.due and not state.paused_timers.due
        assert all(path.status != s.ACTIVE for path in state.paths.values()), state.paths
        counters = state.counters
        assert counters.done + counters.failed + counters.skipped == counters.total
        last_epoch: dict[str, int] = {}
        for event in self.events:
            event_node = getattr(event, "node", "")
            name = type(event).__name__
            if name == "Redriven":
                last_epoch = {}
            if name in DONE:
                last_epoch[key_of(event_node)] = last_epoch.get(key_of(event_node), 0) + 1
        twice = {node: count for node, count in last_epoch.items() if count != 1}
        assert not twice, f"ended more than once: {twice}"
